//! Small helpers on texts: line numbers, excerpts for errors, and the guard against line prefixes.

/// How the note begins that prompts with numbered lines put above them. A model that copies it copies
/// the numbers too.
const NOTE: &str = "NOTE: Line numbers shown below";

/// Refuses text that carries what the prompt adds to numbered blocks: `Line 12: ` of one server
/// generation, `12→` of the other, or the note above them. Written into a block they would stay.
pub(super) fn refuse_line_prefixes(argument: &str, text: &str) -> Result<(), String> {
    if text.contains(NOTE) {
        return Err(format!(
            "{argument} contains the note about line numbers, which is not part of the memory block. Leave it out."
        ));
    }
    match text.split('\n').find_map(line_prefix) {
        Some(prefix) => Err(format!(
            "{argument} contains the line number prefix '{prefix}', which is not part of the memory block. Leave line \
             numbers out."
        )),
        None => Ok(()),
    }
}

/// The line number at the start of a line, if that is what it is.
fn line_prefix(line: &str) -> Option<&str> {
    let digits_end = |s: &str| s.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0);
    if let Some(rest) = line.strip_prefix("Line ") {
        let end = digits_end(rest)?;
        return rest[end..].starts_with(':').then(|| &line[..="Line ".len() + end]);
    }
    let end = digits_end(line)?;
    line[end..].starts_with('→').then(|| &line[..end + '→'.len_utf8()])
}

/// Number of the line, from 1, that a byte offset lies in.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.match_indices('\n').take_while(|(at, _)| *at < offset).count() + 1
}

/// A text as an error quotes it: at most 120 characters.
pub(crate) fn excerpt(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(120).collect();
    if chars.next().is_some() { head + "…" } else { head }
}
