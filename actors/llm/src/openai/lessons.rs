//! From a refusal to a request that avoids what was refused.
//!
//! To teach one more refusal: a rule here that knows it by its words and changes [`Learnt`], and what follows from that in
//! `request.rs` (members), `shape.rs` (messages) or `messages.rs` (members of messages).

use engram_core::ports::{
    ChatRequest,
    llm::{ChatMessage, Purpose, ToolChoice},
};

use super::{
    model::is_openai_reasoner,
    request::model_of,
    shape::{self, hash_of_image, hash_of_text},
};
use crate::{
    http::refusal,
    learnt::{Choice, Learnt, Limit, Roles, Thoughts},
};

/// Members of a request that can be left out; the words that name each.
pub(super) const MEMBERS: [(&str, &[&str]); 9] = [
    ("parallel_tool_calls", &["parallel_tool_calls", "parallel tool calls"]),
    ("temperature", &["temperature"]),
    ("frequency_penalty", &["frequency_penalty", "frequency penalty"]),
    ("reasoning_effort", &["reasoning_effort", "reasoning effort"]),
    ("verbosity", &["verbosity"]),
    ("response_format", &["response_format", "response format"]),
    ("stream_options", &["stream_options"]),
    ("strict", &["strict"]),
    ("name", &[".name", "'name'", "\"name\""]),
];
/// What came from this provider and was kept, as one member.
pub(super) const VENDOR: &str = "vendor";
const OF_VENDOR: [&str; 4] = ["extra_content", "reasoning_details", "thinking_blocks", "provider_specific_fields"];

/// What is known after a refusal in these words (in lower case); none when they teach nothing new.
pub(super) fn learn(request: &ChatRequest, words: &str, learnt: &Learnt) -> Option<Learnt> {
    let rules = [filtered, pictures, turns, thoughts, signatures, choice, limit, members];
    rules.iter().find_map(|rule| {
        let mut more = learnt.clone();
        rule(request, words, &mut more);
        (more != *learnt).then_some(more)
    })
}

fn any(words: &str, of: &[&str]) -> bool {
    of.iter().any(|word| words.contains(word))
}

/// Whether the words say that something is not known or not supported, as opposed to a wrong value.
fn not_supported(words: &str) -> bool {
    any(
        words,
        &[
            "unsupported",
            "not support",
            "n't support",
            "unknown",
            "unrecognized",
            "unrecognised",
            "unexpected",
            "extra inputs",
            "extra_forbidden",
            "extra fields",
            "not permitted",
            "not allowed",
            "not accept",
            "additional propert",
            "deprecated",
            "no longer",
            "incompatible",
            "not available",
            "not implemented",
        ],
    )
}

/// A filter does not say what it found: the newest text most likely, else one of those before it, in the end all.
fn filtered(request: &ChatRequest, words: &str, learnt: &mut Learnt) {
    // A summary of notes would be none: without a summary the messages leave all the same.
    if !refusal::names_filter(words) || request.purpose == Purpose::Summarization {
        return;
    }
    let mut hashes: Vec<u64> = request.messages.iter().filter_map(hash_of_text).collect();
    let Some(newest) = hashes.pop() else { return };
    hashes.retain(|hash| !learnt.refused.contains(hash));
    if !learnt.refused.contains(&newest) {
        learnt.refuse(newest);
    } else if !hashes.is_empty() {
        learnt.refused.remove(&newest);
        for hash in hashes {
            learnt.refuse(hash);
        }
    }
}

/// The newest message with pictures first, as one picture may be broken; then all of them.
fn pictures(request: &ChatRequest, words: &str, learnt: &mut Learnt) {
    if !refusal::names_images(words) && !refusal::names_filter(words) {
        return;
    }
    let of = |message: &ChatMessage| -> Vec<u64> {
        let hashes = shape::images(message).map(hash_of_image);
        hashes.filter(|hash| !learnt.refused.contains(hash)).collect()
    };
    let mut shown: Vec<Vec<u64>> = request.messages.iter().map(of).filter(|hashes| !hashes.is_empty()).collect();
    let any_refused =
        request.messages.iter().flat_map(shape::images).any(|i| learnt.refused.contains(&hash_of_image(i)));
    if !any_refused && let Some(newest) = shown.pop() {
        shown = vec![newest];
    }
    for hash in shown.into_iter().flatten() {
        learnt.refuse(hash);
    }
}

