//! Which messages of an agent stay in its context when its caller names them.

use std::sync::Arc;

use engram_core::{compact, ports::store::ContextMark};
use engram_domain::{AgentId, Conversation, Message, MessageId, Role};
use engram_store::agents::{Context, ContextCut};
use serde_json::json;

use crate::app::{App, Error, Result};

/// How the context of an agent is brought to these messages; none when it has them already.
pub(super) async fn cut(app: &App, id: AgentId, wanted: &[MessageId]) -> Result<Option<ContextCut>> {
    let found = app.store.context(id).await?;
    let Context { version, conversation, messages } = found.ok_or_else(|| Error::not_found("Agent", id))?;
    Ok(mark(&conversation, messages, wanted)?.map(|mark| ContextCut { version, mark }))
}

/// A context is the system message, the summary if there is one, and what follows some point, so nothing else can be
/// asked for.
fn mark(conversation: &Conversation, present: Vec<Arc<Message>>, wanted: &[MessageId]) -> Result<Option<ContextMark>> {
    let refused = |expected: &str| Error::invalid(&["message_ids"], expected, json!(wanted));
    let summary = conversation.summary_message_id;
    // Summaries of earlier compactions lie among the messages that stayed then.
    let is_other = |m: &Arc<Message>| m.id != conversation.system_message_id && m.role != Role::Summary;
    let others: Vec<Arc<Message>> = present.into_iter().filter(is_other).collect();

    let not_these = || refused("expected the system message, then the latest of the present messages in their order");
    let Some((_, tail)) = wanted.split_first().filter(|(first, _)| **first == conversation.system_message_id) else {
        return Err(not_these());
    };
    let summary_stays = summary.filter(|summary| tail.first() == Some(summary));
    let tail = if summary_stays.is_some() { &tail[1..] } else { tail };
    let leaving = others.len().checked_sub(tail.len());
    let leaving = leaving.filter(|n| others[*n..].iter().map(|m| m.id).eq(tail.iter().copied()));
    let leaving = leaving.ok_or_else(not_these)?;
    if leaving == 0 && summary_stays == summary {
        return Ok(None);
    }
    let context_from = match others.get(leaving) {
        Some(first) if compact::may_begin(first) => first.seq,
        Some(_) => return Err(refused("expected a tool call together with its result")),
        None if compact::may_all_leave(&others) => conversation.next_seq,
        None => return Err(Error::Conflict("a tool call has no result yet, so it must stay in context".into())),
    };
    Ok(Some(ContextMark { summary_message_id: summary_stays, context_from }))
}

#[cfg(test)]
mod tests {
    use engram_domain::{Content, ConversationId, Time};
    use engram_testkit::{call, calls};
    use uuid::Uuid;

    use super::*;
    use crate::app::error::testing::refused;

    fn id(n: u64) -> MessageId {
        MessageId(Uuid::from_u64_pair(1, n))
    }

    fn message(seq: u64, role: Role, content: Content) -> Arc<Message> {
        Arc::new(Message { id: id(seq), seq: seq.cast_signed(), ..engram_testkit::message(role, content) })
    }

    fn said(seq: u64) -> Arc<Message> {
        message(seq, Role::User, Content::text("words"))
    }

    fn called(seq: u64) -> Arc<Message> {
        message(seq, Role::Assistant, calls([call("c", "t", "{}")]))
    }

    fn returned(seq: u64) -> Arc<Message> {
        message(seq, Role::Tool, Content::ToolReturn(engram_testkit::returned("c", "t", "done")))
    }

    fn summary(seq: u64) -> Arc<Message> {
        message(seq, Role::Summary, Content::Summary { text: "before".into(), stats: json!({}) })
    }

    /// What becomes of a context when the messages with these places shall stay. The first is the system message; of
    /// summaries the first is the one in context.
    fn kept(present: &[Arc<Message>], wanted: &[u64]) -> Result<Option<ContextMark>> {
        let conversation = Conversation {
            id: ConversationId(Uuid::nil()),
            agent_id: AgentId(Uuid::nil()),
            summary: None,
            isolated_block_ids: vec![],
            model: None,
            model_settings: None,
            system_message_id: id(0),
            summary_message_id: present.iter().find(|m| m.role == Role::Summary).map(|m| m.id),
            context_from: 1,
            next_seq: 100,
            last_message_at: None,
            created_at: Time::UNIX_EPOCH,
            updated_at: Time::UNIX_EPOCH,
        };
        mark(&conversation, present.to_vec(), &wanted.iter().map(|n| id(*n)).collect::<Vec<_>>())
    }

    fn from(context_from: i64, summary: Option<u64>) -> ContextMark {
        ContextMark { summary_message_id: summary.map(id), context_from }
    }

    #[test]
    fn only_the_latest_messages_can_stay() {
        let present = [said(0), said(1), said(2), said(3)];
        let kept = |wanted: &[u64]| kept(&present, wanted);
        assert_eq!(kept(&[0, 1, 2, 3]).expect("all"), None);
        assert_eq!(kept(&[0, 2, 3]).expect("the latest"), Some(from(2, None)));
        assert_eq!(kept(&[0]).expect("none"), Some(from(100, None)));
        for wanted in [&[0, 1, 2][..], &[2, 3], &[0, 1, 3], &[0, 3, 2], &[1], &[]] {
            assert_eq!(refused(kept(wanted)).0, "message_ids", "{wanted:?}");
        }
    }

    #[test]
    fn the_summary_stays_where_it_is_named() {
        // As they are loaded: the summary comes second, an earlier one lies where it was made.
        let present = [said(0), summary(7), said(3), summary(4), said(6)];
        let kept = |wanted: &[u64]| kept(&present, wanted);
        assert_eq!(kept(&[0, 7, 3, 6]).expect("all"), None);
        assert_eq!(kept(&[0, 7, 6]).expect("the summary and the latest"), Some(from(6, Some(7))));
        assert_eq!(kept(&[0, 3, 6]).expect("all but the summary"), Some(from(3, None)));
        assert_eq!(kept(&[0, 7]).expect("the summary"), Some(from(100, Some(7))));
        assert!(kept(&[0, 4, 6]).is_err(), "an earlier summary is not in context");
    }

    #[test]
    fn a_call_and_its_result_stay_together() {
        let present = [said(0), said(1), called(2), returned(3), said(4)];
        assert_eq!(kept(&present, &[0, 2, 3, 4]).expect("both"), Some(from(2, None)));
        assert_eq!(refused(kept(&present, &[0, 3, 4])).0, "message_ids");
        assert_eq!(kept(&present[..4], &[0]).expect("neither"), Some(from(100, None)));
        let open = kept(&present[..3], &[0]);
        assert!(matches!(open, Err(Error::Conflict(_))), "{open:?}");
        assert_eq!(kept(&present[..3], &[0, 2]).expect("the open call stays"), Some(from(2, None)));
    }
}
