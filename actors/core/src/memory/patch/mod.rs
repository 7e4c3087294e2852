//! The tool `memory_apply_patch`: a diff of one block, or sections for several blocks.

use self::budget::Budget;
use super::{draft::Draft, lines::excerpt};

mod budget;
mod diff;

const ADD: &str = "*** Add Block:";
const DELETE: &str = "*** Delete Block:";
const UPDATE: &str = "*** Update Block:";
const MOVE: &str = "*** Move to:";

/// Applies a patch. A plain diff returns the block's new text, sections a line each.
pub(super) fn run(draft: &mut Draft<'_, '_>, label: &str, patch: &str) -> Result<String, String> {
    let mut lines: Vec<&str> = patch.split('\n').map(|l| l.strip_suffix('\r').unwrap_or(l)).collect();
    if lines.last() == Some(&"") {
        lines.pop();
    }
    lines.retain(|l| !matches!(l.trim_end(), "*** Begin Patch" | "*** End Patch" | "*** End of File"));
    if lines.iter().any(|l| [ADD, DELETE, UPDATE].iter().any(|kind| l.starts_with(kind))) {
        return sections(draft, &lines);
    }
    apply(draft, label, &lines, &mut Budget::default())
}

fn apply(draft: &mut Draft<'_, '_>, label: &str, diff: &[&str], budget: &mut Budget) -> Result<String, String> {
    let value = diff::apply(draft.value(label)?, diff, budget)?;
    draft.set(label, value)
}

fn sections(draft: &mut Draft<'_, '_>, lines: &[&str]) -> Result<String, String> {
    let mut done = vec![];
    let mut budget = Budget::default();
    let mut rest = lines;
    while let Some((head, tail)) = rest.split_first() {
        let end =
            tail.iter().position(|l| [ADD, DELETE, UPDATE].iter().any(|k| l.starts_with(k))).unwrap_or(tail.len());
        let (body, next) = tail.split_at(end);
        rest = next;
        // Each section looks through the labels.
        budget.spend(draft.blocks().len())?;
        if let Some(label) = head.strip_prefix(ADD) {
            done.push(add(draft, label.trim(), body)?);
        } else if let Some(label) = head.strip_prefix(DELETE) {
            no_lines(body)?;
            draft.remove(label.trim())?;
            done.push(format!("Deleted memory block '{}'.", label.trim()));
        } else if let Some(label) = head.strip_prefix(UPDATE) {
            done.push(update(draft, label.trim(), body, &mut budget)?);
        } else if !head.trim().is_empty() {
            return Err(format!("The patch has a line before its first section: '{}'.", excerpt(head)));
        }
    }
    Ok(done.join("\n"))
}

/// A new block of the `+` lines.
fn add(draft: &mut Draft<'_, '_>, label: &str, body: &[&str]) -> Result<String, String> {
    let mut text = vec![];
    for line in body {
        match line.strip_prefix('+') {
            Some(line) => text.push(line),
            // An empty line between two sections.
            None if line.trim().is_empty() => {}
            None => {
                return Err(format!(
                    "Every line of a new block begins with '+'; this one does not: '{}'.",
                    excerpt(line)
                ));
            }
        }
    }
    draft.create(label, None, text.join("\n"))?;
    Ok(format!("Added memory block '{label}'."))
}

/// A diff of a block, a new label, or both.
fn update(draft: &mut Draft<'_, '_>, label: &str, body: &[&str], budget: &mut Budget) -> Result<String, String> {
    let (new_label, body) = match body.split_first() {
        Some((first, rest)) if first.starts_with(MOVE) => (Some(first[MOVE.len()..].trim()), rest),
        _ => (None, body),
    };
    // An empty line before the next section is not context.
    let len = body.iter().rposition(|l| !l.is_empty()).map_or(0, |last| last + 1);
    if len > 0 {
        apply(draft, label, &body[..len], budget)?;
    } else if new_label.is_none() {
        return Err(format!("The section for memory block '{}' changes nothing.", excerpt(label)));
    }
    let Some(new_label) = new_label else { return Ok(format!("Updated memory block '{label}'.")) };
    draft.rename(label, new_label)?;
    Ok(format!("Renamed memory block '{label}' to '{new_label}'."))
}

fn no_lines(body: &[&str]) -> Result<(), String> {
    match body.iter().find(|l| !l.trim().is_empty()) {
        Some(line) => Err(format!("A section that deletes a block has no lines; this one has: '{}'.", excerpt(line))),
        None => Ok(()),
    }
}
