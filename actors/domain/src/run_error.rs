//! What kind of error ended a run.

use crate::spelling::open_enum;

open_enum! {
    /// What kind of error ended a run. Kept as `runs.error_kind`, shown as `error.type`, and decides the status of the
    /// answer.
    RunErrorKind {
        /// The fault is the server's.
        Internal = "internal_error",
        /// The agent or the conversation was deleted.
        NotFound = "not_found",
        /// The node stopped before the end.
        Interrupted = "interrupted",
        /// A member's turn in a group was cancelled.
        Cancelled = "cancelled",
        /// A member's turn in a group waits for a decision on a tool call.
        RequiresApproval = "requires_approval",
        /// A message came while tool calls wait for approval.
        PendingApproval = "pending_approval",
        /// A decision came and no tool call waits for one.
        NoPendingApproval = "no_pending_approval",
        /// The provider refused the request as wrong, or it cannot be sent.
        LlmBadRequest = "llm_bad_request",
        /// The provider refused the key.
        LlmAuthentication = "llm_authentication",
        /// The account with the provider has no credit.
        LlmInsufficientCredits = "llm_insufficient_credits",
        /// The provider refused because of too many requests.
        LlmRateLimit = "llm_rate_limit",
        /// The provider did not answer in time.
        LlmTimeout = "llm_timeout",
        /// The provider failed, or its answer cannot be used.
        LlmError = "llm_error",
        /// Bedrock denied the permission to use a model.
        BedrockPermissionDenied = "bedrock_permission_denied",
        /// An MCP server cannot be reached.
        McpConnection = "mcp_connection_error",
    }
}
