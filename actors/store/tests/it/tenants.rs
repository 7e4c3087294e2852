//! Two organizations in one database.

use engram_core::ports::{AcceptRuns, Accepted, NewRun, ToolStore};
use engram_domain::{Agent, OrgId, Organization, Scope};
use engram_store::{Page, ScopedStore, StoreError, tools::ToolFilter};
use uuid::Uuid;

use crate::support::*;

async fn second(db: &Db) -> ScopedStore {
    let id = OrgId(Uuid::new_v4());
    let new = Organization { id, name: "second".into(), privileged_tools: false, created_at: at(0), updated_at: at(0) };
    db.system.scoped(Scope::System).create_organization(&new, at(0), &RandomIds).await.unwrap();
    db.system.scoped(Scope::Organization(id))
}

async fn tagged(store: &ScopedStore) -> Agent {
    let agent = Agent { tags: vec!["t".into()], ..agent() };
    store.create_agent(&new_agent(agent.clone(), vec![])).await.unwrap();
    agent
}

#[tokio::test]
async fn agents_of_two_organizations_do_not_reach_each_other() {
    let Some(db) = test_db().await else { return };
    let other = second(&db).await;
    let (mine, mate, stranger) = (tagged(&db).await, tagged(&db).await, tagged(&other).await);
    let reaches = async |to: &Agent| db.system.has_agent(mine.id, to.id).await.unwrap();
    assert!(reaches(&mate).await && !reaches(&stranger).await);
    let mut found = db.system.agents_by_tags(mine.id, &["t".into()], &[], 9).await.unwrap();
    found.sort_unstable();
    let mut own = [mine.id, mate.id];
    own.sort_unstable();
    assert_eq!(found, own);

    let run = |scope| NewRun { scope, ..new_run(stranger.id, stranger.id.default_conversation(), 1) };
    assert_eq!(db.system.accept_run(&run(db.scope()), node()).await.unwrap(), Accepted::NotFound);
    for scope in [other.scope(), Scope::System] {
        assert!(matches!(db.system.accept_run(&run(scope), node()).await.unwrap(), Accepted::Stored { .. }));
    }
    assert!(!db.delete_agent(stranger.id).await.unwrap() && other.delete_agent(stranger.id).await.unwrap());
    db.drop_database().await;
}

#[tokio::test]
async fn every_organization_has_its_own_built_in_tools() {
    let Some(db) = test_db().await else { return };
    let other = second(&db).await;
    db.system.ensure_builtin_tools(at(1), &RandomIds).await.unwrap();
    let tools = async |store: &ScopedStore| store.tools(&ToolFilter::default(), Page::oldest(1_000)).await.unwrap();
    let (here, there) = (tools(&db).await, tools(&other).await);
    let names = |tools: &[engram_domain::Tool]| {
        let mut names: Vec<_> = tools.iter().map(|t| t.name.clone()).collect();
        names.sort_unstable();
        names
    };
    assert!(!here.is_empty());
    assert_eq!(names(&here), names(&there));
    assert!(here.iter().all(|tool| there.iter().all(|t| t.id != tool.id)));
    db.system.ensure_builtin_tools(at(2), &RandomIds).await.unwrap();
    assert_eq!(tools(&db).await, here, "ids stay");
    assert!(!db.delete_tool(there[0].id).await.unwrap());
    db.drop_database().await;
}

#[tokio::test]
async fn the_system_owns_nothing_and_an_organization_makes_no_other() {
    let Some(db) = test_db().await else { return };
    let system = db.system.scoped(Scope::System);
    let refused = system.create_block(&block("human", "x")).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    let other = second(&db).await;
    let Scope::Organization(id) = other.scope() else { panic!("an organization") };
    let refused = db.delete_organization(id).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    let agent = tagged(&other).await;
    assert_eq!(system.delete_organization(id).await.unwrap().map(|o| o.id), Some(id));
    assert!(!system.agent_exists(agent.id).await.unwrap(), "what it had goes with it");
    db.drop_database().await;
}
