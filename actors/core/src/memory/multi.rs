//! The tool `memory`: one command a call, on blocks named by paths.

use engram_domain::{Json, JsonMap};

use super::{
    args::int_arg,
    draft::Draft,
    lines::{excerpt, refuse_line_prefixes},
    text,
};

pub(super) fn run(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Result<String, String> {
    let command = need(args, "command", "memory")?;
    match command {
        "create" => {
            let label = path(args, "path", command)?;
            let description = need(args, "description", command)?;
            let value = opt(args, "file_text").unwrap_or_default();
            refuse_line_prefixes("file_text", value)?;
            draft.create(label, Some(description), value.to_owned())?;
            Ok(format!("Created memory block '{label}'."))
        }
        "str_replace" => {
            let label = path(args, "path", command)?;
            let old = need(args, "old_string", command)?;
            text::replace_one(draft, label, old, opt(args, "new_string").unwrap_or_default())
        }
        "insert" => {
            let label = path(args, "path", command)?;
            // Some models use the name that the tool memory_insert has for it.
            let new = opt(args, "insert_text").or_else(|| opt(args, "new_string"));
            let new = new.ok_or("the command 'insert' needs the argument 'insert_text'")?;
            text::insert(draft, label, new, int_arg(args, "insert_line"))
        }
        "delete" => {
            let label = path(args, "path", command)?;
            draft.remove(label)?;
            Ok(format!("Deleted memory block '{label}'."))
        }
        "rename" => rename(draft, args),
        "view" => view(draft, args),
        other => Err(format!(
            "'{}' is not a command of this tool: create, str_replace, insert, delete, rename and view are.",
            excerpt(other)
        )),
    }
}

/// Another label, another description, or both.
fn rename(draft: &mut Draft<'_, '_>, args: &JsonMap) -> Result<String, String> {
    let from = if args.contains_key("old_path") { "old_path" } else { "path" };
    let label = path(args, from, "rename")?;
    let description = opt(args, "description");
    let new_label = args.contains_key("new_path").then(|| path(args, "new_path", "rename")).transpose()?;
    if description.is_none() && new_label.is_none() {
        return Err("the command 'rename' needs the argument 'new_path' or 'description'".into());
    }
    if let Some(description) = description {
        draft.describe(label, description)?;
    }
    match new_label {
        Some(new_label) => {
            draft.rename(label, new_label)?;
            Ok(format!("Renamed memory block '{label}' to '{new_label}'."))
        }
        None => Ok(format!("Changed the description of memory block '{label}'.")),
    }
}

/// The text of a block, or the list of them. Not a command of the old server; models that know
/// memory tools of other makers use it.
fn view(draft: &Draft<'_, '_>, args: &JsonMap) -> Result<String, String> {
    match opt(args, "path").map(label_of).filter(|label| !label.is_empty()) {
        Some(label) => draft.value(label).map(str::to_owned),
        None => Ok(draft.blocks().iter().map(|b| format!("/memories/{}", b.label)).collect::<Vec<_>>().join("\n")),
    }
}

fn opt<'a>(args: &'a JsonMap, name: &str) -> Option<&'a str> {
    args.get(name).and_then(Json::as_str)
}

fn need<'a>(args: &'a JsonMap, name: &str, command: &str) -> Result<&'a str, String> {
    opt(args, name).ok_or_else(|| format!("the command '{}' needs the argument '{name}'", excerpt(command)))
}

/// The label that a path argument names.
fn path<'a>(args: &'a JsonMap, name: &str, command: &str) -> Result<&'a str, String> {
    match label_of(need(args, name, command)?) {
        "" => Err(format!("the argument '{name}' must name a block, as /memories/<label>")),
        label => Ok(label),
    }
}

/// `/memories/x`, `memories/x`, `/x` and `x` all name the block `x`; the directory itself names none.
fn label_of(path: &str) -> &str {
    let path = path.trim().trim_start_matches('/');
    match path.strip_prefix("memories") {
        Some("") => "",
        Some(rest) => rest.strip_prefix('/').unwrap_or(path),
        None => path,
    }
}
