//! Bytes of a body that may be cut anywhere, as text.

/// Turns bytes into text, piece by piece: a character that is cut waits for its rest, bytes that are no UTF-8 become
/// U+FFFD, and a byte order mark at the beginning is left out.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    begun: bool,
    /// The beginning of a character, at most three bytes.
    cut: Vec<u8>,
}

impl Decoder {
    pub(crate) fn text(&mut self, bytes: &[u8]) -> String {
        let joined;
        let bytes = if self.cut.is_empty() {
            bytes
        } else {
            joined = [&std::mem::take(&mut self.cut), bytes].concat();
            &joined
        };
        let mut out = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            out.push_str(chunk.valid());
            let invalid = chunk.invalid();
            let may_go_on =
                chunks.peek().is_none() && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if may_go_on {
                self.cut = invalid.to_vec();
            } else if !invalid.is_empty() {
                out.push(char::REPLACEMENT_CHARACTER);
            }
        }
        if !self.begun && !out.is_empty() {
            self.begun = true;
            if out.starts_with('\u{feff}') {
                out.remove(0);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_however_its_bytes_are_cut() {
        let text = "\u{feff}Grüße 🦀\u{feff}";
        for size in 1..8 {
            let mut decoder = Decoder::default();
            let read: String = text.as_bytes().chunks(size).map(|piece| decoder.text(piece)).collect();
            assert_eq!(read, "Grüße 🦀\u{feff}", "{size}");
        }
        assert_eq!(Decoder::default().text(b"a\xED\xA0\xBDb\xFF"), "a\u{fffd}\u{fffd}\u{fffd}b\u{fffd}");
    }
}
