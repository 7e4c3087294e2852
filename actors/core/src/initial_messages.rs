//! The initial messages of a conversation.

use engram_domain::{
    AgentType, Content, ConversationId, Message, MessageId, Role, Time, ToolCall, ToolReturn, ToolStatus,
    message::Reasoning, run::InputMessage,
};

use crate::{
    builtin::SEND_MESSAGE,
    package,
    ports::{
        Ids,
        store::{AgentSnapshot, PromptMeta},
    },
    prompt, tokens,
};

/// The initial messages of a new conversation with `seq` from 0: the compiled system prompt, then
/// `initial`, or where that is absent the boot sequence of the agent's type.
pub fn compose(
    snapshot: &AgentSnapshot,
    conversation: ConversationId,
    initial: Option<&[InputMessage]>,
    now: Time,
    ids: &dyn Ids,
) -> (Vec<Message>, PromptMeta) {
    let meta = PromptMeta {
        compiled_at: now,
        recall_count: 0,
        archival_count: snapshot.archival_count,
        archival_tags: snapshot.archival_tags.clone(),
    };
    let system = prompt::compile(snapshot, conversation, &meta);
    let mut drafts = vec![(Role::System, Content::text(system), None)];
    match initial {
        Some(messages) => drafts.extend(messages.iter().map(|m| (m.role, content(m), m.name.clone()))),
        None => drafts.extend(boot_sequence(snapshot, now, ids)),
    }
    let counted = tokens::messages(drafts.iter().map(|(_, content, _)| content));
    let messages = drafts
        .into_iter()
        .zip(counted)
        .enumerate()
        .map(|(i, ((role, content, name), tokens))| Message {
            id: MessageId(ids.uuid()),
            conversation_id: conversation,
            agent_id: snapshot.agent.id,
            seq: i64::try_from(i).unwrap_or(i64::MAX),
            role,
            tokens,
            content,
            name,
            otid: None,
            sender_id: None,
            group_id: None,
            step_id: None,
            run_id: None,
            model: None,
            is_err: false,
            created_at: now,
        })
        .collect();
    (messages, meta)
}

/// What a message that came from outside holds.
pub(crate) fn content(message: &InputMessage) -> Content {
    match message.role {
        Role::Assistant => Content::Assistant {
            reasoning: vec![],
            text: Some(engram_domain::message::parts_text(&message.content)),
            calls: vec![],
        },
        _ => Content::Parts { parts: message.content.clone() },
    }
}

/// What an agent that speaks through `send_message` has in its context from the start: an example of how to speak, and
/// the event that somebody has logged in.
fn boot_sequence(snapshot: &AgentSnapshot, now: Time, ids: &dyn Ids) -> Vec<(Role, Content, Option<String>)> {
    let agent = &snapshot.agent;
    if !matches!(agent.agent_type, AgentType::MemgptAgent | AgentType::MemgptV2Agent | AgentType::VoiceConvoAgent)
        || !snapshot.tools.contains_key(SEND_MESSAGE)
    {
        return Vec::new();
    }
    let call_id = format!("call_{}", &ids.uuid().simple().to_string()[..24]);
    vec![
        (
            Role::Assistant,
            Content::Assistant {
                reasoning: vec![Reasoning::Text {
                    text: "I am awake. Before anyone speaks I try whether my words arrive.".into(),
                    native: false,
                    signature: None,
                }],
                text: None,
                calls: vec![ToolCall {
                    id: call_id.clone(),
                    name: SEND_MESSAGE.into(),
                    arguments: r#"{"message": "I am here and listening."}"#.into(),
                }],
            },
            None,
        ),
        (
            Role::Tool,
            Content::ToolReturn(ToolReturn {
                tool_call_id: call_id,
                name: SEND_MESSAGE.into(),
                status: ToolStatus::Success,
                text: "Sent message successfully.".into(),
                stdout: vec![],
                stderr: vec![],
            }),
            Some(SEND_MESSAGE.into()),
        ),
        (Role::User, Content::text(package::login(now, &agent.timezone)), None),
    ]
}
