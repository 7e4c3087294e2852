//! Arguments of a call: old names brought up to date, then checked against the schema.
//!
//! The checker knows the subset of JSON schema that tool schemas use: `required`, `type` (one or a
//! list), `enum`, `items`, `properties`. Everything else is accepted unseen. Members that the schema
//! does not name are left alone: a model that adds one has still said what it wants.
//!
//! It is gentle where the meaning is clear, because small models often quote their numbers:
//! `"5"` and `5.0` for an integer, `"0.5"` for a number, `"true"` for a boolean, a number or boolean
//! for a string, a JSON array in a string or a single item for an array. The value is replaced by
//! what was meant. `null` for a member that is not required counts as left out.

use std::{collections::HashSet, fmt};

use engram_domain::{Json, JsonMap, Tool};

use super::BuiltinTool;
use crate::memory::excerpt;

/// Values that an error names at most.
const NAMED: usize = 50;

/// Brings the arguments of a call into the shape that the schema of the tool promises. Whoever runs a call does this
/// once, before the tool sees them. The error is a sentence for the model that names the argument.
pub fn prepare(tool: &Tool, args: &mut JsonMap) -> Result<(), String> {
    match BuiltinTool::of(tool) {
        Some(builtin) => builtin.prepare(args),
        None => check_args(&tool.json_schema, args),
    }
}

impl BuiltinTool {
    /// As [`prepare`], where the tool is known to be this one: parameters may have the names of either server generation.
    pub fn prepare(&self, args: &mut JsonMap) -> Result<(), String> {
        for param in self.params {
            if let Some(former) = param.former
                && args.get(param.name).is_none_or(Json::is_null)
                && let Some(value) = args.shift_remove(former)
            {
                args.insert(param.name.to_owned(), value);
            }
            if param.or_empty {
                args.entry(param.name).or_insert_with(|| param.ty.empty());
            }
        }
        check_args(&self.parameters(), args)
    }
}

/// Checks arguments against a schema, which may be the parameters alone or the whole
/// `{name, description, parameters}`. Replaces values as the module says. The error is a sentence
/// for the model that names the argument.
pub(super) fn check_args(schema: &Json, args: &mut JsonMap) -> Result<(), String> {
    let parameters = schema.get("parameters").filter(|p| p.is_object()).unwrap_or(schema);
    check_object(parameters, args, Path::Arguments)
}

/// Where a value stands. Written out only for an error: names and places are as many as the caller likes.
#[derive(Clone, Copy)]
enum Path<'a> {
    /// The arguments themselves.
    Arguments,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments => Ok(()),
            Self::Member(Self::Arguments, name) => f.write_str(&excerpt(name)),
            Self::Member(parent, name) => write!(f, "{parent}.{}", excerpt(name)),
            Self::Item(parent, at) => write!(f, "{parent}[{at}]"),
        }
    }
}

fn check_object(schema: &Json, args: &mut JsonMap, path: Path<'_>) -> Result<(), String> {
    let required: Vec<&str> =
        schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect();
    let must: HashSet<&str> = required.iter().copied().collect();
    let properties = schema.get("properties").and_then(Json::as_object);
    for name in &required {
        if args.get(*name).is_none_or(Json::is_null) && !allows_null(properties.and_then(|p| p.get(*name)), args, name)
        {
            let kind = properties.and_then(|p| p.get(*name)).map(type_names).unwrap_or_default();
            return Err(format!(
                "missing argument '{}'{}",
                Path::Member(&path, name),
                if kind.is_empty() { kind } else { format!(" ({kind})") }
            ));
        }
    }
    for (name, schema) in properties.into_iter().flatten() {
        if args.get(name).is_some_and(Json::is_null) && !must.contains(name.as_str()) {
            args.shift_remove(name);
        }
        if let Some(value) = args.get_mut(name) {
            check_value(schema, value, Path::Member(&path, name))?;
        }
    }
    Ok(())
}

/// Whether `null` was given and is a value of its type.
fn allows_null(schema: Option<&Json>, args: &JsonMap, name: &str) -> bool {
    args.contains_key(name) && schema.is_some_and(|s| types(s).contains(&"null"))
}

fn check_value(schema: &Json, value: &mut Json, path: Path<'_>) -> Result<(), String> {
    let types = types(schema);
    if !types.is_empty() && !types.iter().any(|t| is_of(t, value)) {
        match types.iter().find_map(|t| coerce(t, value)) {
            Some(better) => *value = better,
            None => return Err(format!("argument '{path}' must be {}, got {}", type_names(schema), short(value))),
        }
    }
    if let Some(allowed) = schema.get("enum").and_then(Json::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().take(NAMED).map(short).collect();
        return Err(format!("argument '{path}' must be one of {}, got {}", allowed.join(", "), short(value)));
    }
    match value {
        Json::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (i, item) in items.iter_mut().enumerate() {
                    check_value(schema, item, Path::Item(&path, i))?;
                }
            }
        }
        Json::Object(members) => check_object(schema, members, path)?,
        _ => {}
    }
    Ok(())
}

fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
        _ => vec![],
    }
}

fn type_names(schema: &Json) -> String {
    let names: Vec<&str> = types(schema)
        .into_iter()
        .map(|t| match t {
            "string" => "a string",
            "integer" => "an integer",
            "number" => "a number",
            "boolean" => "true or false",
            "array" => "a list",
            "object" => "an object",
            other => other,
        })
        .collect();
    names.join(" or ")
}

fn is_of(ty: &str, value: &Json) -> bool {
    match ty {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        // A type that this checker does not know is not its to refuse.
        _ => true,
    }
}

fn coerce(ty: &str, value: &Json) -> Option<Json> {
    match (ty, value) {
        ("integer", Json::String(s)) => s.trim().parse::<i64>().ok().map(Json::from),
        // Up to 2^53 a float is an exact integer.
        ("integer", Json::Number(n)) => {
            n.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9e15).map(|f| Json::from(f as i64))
        }
        ("number", Json::String(s)) => s.trim().parse::<f64>().ok().filter(|f| f.is_finite()).map(Json::from),
        ("boolean", Json::String(s)) => s.trim().to_ascii_lowercase().parse::<bool>().ok().map(Json::from),
        ("string", Json::Number(_) | Json::Bool(_)) => Some(Json::from(value.to_string())),
        ("array", Json::String(s)) => match serde_json::from_str(s) {
            Ok(list @ Json::Array(_)) => Some(list),
            _ => Some(Json::Array(vec![value.clone()])),
        },
        ("array", Json::Number(_)) => Some(Json::Array(vec![value.clone()])),
        ("object", Json::String(s)) => serde_json::from_str(s).ok().filter(Json::is_object),
        _ => None,
    }
}

/// A value as an error shows it.
fn short(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= 80 { text } else { format!("{}…", text.chars().take(80).collect::<String>()) }
}
