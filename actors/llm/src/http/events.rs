//! Server-sent events, as far as providers send them: the data of each event.
//!
//! Written for bytes that nobody vouches for: any bytes in any pieces give the same events, or an error.

use std::collections::VecDeque;

use super::body::MARK;

/// The bytes are not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotText;

/// A reader of one stream. What it holds is never more than what was pushed; the caller limits that.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    line: Vec<u8>,
    /// The first line is behind us: only before it may a byte order mark stand.
    begun: bool,
    /// The last line ended with a carriage return; a line feed that follows belongs to it.
    after_return: bool,
    /// The data of the event that is being read, once it has any.
    data: Option<String>,
    events: VecDeque<String>,
}

impl EventReader {
    /// Takes more bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<(), NotText> {
        while let Some(first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
                self.line.extend_from_slice(bytes);
                break;
            };
            self.line.extend_from_slice(&bytes[..end]);
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            let marked = !std::mem::replace(&mut self.begun, true);
            self.take_line(line.strip_prefix(MARK).filter(|_| marked).unwrap_or(&line))?;
        }
        Ok(())
    }

    /// The data of the next event that has come to its end.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.events.pop_front()
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), NotText> {
        if line.is_empty() {
            self.events.extend(self.data.take());
            return Ok(());
        }
        let line = str::from_utf8(line).map_err(|_| NotText)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The events of bytes that come in pieces of these lengths, and then one by one.
    fn read(bytes: &[u8], lengths: &[usize]) -> Result<Vec<String>, NotText> {
        let mut reader = EventReader::default();
        let mut rest = bytes;
        for length in lengths.iter().copied().chain(std::iter::repeat(1)) {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at(length.clamp(1, rest.len()));
            reader.push(piece)?;
            rest = more;
        }
        Ok(std::iter::from_fn(|| reader.next()).collect())
    }

    #[test]
    fn events_as_the_standard_says() {
        let cases: [(&str, &[&str]); 8] = [
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("\u{feff}data: a\n\n", &["a"]),
            ("data: a\r\n\r\ndata:b\r\rdata:  c\n\n", &["a", "b", " c"]),
            (": hello\nevent: x\nid: 1\nretry: 5\ndata: a\ndata: b\n\n", &["a\nb"]),
            ("data\n\n", &[""]),
            ("\n\n\nnonsense\n\u{feff}data: a\n\n", &[]),
            ("data: unfinished\n", &[]),
            ("data: é\u{feff}\n\n", &["é\u{feff}"]),
        ];
        for (text, events) in cases {
            let events: Vec<String> = events.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(read(text.as_bytes(), &[usize::MAX]), Ok(events.clone()), "{text:?}");
            assert_eq!(read(text.as_bytes(), &[]), Ok(events), "{text:?} in single bytes");
        }
        assert_eq!(read(b"data: \xff\n\n", &[]), Err(NotText));
    }

    /// Bytes of which events are made, and others.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"data: ".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\xEF\xBB\xBF".to_vec()),
            Just(b"\xEF\xBB".to_vec()),
            Just(b":".to_vec()),
            Just("é\u{2028}".as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..8),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(bytes in bytes(), lengths in proptest::collection::vec(1usize..9, 0..40)) {
            let whole = read(&bytes, &[usize::MAX]);
            prop_assert_eq!(read(&bytes, &lengths), whole.clone());
            prop_assert_eq!(read(&bytes, &[]), whole);
        }
    }
}
