//! The parent of all agent actors. Children that end are not restarted: the database knows what they
//! were doing, and the reconciler wakes them again.

use std::sync::Weak;

use ractor::{Actor, ActorProcessingErr, ActorRef, SpawnErr, SupervisionEvent};

use crate::{Inner, agent, orphans};

/// What the supervisor is told.
pub(crate) enum Msg {
    /// Whose agents it watches over.
    Watch(Weak<Inner>),
}

struct Supervisor;

impl Actor for Supervisor {
    type Msg = Msg;
    type State = Weak<Inner>;
    type Arguments = ();

    async fn pre_start(&self, _myself: ActorRef<Msg>, (): ()) -> Result<Weak<Inner>, ActorProcessingErr> {
        Ok(Weak::new())
    }

    async fn handle(
        &self,
        _myself: ActorRef<Msg>,
        message: Msg,
        state: &mut Weak<Inner>,
    ) -> Result<(), ActorProcessingErr> {
        let Msg::Watch(inner) = message;
        *state = inner;
        Ok(())
    }

    /// The default would stop this supervisor, and with it every agent, when one child ends.
    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Msg>,
        event: SupervisionEvent,
        state: &mut Weak<Inner>,
    ) -> Result<(), ActorProcessingErr> {
        // One that ended in order has taken itself out of the registry.
        let SupervisionEvent::ActorFailed(child, error) = event else { return Ok(()) };
        let Some(inner) = state.upgrade() else { return Ok(()) };
        if let Some(conversation) = inner.registry.remove_actor(child.get_id()) {
            tracing::error!(%error, %conversation, "an agent's actor failed; its run goes on from its last commit");
            if let Some((_, run)) = inner.driving.remove(&conversation) {
                orphans::count_death(&inner, run);
                inner.hub.leave(run);
            }
            inner.orphans.insert(conversation);
            inner.reconcile_soon.notify_one();
        }
        Ok(())
    }
}

/// Starts the supervisor.
pub(crate) async fn spawn() -> Result<ActorRef<Msg>, SpawnErr> {
    Actor::spawn(None, Supervisor, ()).await.map(|(actor, _)| actor)
}

/// Starts an agent's actor under the supervisor.
pub(crate) async fn spawn_agent(
    supervisor: &ActorRef<Msg>,
    arguments: agent::Arguments,
) -> Result<ActorRef<agent::Msg>, SpawnErr> {
    Actor::spawn_linked(None, agent::AgentActor, arguments, supervisor.get_cell()).await.map(|(actor, _)| actor)
}
