//! What a server sends along with its answer and wants back as it came: signatures of thoughts, details of reasoning.
//!
//! Nobody here knows what it means. It is kept with the message and goes back to the same provider, member by member; other
//! providers do not see it.

use std::collections::BTreeMap;

use engram_domain::{Json, JsonMap, message::Reasoning};

/// Bytes of such data that are kept of one answer. Signatures have a few kilobytes.
const MOST: usize = 256 << 10;

/// What came with a message or a call.
#[derive(Debug, Default)]
pub(super) struct Vendor(JsonMap);

impl Vendor {
    /// Takes what came with a piece of the answer: lists go on, and the items of one index are one item.
    pub(super) fn add(&mut self, members: impl IntoIterator<Item = (&'static str, Json)>) {
        for (name, value) in members {
            match (self.0.get_mut(name), value) {
                (_, Json::Null) => {}
                (Some(Json::Array(list)), Json::Array(more)) => more.into_iter().for_each(|item| add_item(list, item)),
                (Some(Json::Object(map)), Json::Object(more)) => map.extend(more),
                (_, value) => {
                    self.0.insert(name.to_owned(), value);
                }
            }
        }
    }

    pub(super) fn into_inner(self) -> JsonMap {
        self.0
    }
}

fn add_item(list: &mut Vec<Json>, item: Json) {
    let same = |old: &&mut Json| {
        item.get("index").is_some_and(|index| old.get("index") == Some(index)) && old.get("type") == item.get("type")
    };
    let Some(old) = list.iter_mut().find(same).and_then(Json::as_object_mut) else { return list.push(item) };
    let Json::Object(item) = item else { return };
    for (name, value) in item {
        match (old.get_mut(&name), value) {
            (_, Json::Null) => {}
            (Some(Json::String(text)), Json::String(more)) if ["text", "summary", "data"].contains(&name.as_str()) => {
                text.push_str(&more);
            }
            (_, value) => {
                old.insert(name, value);
            }
        }
    }
}

/// The data of an answer, to be kept with its message; none when there is none, or more than is reasonable.
pub(super) fn kept(endpoint: &str, message: JsonMap, calls: BTreeMap<String, JsonMap>) -> Option<Reasoning> {
    if message.is_empty() && calls.is_empty() {
        return None;
    }
    let kept = Reasoning::Vendor { endpoint: endpoint.to_owned(), message, calls };
    let size = serde_json::to_vec(&kept).map_or(usize::MAX, |bytes| bytes.len());
    if size > MOST {
        tracing::warn!(provider = endpoint, size, "what came along with an answer is too large to be kept");
        return None;
    }
    Some(kept)
}

/// The data of a message that came from this provider.
pub(super) fn of<'a>(
    endpoint: &str,
    reasoning: &'a [Reasoning],
) -> Option<(&'a JsonMap, &'a BTreeMap<String, JsonMap>)> {
    reasoning.iter().find_map(|r| match r {
        Reasoning::Vendor { endpoint: from, message, calls } if from == endpoint => Some((message, calls)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pieces_become_what_would_have_come_at_once() {
        let mut vendor = Vendor::default();
        for piece in [
            json!([{"type": "reasoning.text", "index": 0, "text": "a"}]),
            json!([{"type": "reasoning.text", "index": 0, "text": "b", "signature": null}]),
            Json::Null,
            json!([{"type": "reasoning.text", "index": 0, "signature": "s"}, {"type": "reasoning.encrypted", "index": 0, "data": "x"}]),
        ] {
            vendor.add([("reasoning_details", piece)]);
        }
        vendor.add([("extra_content", json!({"a": 1}))]);
        vendor.add([("extra_content", json!({"b": 2}))]);
        assert_eq!(
            Json::Object(vendor.into_inner()),
            json!({
                "reasoning_details": [
                    {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"},
                    {"type": "reasoning.encrypted", "index": 0, "data": "x"},
                ],
                "extra_content": {"a": 1, "b": 2},
            })
        );
    }

    #[test]
    fn only_so_much_is_kept() {
        let message = |size| JsonMap::from_iter([("x".to_owned(), Json::String("a".repeat(size)))]);
        assert!(kept("p", message(1_000), BTreeMap::new()).is_some());
        assert!(kept("p", message(MOST), BTreeMap::new()).is_none());
        assert!(kept("p", JsonMap::new(), BTreeMap::new()).is_none());
    }
}
