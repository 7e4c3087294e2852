//! Arguments of memory tools, which were checked against the schema before.

use engram_domain::{Json, JsonMap};

/// A string argument; empty when left out.
pub(super) fn text_arg<'a>(args: &'a JsonMap, name: &str) -> &'a str {
    args.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// An integer argument.
pub(super) fn int_arg(args: &JsonMap, name: &str) -> Option<i64> {
    args.get(name).and_then(Json::as_i64)
}
