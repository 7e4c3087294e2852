//! The table of providers changes while calls are under way.

use std::time::Duration;

use engram_core::ports::LlmErrorKind;
use engram_domain::OrgId;
use engram_llm::{ProviderSpec, Providers, from_environment};
use serde_json::json;
use uuid::Uuid;

use crate::{
    server::{Reply, Server},
    support::{chat, configured, request, settings, vllm},
};

fn spec(base: &str) -> ProviderSpec {
    from_environment([("VLLM_API_BASE", base)]).pop().expect("a provider")
}

async fn says(text: &'static str) -> Server {
    Server::start(move |_, seen| match seen.path.as_str() {
        "/v1/models" => Reply::json(200, &json!({"data": [{"id": text}]})),
        _ => Reply::says(text),
    })
    .await
}

async fn answer(providers: &Providers) -> Option<String> {
    chat(providers, request("vllm/m")).await.0.expect("an answer").text
}

async fn handles(providers: &Providers) -> Vec<String> {
    providers.models().await.iter().map(engram_domain::LlmConfig::handle).collect()
}

#[tokio::test]
async fn a_call_keeps_the_provider_that_it_began_with() {
    let old = Server::start(|n, _| match n {
        0 => Reply::Whole(429, "retry-after: 0.3\r\n", "application/json", "{}".into()),
        _ => Reply::says("old"),
    })
    .await;
    let new = says("new").await;
    let providers = vllm(&old.base);
    let running = tokio::spawn({
        let providers = providers.clone();
        async move { answer(&providers).await }
    });
    while old.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(providers.set(spec(&new.base)), Ok(true));
    assert_eq!(answer(&providers).await.as_deref(), Some("new"));
    assert!(providers.remove("vllm"));
    assert!(!providers.remove("vllm"));
    let error = chat(&providers, request("vllm/m")).await.0.expect_err("it was removed");
    assert_eq!(error.kind, LlmErrorKind::UnknownModel);
    assert_eq!(
        running.await.expect("no panic").as_deref(),
        Some("old"),
        "its second attempt goes where the first went"
    );
    assert_eq!((old.requests().len(), new.requests().len()), (2, 1));
}

#[tokio::test]
async fn handles_and_lists_go_by_the_present_table() {
    let (old, new) = (says("old").await, says("new").await);
    let providers = configured(settings(), &[]);
    assert_eq!(handles(&providers).await, ["engram/scripted"]);
    assert_eq!(providers.set(spec(&old.base)), Ok(false));
    assert_eq!(handles(&providers).await, ["engram/scripted", "vllm/old"]);
    providers.resolve_model("vllm/old").await.expect("it is listed");
    // What was kept of the old one's list is not the new one's.
    assert_eq!(providers.set(spec(&new.base)), Ok(true));
    assert_eq!(handles(&providers).await, ["engram/scripted", "vllm/new"]);
    providers.resolve_model("vllm/old").await.expect_err("it is listed no more");
    let refused = providers.set(spec("localhost:8000"));
    assert!(refused.is_err());
    assert_eq!(handles(&providers).await, ["engram/scripted", "vllm/new"], "a refused one changes nothing");
}

#[tokio::test]
async fn an_organizations_own_provider_comes_before_the_servers() {
    let (shared, own) = (says("shared").await, says("own").await);
    let providers = vllm(&shared.base);
    let [one, other] = [1, 2].map(|n| providers.of_organization(OrgId(Uuid::from_u128(n))));
    assert_eq!(one.set(spec(&own.base)), Ok(false));
    assert_eq!(answer(&one).await.as_deref(), Some("own"));
    assert_eq!(handles(&one).await, ["engram/scripted", "vllm/own"]);
    for others in [&providers, &other] {
        assert_eq!(answer(others).await.as_deref(), Some("shared"));
        assert_eq!(handles(others).await, ["engram/scripted", "vllm/shared"]);
    }
    assert!(!other.remove("vllm"), "the server's is not an organization's to remove");
    assert!(one.remove("vllm"));
    assert_eq!(answer(&one).await.as_deref(), Some("shared"));
}
