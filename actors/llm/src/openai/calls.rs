//! Tool calls out of pieces, from servers that disagree about what a piece is.
//!
//! As the API says it: the first piece of a call has its index, id and name, the later ones its index
//! and more of its arguments. What occurs besides: ids and names repeated in every piece; no index;
//! the index 0 for all calls, told apart by their ids; whole calls in one piece, without an id; the
//! same ids in every answer.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use engram_core::{
    chain::Chain,
    ports::{
        Delta,
        llm::{ChatMessage, ToolSchema},
    },
};
use engram_domain::{JsonMap, ToolCall};
use serde::de::IgnoredAny;

use super::{
    clean,
    halves::{self, Joiner},
    reply::{CallPiece, FunctionPiece},
    vendor::Vendor,
};

/// The calls of one answer.
pub(super) struct Calls<'a> {
    drafts: Vec<Draft>,
    tools: &'a [Arc<ToolSchema>],
    messages: &'a Chain<ChatMessage>,
}

#[derive(Default)]
struct Draft {
    index: Option<u32>,
    /// As the server gave it; empty until it does.
    wire_id: String,
    /// What it is called from its start on; empty before.
    id: String,
    name: String,
    args: String,
    halves: Joiner,
    vendor: Vendor,
}

impl Draft {
    fn is_complete(&self) -> bool {
        self.args.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&self.args).is_ok()
    }
}

impl<'a> Calls<'a> {
    pub(super) fn new(tools: &'a [Arc<ToolSchema>], messages: &'a Chain<ChatMessage>) -> Self {
        Self { drafts: Vec::new(), tools, messages }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Takes a piece and tells what is new.
    /// `marked` says that there are marks of halves in its texts.
    pub(super) fn push(&mut self, piece: CallPiece, marked: bool, tell: &mut dyn FnMut(Delta)) {
        let FunctionPiece { name, mut arguments } = piece.function;
        let (index, id, name) = (piece.index.0, piece.id.0, name.0);
        let at = self.find(index, &id, &name, &arguments.0).unwrap_or_else(|| {
            self.drafts.push(Draft { index, ..Draft::default() });
            self.drafts.len() - 1
        });
        let draft = &mut self.drafts[at];
        if marked {
            arguments.0 = draft.halves.join(arguments.0);
        }
        draft.vendor.add([
            ("extra_content", piece.extra_content),
            ("provider_specific_fields", piece.provider_specific_fields),
        ]);
        if draft.wire_id.is_empty() {
            draft.wire_id = id;
        }
        if draft.name.is_empty() && !name.is_empty() {
            draft.name = original_name(self.tools, name);
        }
        let started = !draft.id.is_empty();
        draft.args.push_str(&arguments.0);
        if started {
            if !arguments.0.is_empty() {
                tell(Delta::CallArgs { index: at, piece: arguments.0 });
            }
        } else if !draft.name.is_empty() {
            self.start(at, tell);
        }
    }

    /// The call that a piece belongs to; none when it begins one.
    fn find(&self, index: Option<u32>, id: &str, name: &str, args: &str) -> Option<usize> {
        if !id.is_empty()
            && let Some(at) = self.drafts.iter().position(|d| d.wire_id == id && (index.is_none() || d.index == index))
        {
            return Some(at);
        }
        // The youngest of this index: a server may use one index for all.
        let at = match index {
            Some(_) => self.drafts.iter().rposition(|d| d.index == index)?,
            None => self.drafts.len().checked_sub(1)?,
        };
        let draft = &self.drafts[at];
        let other_id = !id.is_empty() && !draft.wire_id.is_empty() && id != draft.wire_id;
        let whole_again = id.is_empty() && !args.is_empty() && draft.is_complete();
        let begins = !name.is_empty() && !draft.name.is_empty() && (other_id || whole_again);
        (!begins).then_some(at)
    }

    fn start(&mut self, at: usize, tell: &mut dyn FnMut(Delta)) {
        let id = self.unique_id(at);
        let draft = &mut self.drafts[at];
        draft.id = id;
        tell(Delta::CallStart { index: at, id: draft.id.clone(), name: draft.name.clone() });
        if !draft.args.is_empty() {
            tell(Delta::CallArgs { index: at, piece: draft.args.clone() });
        }
    }

    /// The server's own id, unless it has none or has used it before in what the model can see.
    fn unique_id(&self, at: usize) -> String {
        let wanted = clean::call_id(&self.drafts[at].wire_id);
        let mut taken: HashSet<&str> = self.drafts.iter().map(|d| d.id.as_str()).collect();
        taken.extend(
            self.messages
                .iter()
                .flat_map(|m| match m {
                    ChatMessage::Assistant { calls, .. } => calls.as_slice(),
                    _ => &[],
                })
                .map(|c| c.id.as_str()),
        );
        if !wanted.is_empty() && !taken.contains(&*wanted) {
            return wanted.into_owned();
        }
        let mut n = self.messages.len() + at;
        loop {
            let id = format!("call_{n}");
            if !taken.contains(id.as_str()) {
                return id;
            }
            n += 1;
        }
    }

    /// The calls and what came along with each, by its id; or the reason why they are none: a call that never got its name.
    pub(super) fn finish(self) -> Result<(Vec<ToolCall>, BTreeMap<String, JsonMap>), &'static str> {
        let (mut calls, mut along) = (Vec::new(), BTreeMap::new());
        for mut draft in self.drafts.into_iter().filter(|d| !(d.name.is_empty() && d.args.is_empty())) {
            if draft.name.is_empty() {
                return Err("a tool call without a name");
            }
            draft.args.extend(draft.halves.rest());
            let vendor = draft.vendor.into_inner();
            if !vendor.is_empty() {
                along.insert(draft.id.clone(), vendor);
            }
            // Halves may also stand inside of the arguments' own texts, where nobody could read them.
            let arguments = halves::mend(&draft.args).into_owned();
            calls.push(ToolCall { id: draft.id, name: draft.name, arguments });
        }
        Ok((calls, along))
    }
}

