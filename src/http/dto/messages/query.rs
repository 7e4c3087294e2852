//! The parameters of lists of messages.

use engram_store::messages::MessageFilter;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Options;

/// Which messages, and how to show them. [`MessageRequest`](super::MessageRequest) has the members of the second kind too:
/// flattened into both they would be strings in a query, and nameless in errors.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct MessageListQuery {
    /// Only those sent in this group.
    pub group_id: Option<String>,
    /// In this conversation instead of the agent's own history.
    pub conversation_id: Option<String>,
    /// The agent, where a conversation does not say it.
    pub agent_id: Option<String>,
    /// Whether a call of the tool that speaks is shown as the words it says.
    pub use_assistant_message: Option<bool>,
    /// The tool that speaks.
    pub assistant_message_tool_name: Option<String>,
    /// Its argument that holds the words.
    pub assistant_message_tool_kwarg: Option<String>,
    /// `false` leaves out messages that report a failure.
    pub include_err: Option<bool>,
    /// Only messages of these types.
    pub include_return_message_types: Option<Vec<String>>,
    /// Whether compactions are shown.
    pub include_compaction_messages: Option<bool>,
}

impl MessageListQuery {
    /// How to show them.
    pub fn options(&self) -> Options {
        Options::of_request(
            self.use_assistant_message,
            self.assistant_message_tool_name.as_ref(),
            self.assistant_message_tool_kwarg.as_ref(),
            self.include_return_message_types.as_ref(),
            self.include_compaction_messages,
        )
    }

    /// Which messages of a conversation.
    pub fn filter(&self) -> MessageFilter {
        MessageFilter {
            group_id: self.group_id.clone(),
            without_errors: self.include_err == Some(false),
            ..MessageFilter::default()
        }
    }
}
