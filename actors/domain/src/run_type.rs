//! What began a run.

use crate::spelling::open_enum;

open_enum! {
    /// What began a run. Kept as `runs.run_type` and shown as `run_type` and `job_type` in a run's metadata.
    RunType {
        /// A message whose answer is awaited whole.
        SendMessage = "send_message",
        /// A message whose answer is streamed.
        SendMessageStreaming = "send_message_streaming",
        /// A message whose sender asks for the run later.
        SendMessageAsync = "send_message_async",
        /// A request in the form of OpenAI's chat completions.
        ChatCompletion = "chat_completion",
        /// A run that is only computed, to show the request to the model. It is never stored.
        Preview = "preview",
        /// A message of another agent that waits for the answer.
        AgentMessage = "send_message_to_agent",
        /// A message of another agent that does not wait.
        AgentMessageAsync = "send_message_to_agent_async",
        /// A turn of one member in a group run.
        GroupTurn = "group",
        /// A schedule that was due.
        ScheduledMessage = "scheduled_message",
        /// Work in the background: of a sleep-time or voice companion, or of an agent that reads a data source.
        SleepTime = "sleeptime",
    }
}

impl RunType {
    /// Whether somebody receives the run's answer, who could be told to decide on a pending approval first.
    pub fn has_receiver(&self) -> bool {
        !matches!(self, Self::AgentMessageAsync | Self::ScheduledMessage | Self::SleepTime)
    }
}