/// The tool that was meant by a name that had to be cleaned on the way out.
fn original_name(tools: &[Arc<ToolSchema>], name: String) -> String {
    if tools.iter().any(|t| t.name == name) {
        return name;
    }
    match tools.iter().find(|t| clean::name(&t.name) == name) {
        Some(tool) => tool.name.clone(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use engram_domain::Json;
    use serde_json::json;

    use super::*;

    /// Feeds pieces; returns `id name arguments` for every call and checks that the deltas agree.
    fn assembled(pieces: &[Json]) -> Vec<String> {
        assembled_after(pieces, &[])
    }

    fn assembled_after(pieces: &[Json], messages: &[ChatMessage]) -> Vec<String> {
        let tools = [ToolSchema { name: "a.b".into(), description: String::new(), parameters: Json::Null }.into()];
        let messages = messages.iter().cloned().collect();
        let mut calls = Calls::new(&tools, &messages);
        let mut told: Vec<(String, String, String)> = Vec::new();
        for piece in pieces {
            let piece = serde_json::from_value(piece.clone()).expect("a piece");
            calls.push(piece, false, &mut |delta| match delta {
                Delta::CallStart { index, id, name } => {
                    assert_eq!(index, told.len());
                    told.push((id, name, String::new()));
                }
                Delta::CallArgs { index, piece } => told[index].2.push_str(&piece),
                other => panic!("unexpected {other:?}"),
            });
        }
        let (calls, _) = calls.finish().expect("whole calls");
        let calls: Vec<_> = calls.into_iter().map(|c| (c.id, c.name, c.arguments)).collect();
        assert_eq!(calls, told);
        calls.into_iter().map(|(id, name, args)| format!("{id} {name} {args}")).collect()
    }

    #[test]
    fn pieces_as_the_api_says() {
        assert_eq!(
            assembled(&[
                json!({"index": 0, "id": "x", "function": {"name": "f", "arguments": ""}}),
                json!({"index": 0, "function": {"arguments": "{\"a\""}}),
                json!({"index": 1, "id": "y", "function": {"name": "g", "arguments": ""}}),
                json!({"index": 0, "function": {"arguments": ":1}"}}),
                json!({"index": 1, "function": {"arguments": "{}"}}),
            ]),
            ["x f {\"a\":1}", "y g {}"]
        );
    }

    #[test]
    fn one_index_for_all_and_repeated_ids() {
        assert_eq!(
            assembled(&[
                json!({"index": 0, "id": "x", "function": {"name": "f", "arguments": "{"}}),
                json!({"index": 0, "id": "x", "function": {"name": "f", "arguments": "}"}}),
                json!({"index": 0, "id": "y", "function": {"name": "f", "arguments": "{}"}}),
                json!({"index": 0, "id": "y", "function": {"name": "f", "arguments": ""}}),
            ]),
            ["x f {}", "y f {}"]
        );
    }

    #[test]
    fn whole_calls_without_ids_or_indexes() {
        assert_eq!(
            assembled(&[
                json!({"function": {"name": "f", "arguments": {"a": 1}}}),
                json!({"function": {"name": "f", "arguments": {"a": 2}}}),
            ]),
            ["call_0 f {\"a\":1}", "call_1 f {\"a\":2}"]
        );
    }

    #[test]
    fn names_repeated_without_ids_do_not_split_a_call() {
        assert_eq!(
            assembled(&[
                json!({"index": 0, "function": {"name": "f", "arguments": "{\"a\":"}}),
                json!({"index": 0, "function": {"name": "f", "arguments": "1}"}}),
                json!({"index": 0, "function": {"name": "f", "arguments": ""}}),
            ]),
            ["call_0 f {\"a\":1}"]
        );
    }

    #[test]
    fn arguments_before_the_name_wait_for_it() {
        assert_eq!(
            assembled(&[
                json!({"index": 0, "id": "x", "function": {"arguments": "{"}}),
                json!({"index": 0, "function": {"name": "f", "arguments": "}"}}),
            ]),
            ["x f {}"]
        );
    }

    #[test]
    fn an_id_that_the_conversation_has_already_is_replaced() {
        let before = [ChatMessage::Assistant {
            reasoning: vec![],
            text: None,
            calls: vec![ToolCall { id: "call_1".into(), name: "f".into(), arguments: "{}".into() }],
        }];
        let piece = json!({"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{}"}});
        assert_eq!(assembled_after(&[piece], &before), ["call_2 f {}"]);
    }

    #[test]
    fn cleaned_names_come_back() {
        let piece = json!({"index": 0, "id": "x", "function": {"name": "a_b", "arguments": "{}"}});
        assert_eq!(assembled(&[piece]), ["x a.b {}"]);
    }

    #[test]
    fn a_call_without_a_name_is_refused() {
        let none = Chain::default();
        let mut calls = Calls::new(&[], &none);
        let piece = serde_json::from_value(json!({"index": 0, "function": {"arguments": "{}"}})).expect("a piece");
        calls.push(piece, false, &mut |_| {});
        assert!(calls.finish().is_err());
    }
}
