//! Edits of one block: append, replace, insert, rewrite.

use super::{
    draft::Draft,
    lines::{excerpt, line_of, refuse_line_prefixes},
};

/// Adds a line at the end.
pub(super) fn append(draft: &mut Draft<'_, '_>, label: &str, content: &str) -> Result<String, String> {
    let value = format!("{}\n{content}", draft.value(label)?);
    draft.set(label, value)
}

/// Replaces every occurrence.
pub(super) fn replace_all(draft: &mut Draft<'_, '_>, label: &str, old: &str, new: &str) -> Result<String, String> {
    let value = draft.value(label)?;
    if old.is_empty() {
        return Err("old_content must not be empty; use core_memory_append to add text.".into());
    }
    if !value.contains(old) {
        return Err(format!("Old content '{}' not found in memory block '{label}'", excerpt(old)));
    }
    let value = value.replace(old, new);
    draft.set(label, value)
}

/// Replaces the only occurrence.
pub(super) fn replace_one(draft: &mut Draft<'_, '_>, label: &str, old: &str, new: &str) -> Result<String, String> {
    refuse_line_prefixes("old_string", old)?;
    refuse_line_prefixes("new_string", new)?;
    let value = draft.value(label)?;
    if old.is_empty() {
        return Err("No replacement was performed, old_string is empty; use memory_insert to add text.".into());
    }
    let hits: Vec<usize> = value.match_indices(old).map(|(offset, _)| offset).collect();
    match hits.as_slice() {
        [] => Err(format!(
            "No replacement was performed, old_string '{}' does not occur in memory block '{label}'. It must match \
             the block's text exactly.",
            excerpt(old)
        )),
        [_] => {
            let value = value.replacen(old, new, 1);
            draft.set(label, value)
        }
        several => {
            let lines: Vec<String> = several.iter().take(10).map(|o| line_of(value, *o).to_string()).collect();
            Err(format!(
                "No replacement was performed, old_string '{}' occurs {} times in memory block '{label}' (lines {}). \
                 Include more of the text around the one you mean.",
                excerpt(old),
                several.len(),
                lines.join(", ")
            ))
        }
    }
}

/// Inserts lines after a line; -1 or none is the end. An empty block has no line, though a prompt
/// with line numbers shows one.
pub(super) fn insert(draft: &mut Draft<'_, '_>, label: &str, new: &str, after: Option<i64>) -> Result<String, String> {
    refuse_line_prefixes("the text to insert", new)?;
    let value = draft.value(label)?;
    let mut lines: Vec<&str> = if value.is_empty() { vec![] } else { value.split('\n').collect() };
    let at = match after.unwrap_or(-1) {
        -1 => lines.len(),
        n => match usize::try_from(n) {
            Ok(n) if n <= lines.len().max(1) => n.min(lines.len()),
            _ => {
                return Err(format!(
                    "insert_line must be between 0 and {}, the number of lines of memory block '{label}', or -1 for \
                     its end; got {n}.",
                    lines.len()
                ));
            }
        },
    };
    lines.insert(at, new);
    let value = lines.join("\n");
    draft.set(label, value)
}

/// Writes a block anew.
pub(super) fn rethink(draft: &mut Draft<'_, '_>, label: &str, new: &str) -> Result<String, String> {
    refuse_line_prefixes("new_memory", new)?;
    draft.set(label, new.to_owned())
}
