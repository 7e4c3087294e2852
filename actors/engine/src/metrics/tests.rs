//! What is told is what a scraper reads.

use engram_domain::ToolKind;
use metrics_exporter_prometheus::PrometheusBuilder;

use super::*;

fn told(tell: impl FnOnce()) -> String {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, tell);
    handle.render()
}

fn tool(name: &str, kind: ToolKind) -> Tool {
    Tool { kind, ..engram_testkit::tool(name) }
}

#[test]
fn a_fenced_commit_is_counted_in_both_places() {
    let text = told(|| {
        commit("done", Duration::from_millis(2));
        commit("fenced", Duration::from_millis(1));
        commit("refused", Duration::from_millis(1));
    });
    assert!(text.contains("engram_commits_total{outcome=\"done\"} 1"), "{text}");
    assert!(text.contains("engram_commits_total{outcome=\"fenced\"} 1"), "{text}");
    assert!(text.contains("engram_fenced_commits_total 1"), "{text}");
    assert!(text.contains("engram_errors_total{kind=\"database_refused\"} 1"), "{text}");
    assert!(text.contains("engram_commit_seconds_count 3"), "{text}");
}

#[test]
fn turns_are_counted_by_how_they_ended() {
    let text = told(|| turn_ended(RunStatus::Failed, StopReason::LlmApiError, Duration::from_secs(1)));
    assert!(text.contains("engram_turns_total{status=\"failed\",stop_reason=\"llm_api_error\"} 1"), "{text}");
}

#[test]
fn a_name_that_nobody_knows_is_no_label() {
    let text = told(|| {
        let second = Duration::from_secs(1);
        llm_call("openai", "gpt-x", Ok(()), second, Some(second));
        llm_call("openai", "typed-by-a-cat", Err(LlmErrorKind::UnknownModel), second, None);
        llm_call("openai", "gpt-x", Err(LlmErrorKind::Cancelled), second, None);
    });
    assert!(!text.contains("typed-by-a-cat"), "{text}");
    assert!(text.contains("provider=\"openai\",model=\"other\",outcome=\"unknown_model\""), "{text}");
    assert!(text.contains("engram_llm_first_token_seconds_count{provider=\"openai\",model=\"gpt-x\"} 1"), "{text}");
    // Cancelling is no error.
    assert!(text.contains("engram_errors_total{kind=\"llm_bad_request\"} 1"), "{text}");
    assert!(!text.contains("kind=\"llm_error\""), "{text}");
}

#[test]
fn tools_of_users_share_a_label() {
    let text = told(|| {
        tool_call(&tool("secret_project", ToolKind::Custom), true, Duration::from_secs(1));
        tool_call(&tool("core_memory_append", ToolKind::MemoryCore), false, Duration::from_secs(1));
    });
    assert!(!text.contains("secret_project"), "{text}");
    assert!(text.contains("tool=\"custom\",outcome=\"ok\""), "{text}");
    assert!(text.contains("tool=\"core_memory_append\",outcome=\"error\""), "{text}");
}

#[test]
fn an_actor_that_dies_takes_its_queue_along() {
    let text = told(|| {
        let (mut one, mut two) = (QueueDepth::default(), QueueDepth::default());
        one.set(3);
        two.set(5);
        two.set(4);
        drop(one);
        std::mem::forget(two);
    });
    assert!(text.contains("engram_queued_runs 4"), "{text}");
}

#[test]
fn every_metric_is_in_the_manual() {
    let manual = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md"));
    let source = include_str!("../metrics.rs");
    let names = source.lines().filter_map(|line| line.strip_prefix("const ")?.split('"').nth(1));
    let missing: Vec<&str> = names.filter(|name| !manual.contains(&format!("`{name}"))).collect();
    assert!(missing.is_empty(), "not in docs/OPERATIONS.md: {missing:?}");
}

#[test]
fn a_duty_tells_when_it_was_done_and_how_often_it_failed() {
    let text = told(|| {
        describe();
        duty_done("schedules", Time::from_timestamp_millis(1_500).expect("a time"));
        duty_failed("heartbeat");
    });
    assert!(text.contains("engram_duty_last_success_seconds{duty=\"schedules\"} 1.5"), "{text}");
    assert!(text.contains("engram_duty_failures_total{duty=\"heartbeat\"} 1"), "{text}");
    assert!(text.contains("engram_duty_failures_total{duty=\"schedules\"} 0"), "{text}");
    assert!(text.contains("engram_errors_total{kind=\"heartbeat\"} 1"), "{text}");
}
