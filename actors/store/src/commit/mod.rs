//! The fenced commit: one transaction of one actor.
//!
//! Almost every commit of a turn appends messages, ends a step and moves a run: that is one
//! statement ([`turn`]) in autocommit, one round trip. The rare ones that change blocks, store
//! passages, rewrite or delete messages run the same statement first inside a transaction, so the
//! fence is checked, and the conversation's row locked, before anything else happens.
//!
//! Locks are taken in one order: the conversation, blocks by id, agents by id.

mod blocks;
mod messages;
mod passages;
mod tool_writes;
mod turn;

use async_trait::async_trait;
use engram_core::ports::{Commit, CommitOutcome, Commits, Fence, NewRun, Write};
use engram_domain::NodeId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, Store, StoreError, accept, again::again, error::db};

pub(crate) use messages::Columns as MessageColumns;

#[async_trait]
impl Commits for Store {
    async fn commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome> {
        check(commit)?;
        self.writes.note(again(|| self.try_commit(fence, commit)).await)
    }
}

impl Store {
    async fn try_commit(&self, fence: Fence, commit: &Commit) -> Result<CommitOutcome> {
        if is_plain(commit) {
            let rev = turn::statement(fence, commit)?.fetch_optional(&self.pool).await.map_err(db)?;
            return Ok(rev.map_or(CommitOutcome::Fenced, |agent_rev| CommitOutcome::Done { agent_rev }));
        }

        let mut tx = self.pool.begin().await.map_err(db)?;
        if let Some(from) = commit.delete_from {
            if !turn::lock(&mut tx, fence, commit.expect_seq).await? {
                return Ok(CommitOutcome::Fenced);
            }
            // Before the statement, because what it appends takes their places.
            messages::delete_from(&mut tx, fence.conversation_id, from).await?;
        }
        let Some(mut agent_rev) = turn::statement(fence, commit)?.fetch_optional(&mut *tx).await.map_err(db)? else {
            return Ok(CommitOutcome::Fenced);
        };
        if let Some(group) = &commit.delete_group {
            messages::delete_group(&mut tx, fence.conversation_id, group).await?;
        }
        for message in &commit.rewrite {
            messages::rewrite(&mut tx, fence.conversation_id, message).await?;
        }
        for write in &commit.writes {
            match write {
                Write::InsertPassage(passage, agent) => passages::insert(&mut tx, passage, *agent, commit.now).await?,
                Write::Send(run) => send(&mut tx, run).await?,
            }
        }
        if !blocks::apply(&mut tx, fence.conversation_id, &commit.blocks, commit.now).await? {
            return Ok(CommitOutcome::BlockConflict);
        }
        if !commit.blocks.is_empty() || !commit.writes.is_empty() {
            agent_rev = turn::agent_rev(&mut tx, fence.conversation_id).await?;
        }
        tx.commit().await.map_err(db)?;
        Ok(CommitOutcome::Done { agent_rev })
    }
}

/// Whether one statement is enough.
fn is_plain(commit: &Commit) -> bool {
    commit.rewrite.is_empty()
        && commit.delete_from.is_none()
        && commit.delete_group.is_none()
        && commit.blocks.is_empty()
        && commit.writes.is_empty()
}

/// The messages must carry the places they are to get: a gap would stay for ever. Events must have a run.
fn check(commit: &Commit) -> Result<()> {
    if commit.run.is_none() && !commit.events.is_empty() {
        return Err(StoreError::Invalid("events of a commit are those of the run that it moves".into()));
    }
    let first = turn::first_seq(commit);
    let consecutive = commit.append.iter().zip(first..).all(|(message, seq)| message.seq == seq);
    if consecutive && (0..=commit.expect_seq).contains(&first) {
        Ok(())
    } else {
        Err(StoreError::Invalid(format!("appended messages must have consecutive seq from {first}")))
    }
}

/// A message to another agent: a run in its queue, with its name. None is stored when the agent is gone.
async fn send(tx: &mut PgConnection, run: &NewRun) -> Result<()> {
    // Nobody has asked for the owner: he is told after the commit.
    accept::insert(run, NodeId(Uuid::nil()), false, tx).await.map_err(db)?;
    Ok(())
}
