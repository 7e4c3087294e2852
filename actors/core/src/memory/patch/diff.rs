//! A simplified unified diff on the lines of one text.
//!
//! Line numbers in `@@` headers are hints: models count badly, so a hunk goes where its old lines
//! stand, and the numbers only decide between several such places.

use super::budget::Budget;
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
pub(super) fn apply(value: &str, diff: &[&str], budget: &mut Budget) -> Result<String, String> {
    let hunks = parse(diff)?;
    if hunks.is_empty() {
        return Err("The patch is empty: it needs lines that begin with '+' or '-'.".into());
    }
    budget.spend(value.len())?;
    let mut lines: Vec<&str> = if value.is_empty() { vec![] } else { value.split('\n').collect() };
    for (i, hunk) in hunks.iter().enumerate() {
        budget.spend(lines.len() + hunk.old.len() + hunk.new.len())?;
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
    let mut places = Places { count: 0, first: 0, hinted: None };
    find(lines, &hunk.old, |at| {
        if places.count == 0 {
            places.first = at;
        }
        places.count += 1;
        if hunk.hint == Some(at + 1) {
            places.hinted = Some(at);
        }
    });
    match (places.count, places.hinted) {
        (0, _) => Err(format!(
            "does not fit: these lines do not stand in the block one after the other: '{}'.",
            excerpt(&hunk.old.join("\n"))
        )),
        (1, _) => Ok(places.first),
        (_, Some(at)) => Ok(at),
        (several, None) => Err(format!("fits in {several} places; give it more context lines.")),
    }
}

/// Where lines stand in others.
struct Places {
    count: usize,
    first: usize,
    /// The place that the header names.
    hinted: Option<usize>,
}

/// Says every place where `wanted` stands in `lines`, overlapping ones too (Knuth, Morris and Pratt: no line is looked at
/// more than twice, whatever they are). Returns how many comparisons it took.
fn find(lines: &[&str], wanted: &[&str], mut found: impl FnMut(usize)) -> usize {
    let mut compared = 0;
    let mut same = |a: &str, b: &str| {
        compared += 1;
        a == b
    };
    // Of the first `i + 1` wanted lines: how many of the last ones are also the first ones.
    let mut borders = vec![0; wanted.len()];
    let mut matched = 0;
    for i in 1..wanted.len() {
        while matched > 0 && !same(wanted[i], wanted[matched]) {
            matched = borders[matched - 1];
        }
        // After a mismatch at the very beginning the comparison is made again; it is one a line.
        if same(wanted[i], wanted[matched]) {
            matched += 1;
        }
        borders[i] = matched;
    }
    matched = 0;
    for (at, line) in lines.iter().enumerate() {
        while matched > 0 && !same(line, wanted[matched]) {
            matched = borders[matched - 1];
        }
        if same(line, wanted[matched]) {
            matched += 1;
        }
        if matched == wanted.len() {
            found(at + 1 - matched);
            matched = borders[matched - 1];
        }
    }
    compared
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn places(lines: &[&str], wanted: &[&str]) -> (Vec<usize>, usize) {
        let mut places = vec![];
        let compared = find(lines, wanted, |at| places.push(at));
        (places, compared)
    }

    #[test]
    fn equal_lines_cost_no_more_than_others() {
        let (lines, wanted) = (vec!["a"; 50_000], vec!["a"; 25_000]);
        let (found, compared) = places(&lines, &wanted);
        assert_eq!(found.len(), 25_001);
        assert!(compared <= 4 * (lines.len() + wanted.len()), "{compared} comparisons");
        let other = [&wanted[1..], &["b"]].concat();
        let (found, compared) = places(&lines, &other);
        assert_eq!(found.len(), 0);
        assert!(compared <= 4 * (lines.len() + wanted.len()), "{compared} comparisons");
    }

    #[test]
    fn a_patch_whose_work_multiplies_is_refused() {
        let block = "a\n".repeat(50_000);
        let hunks = (1..=10_000).flat_map(|n| [format!("@@ -{n},1 @@"), "-a".into(), "+b".into()]);
        let hunks: Vec<String> = hunks.collect();
        let hunks: Vec<&str> = hunks.iter().map(String::as_str).collect();
        let mut budget = Budget::default();
        let error = apply(&block, &hunks, &mut budget).expect_err("it is too much");
        assert!(error.contains("several calls"), "{error}");
        assert!(budget.spent() <= 16 * 1024 * 1024);
        // What a model writes is far from it.
        let mut budget = Budget::default();
        apply("a\nb\nc", &["-b", "+d"], &mut budget).expect("it fits");
        assert!(budget.spent() < 100);
    }

    proptest! {
        #[test]
        fn every_place_is_found(lines in "[ab]{0,40}", wanted in "[ab]{1,5}") {
            let lines: Vec<&str> = lines.split("").filter(|l| !l.is_empty()).collect();
            let wanted: Vec<&str> = wanted.split("").filter(|l| !l.is_empty()).collect();
            let windows = lines.windows(wanted.len()).enumerate().filter(|(_, w)| *w == wanted.as_slice());
            let expected: Vec<usize> = windows.map(|(i, _)| i).collect();
            prop_assert_eq!(places(&lines, &wanted).0, expected);
        }
    }
}
