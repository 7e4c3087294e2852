//! Lists of steps and their feedback.

use engram_core::ports::Commits;
use engram_domain::StepId;
use engram_store::{Page, steps::StepFilter};
use uuid::Uuid;

use crate::support::*;

#[tokio::test]
async fn they_are_filtered_and_take_feedback() {
    let Some(db) = test_db().await else { return };
    let agent = store_agent(&db, vec![]).await;
    let conversation = agent.id.default_conversation();
    let fence = claim(&db, conversation).await;
    let run = new_run(agent.id, conversation, 0);
    accept(&db, &run).await;
    let mut ids = vec![];
    for (seq, model) in [(1, "one"), (2, "two")] {
        let mut commit = appending(agent.id, conversation, seq, &["x"]);
        let mut step = step(&run, seq);
        step.model = model.into();
        step.model_handle = Some(format!("engram/{model}"));
        ids.push(step.id);
        commit.step = Some(Box::new(step));
        db.system.commit(fence, &commit).await.unwrap();
    }
    let tags = vec!["good".to_owned()];
    let liked = db.set_feedback(ids[0], Some("positive"), Some(&tags)).await.unwrap().unwrap();
    assert_eq!((liked.feedback.as_deref(), &liked.tags), (Some("positive"), &tags));
    let unchanged = db.set_feedback(ids[0], Some("negative"), None).await.unwrap().unwrap();
    assert_eq!((unchanged.feedback.as_deref(), &unchanged.tags), (Some("negative"), &tags));
    assert!(db.set_feedback(StepId(Uuid::new_v4()), None, None).await.unwrap().is_none());

    let list = |filter: StepFilter, page: Page| {
        let store = (*db).clone();
        async move { store.steps(&filter, page).await.unwrap().iter().map(|s| s.id).collect::<Vec<_>>() }
    };
    let all = StepFilter::default;
    assert_eq!(list(all(), Page::newest(9)).await, [ids[1], ids[0]]);
    assert_eq!(list(all(), Page { after: Some(ids[0].0), ..Page::oldest(9) }).await, [ids[1]]);
    let by_run = StepFilter { run_id: Some(run.id), agent_id: Some(agent.id), ..all() };
    assert_eq!(list(by_run, Page::oldest(9)).await, ids);
    for model in ["one", "engram/one"] {
        assert_eq!(list(StepFilter { model: Some(model.into()), ..all() }, Page::oldest(9)).await, [ids[0]]);
    }
    let negative = StepFilter { feedback: Some("negative".into()), has_feedback: Some(true), tags, ..all() };
    assert_eq!(list(negative, Page::oldest(9)).await, [ids[0]]);
    assert_eq!(list(StepFilter { has_feedback: Some(false), ..all() }, Page::oldest(9)).await, [ids[1]]);
    let dated = StepFilter { start: Some(at(2)), end: Some(at(3)), ..all() };
    assert_eq!(list(dated, Page::oldest(9)).await, [ids[1]]);
    assert!(db.steps(&all(), Page::newest(1)).await.unwrap()[0].response.is_none(), "lists leave answers out");
    assert_eq!(db.step(ids[0]).await.unwrap().unwrap().response.unwrap().to_string(), r#"{"b":1,"a":2}"#);
    db.drop_database().await;
}