fn turns(_: &ChatRequest, words: &str, learnt: &mut Learnt) {
    let no_system = any(
        words,
        &["system role", "role 'system'", "role: system", "system message is not", "system messages are not"],
    ) && not_supported(words);
    let in_turns = any(
        words,
        &[
            "alternat",
            "roles must",
            "conversation roles",
            "consecutive",
            "system message must",
            "system messages must",
            "only one system",
            "multiple system",
            "system role must",
            "must be at the beginning",
            "first message must",
            "expected last role",
            "unexpected role",
            "after the optional system message",
        ],
    );
    learnt.roles = match learnt.roles {
        _ if no_system => Roles::InTurnsWithoutSystem,
        Roles::Any if in_turns => Roles::InTurns,
        Roles::InTurns if in_turns && words.contains("system") => Roles::InTurnsWithoutSystem,
        roles => roles,
    };
}

fn thoughts(_: &ChatRequest, words: &str, learnt: &mut Learnt) {
    let name = if any(words, &["reasoning_content", "reasoning content"]) {
        "reasoning_content"
    } else if any(words, &["`reasoning`", "'reasoning'", "\"reasoning\""]) {
        "reasoning"
    } else {
        return;
    };
    let wanted = any(words, &["missing", "required", "must", "expected", "passed back", "provide", "empty"]);
    learnt.thoughts = match learnt.thoughts {
        Thoughts::Usual if wanted => Thoughts::WithCalls(name),
        Thoughts::WithCalls(_) if wanted => Thoughts::All(name),
        thoughts => thoughts,
    };
    if !wanted && not_supported(words) {
        learnt.left_out.insert(name);
    }
}

fn signatures(_: &ChatRequest, words: &str, learnt: &mut Learnt) {
    learnt.placeholder_signatures |= any(words, &["thought_signature", "thought signature", "thoughtsignature"]);
}

fn choice(request: &ChatRequest, words: &str, learnt: &mut Learnt) {
    if !any(words, &["tool_choice", "tool choice", "function calling mode", "forced tool", "force tool"]) {
        return;
    }
    learnt.choice = match (learnt.choice, &request.tool_choice) {
        (Choice::Any, ToolChoice::Named(_)) => Choice::Unnamed,
        (Choice::Any | Choice::Unnamed, ToolChoice::Named(_) | ToolChoice::Required) => Choice::Free,
        (choice, _) => choice,
    };
    if request.tool_choice == ToolChoice::Auto && not_supported(words) {
        learnt.left_out.insert("tool_choice");
    }
}

fn limit(request: &ChatRequest, words: &str, learnt: &mut Learnt) {
    let named = any(words, &["max_tokens", "max_completion_tokens", "max tokens"]);
    if !named || !not_supported(words) || request.config.max_tokens.is_none_or(|n| n <= 0) {
        return;
    }
    // OpenAI's own reasoning models know the one and not the other; nobody knows that better.
    let reasoner = is_openai_reasoner(model_of(request));
    let other = if reasoner { "max_tokens" } else { "max_completion_tokens" };
    let helps = !reasoner || words.contains(other) || words.contains("max_completion_tokens");
    learnt.limit = match learnt.limit {
        Limit::Usual if helps => Limit::Other,
        _ => Limit::Unsaid,
    };
}

fn members(request: &ChatRequest, words: &str, learnt: &mut Learnt) {
    if !not_supported(words) {
        return;
    }
    let new =
        MEMBERS.iter().find(|(name, of)| any(words, of) && !learnt.left_out.contains(name) && sends(request, name));
    if let Some((name, _)) = new {
        learnt.left_out.insert(name);
    } else if any(words, &OF_VENDOR) {
        learnt.left_out.insert(VENDOR);
    }
}

/// Whether a request can have a member at all: what is not sent cannot be what is refused.
fn sends(request: &ChatRequest, member: &str) -> bool {
    let config = &request.config;
    match member {
        "parallel_tool_calls" => config.parallel_tool_calls.is_some() && !request.tools.is_empty(),
        "temperature" => config.temperature.is_some(),
        "frequency_penalty" => config.frequency_penalty.is_some(),
        "reasoning_effort" => config.reasoning_effort.is_some() || config.effort.is_some(),
        "verbosity" => config.verbosity.is_some(),
        "response_format" => request.response_format.is_some() || config.response_format.is_some(),
        "stream_options" => request.stream,
        "strict" => config.strict,
        _ => request.messages.iter().any(|m| matches!(m, ChatMessage::User { name: Some(_), .. })),
    }
}
