//! Lists of runs.

use engram_core::ports::Runs;
use engram_domain::{RunId, RunStatus, StopReason};
use engram_store::{Page, runs::RunFilter};
use uuid::Uuid;

use crate::support::*;

#[tokio::test]
async fn they_are_filtered_paged_and_deleted() {
    let Some(db) = test_db().await else { return };
    let (a, b) = (store_agent(&db, vec![]).await, store_agent(&db, vec![]).await);
    let mut ids = vec![];
    for (agent, seconds, background) in [(&a, 1, false), (&a, 2, true), (&b, 3, false)] {
        let mut run = new_run(agent.id, agent.id.default_conversation(), seconds);
        run.background = background;
        accept(&db, &run).await;
        ids.push(run.id);
    }
    db.system.end_run(ids[0], StopReason::LlmApiError, Some("refused"), at(9)).await.unwrap();
    let list = |filter: RunFilter, page: Page| {
        let store = (*db).clone();
        async move { store.runs(&filter, page).await.unwrap().iter().map(|r| r.id).collect::<Vec<_>>() }
    };
    let all = RunFilter::default;
    assert_eq!(list(all(), Page::newest(9)).await, [ids[2], ids[1], ids[0]]);
    assert_eq!(list(all(), Page { after: Some(ids[2].0), ..Page::newest(1) }).await, [ids[1]]);
    assert_eq!(list(all(), Page { before: Some(ids[1].0), ..Page::oldest(9) }).await, [ids[0]]);
    assert_eq!(list(RunFilter { active: true, ..all() }, Page::oldest(9)).await, [ids[1], ids[2]]);
    assert_eq!(list(RunFilter { agent_ids: vec![a.id], ..all() }, Page::oldest(9)).await, [ids[0], ids[1]]);
    assert_eq!(list(RunFilter { background: Some(true), ..all() }, Page::oldest(9)).await, [ids[1]]);
    let failed = RunFilter { statuses: vec![RunStatus::Failed], ..all() };
    assert_eq!(list(failed, Page::oldest(9)).await, [ids[0]]);
    let reason = RunFilter { stop_reason: Some(StopReason::LlmApiError), ..all() };
    assert_eq!(list(reason, Page::oldest(9)).await, [ids[0]]);
    let of_b = RunFilter { owner: Some(b.id.default_conversation().into()), ..all() };
    assert_eq!(list(of_b, Page::oldest(9)).await, [ids[2]]);
    assert_eq!(db.run(ids[0]).await.unwrap().unwrap().error.as_deref(), Some("refused"));

    assert!(db.delete_run(ids[0]).await.unwrap());
    assert!(!db.delete_run(ids[0]).await.unwrap());
    assert_eq!(db.run(RunId(Uuid::new_v4())).await.unwrap(), None);
    assert!(db.delete_agent(a.id).await.unwrap());
    assert_eq!(list(all(), Page::newest(9)).await, [ids[2]], "runs go with their agent");
    db.drop_database().await;
}
