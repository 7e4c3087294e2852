//! A simplified unified diff on the lines of one text.
//!
//! Line numbers in `@@` headers are hints: models count badly, so a hunk goes where its old lines
//! stand, and the numbers only decide between several such places.

use crate::memory::lines::excerpt;

/// One place to change: the lines that stand there and the lines that shall.
#[derive(Default)]
struct Hunk<'a> {
    /// First line, from 1, as the header says.
    hint: Option<usize>,
    old: Vec<&'a str>,
    new: Vec<&'a str>,
}

/// The text with all hunks applied, each in what the ones before it left.
pub(super) fn apply(value: &str, diff: &[&str]) -> Result<String, String> {
    let hunks = parse(diff)?;
    if hunks.is_empty() {
        return Err("The patch is empty: it needs lines that begin with '+' or '-'.".into());
    }
    let mut lines: Vec<&str> = if value.is_empty() { vec![] } else { value.split('\n').collect() };
    for (i, hunk) in hunks.iter().enumerate() {
        let at = place(&lines, hunk).map_err(|e| format!("Hunk {} of the patch {e}", i + 1))?;
        lines.splice(at..at + hunk.old.len(), hunk.new.iter().copied());
    }
    Ok(lines.join("\n"))
}

fn parse<'a>(diff: &[&'a str]) -> Result<Vec<Hunk<'a>>, String> {
    let mut hunks: Vec<Hunk<'a>> = vec![];
    let mut open = Hunk::default();
    // File names, as diff tools write them; later such lines are removed or added text.
    let skip = if matches!(diff, [a, b, ..] if a.starts_with("--- ") && b.starts_with("+++ ")) { 2 } else { 0 };
    for line in &diff[skip..] {
        if line.starts_with("@@") {
            hunks.push(std::mem::replace(&mut open, Hunk { hint: hint(line), ..Hunk::default() }));
        } else if let Some(text) = line.strip_prefix('-') {
            open.old.push(text);
        } else if let Some(text) = line.strip_prefix('+') {
            open.new.push(text);
        } else if let Some(text) = line.strip_prefix(' ').or(line.is_empty().then_some("")) {
            open.old.push(text);
            open.new.push(text);
        } else if !line.starts_with('\\') {
            return Err(format!(
                "Every line of the patch begins with ' ', '-', '+' or '@@'; this one does not: '{}'.",
                excerpt(line)
            ));
        }
    }
    hunks.push(open);
    hunks.retain(|h| h.old != h.new);
    Ok(hunks)
}

/// `12` of `@@ -12,3 +12,4 @@`.
fn hint(header: &str) -> Option<usize> {
    let digits = header.split_once('-')?.1;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Index of the line that the hunk begins at.
fn place(lines: &[&str], hunk: &Hunk<'_>) -> Result<usize, String> {
    if hunk.old.is_empty() {
        // Only new lines: after the line that the header names, else at the end.
        return Ok(hunk.hint.map_or(lines.len(), |n| n.min(lines.len())));
    }
    let places: Vec<usize> =
        lines.windows(hunk.old.len()).enumerate().filter(|(_, w)| *w == hunk.old.as_slice()).map(|(i, _)| i).collect();
    match places.as_slice() {
        [] => Err(format!(
            "does not fit: these lines do not stand in the block one after the other: '{}'.",
            excerpt(&hunk.old.join("\n"))
        )),
        [only] => Ok(*only),
        several => several
            .iter()
            .copied()
            .find(|i| hunk.hint == Some(i + 1))
            .ok_or_else(|| format!("fits in {} places; give it more context lines.", several.len())),
    }
}
