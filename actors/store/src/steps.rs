//! Reading steps, and what people think of them.

use engram_domain::{AgentId, RunId, Step, StepId, Time};
use sqlx::QueryBuilder;

use crate::{
    Page, Result, ScopedStore,
    error::db,
    keyset::{Key, push_equals, push_tags},
    rows::{StepRow, step_columns},
};

const KEY: Key = Key { from: "steps s", column: "s.created_at", id: "s.id" };

/// Which steps are wanted. The default: all.
#[derive(Debug, Clone, Default)]
pub struct StepFilter {
    /// Of this agent.
    pub agent_id: Option<AgentId>,
    /// Of this run, or of a run that is a turn of it.
    pub run_id: Option<RunId>,
    /// With this model name or handle.
    pub model: Option<String>,
    /// With this feedback.
    pub feedback: Option<String>,
    /// With any feedback, or without.
    pub has_feedback: Option<bool>,
    /// With any of these tags.
    pub tags: Vec<String>,
    /// Begun at this time or later.
    pub start: Option<Time>,
    /// Begun before this time.
    pub end: Option<Time>,
}

impl ScopedStore {
    /// A step with the provider's answer.
    pub async fn step(&self, id: StepId) -> Result<Option<Step>> {
        sqlx::query_as::<_, StepRow>(concat!(
            "SELECT ",
            step_columns!(),
            ", s.response FROM steps s WHERE s.id = $1 AND s.organization_id = coalesce($2, s.organization_id)"
        ))
        .bind(id.0)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Step::try_from)
        .transpose()
    }

    /// A page of steps, without the providers' answers.
    pub async fn steps(&self, filter: &StepFilter, page: Page) -> Result<Vec<Step>> {
        let mut q =
            QueryBuilder::new(concat!("SELECT ", step_columns!(), ", NULL::json AS response FROM steps s WHERE true"));
        self.push_scope(&mut q, "s.organization_id");
        if let Some(agent) = filter.agent_id {
            q.push(" AND s.agent_id = ").push_bind(agent.0);
        }
        if let Some(run) = filter.run_id {
            q.push(" AND s.run_id = ANY(ARRAY(SELECT c.id FROM runs c WHERE c.parent_run_id = ").push_bind(run.0);
            q.push(" UNION ALL SELECT ").push_bind(run.0).push("))");
        }
        if let Some(model) = &filter.model {
            q.push(" AND ").push_bind(model.clone()).push(" IN (s.model, s.model_handle)");
        }
        push_equals(&mut q, "s.feedback", filter.feedback.as_deref());
        match filter.has_feedback {
            Some(true) => drop(q.push(" AND s.feedback IS NOT NULL")),
            Some(false) => drop(q.push(" AND s.feedback IS NULL")),
            None => {}
        }
        push_tags(&mut q, "s.tags", &filter.tags, false);
        if let Some(start) = filter.start {
            q.push(" AND s.created_at >= ").push_bind(start);
        }
        if let Some(end) = filter.end {
            q.push(" AND s.created_at < ").push_bind(end);
        }
        self.push_page(&mut q, KEY, page).await?;
        q.build_query_as::<StepRow>()
            .fetch_all(&self.store.queries)
            .await
            .map_err(db)?
            .into_iter()
            .map(Step::try_from)
            .collect()
    }

    /// Sets or clears what a person thinks of a step. Tags are replaced when there are any. None
    /// when there is no such step.
    pub async fn set_feedback(
        &self,
        id: StepId,
        feedback: Option<&str>,
        tags: Option<&[String]>,
    ) -> Result<Option<Step>> {
        sqlx::query_as::<_, StepRow>(concat!(
            "UPDATE steps s SET feedback = $2, tags = coalesce($3, tags)
             WHERE s.id = $1 AND s.organization_id = coalesce($4, s.organization_id) RETURNING ",
            step_columns!(),
            ", s.response"
        ))
        .bind(id.0)
        .bind(feedback)
        .bind(tags)
        .bind(self.org())
        .fetch_optional(&self.store.queries)
        .await
        .map_err(db)?
        .map(Step::try_from)
        .transpose()
    }
}
