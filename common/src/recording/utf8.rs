//! Bytes that arrive in pieces, as text.

/// Joins characters that were cut between two pieces; what is no UTF-8 becomes U+FFFD.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joiner {
    /// The beginning of a character, 3 bytes at most.
    pending: Vec<u8>,
}

impl Joiner {
    #[cfg(feature = "replay")]
    pub fn resume(pending: &[u8]) -> Self {
        Self { pending: pending.iter().take(3).copied().collect() }
    }

    #[cfg(feature = "replay")]
    pub fn pending(&self) -> &[u8] {
        &self.pending
    }

    /// The text so far; an unfinished character at the end waits for the next piece.
    pub fn text(&mut self, bytes: &[u8]) -> String {
        let joined;
        let mut rest = if self.pending.is_empty() {
            bytes
        } else {
            joined = [self.pending.as_slice(), bytes].concat();
            self.pending.clear();
            &joined[..]
        };
        let mut text = String::with_capacity(rest.len());
        loop {
            match std::str::from_utf8(rest) {
                Ok(good) => {
                    text.push_str(good);
                    return text;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(good));
                    let Some(length) = error.error_len() else {
                        self.pending = bad.to_vec();
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &bad[length..];
                }
            }
        }
    }

    /// What is left when nothing more comes.
    pub fn rest(&mut self) -> Option<char> {
        if self.pending.is_empty() {
            return None;
        }
        self.pending.clear();
        Some(char::REPLACEMENT_CHARACTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Wherever it is cut, the text is the same as in one piece.
        #[test]
        fn cuts_change_nothing(text in ".{0,40}", junk in proptest::collection::vec(any::<u8>(), 0..20), cut in 0usize..200) {
            let bytes = [text.as_bytes(), &junk].concat();
            let cut = cut.min(bytes.len());
            let mut joiner = Joiner::default();
            let mut joined = joiner.text(&bytes[..cut]);
            joined.push_str(&joiner.text(&bytes[cut..]));
            joined.extend(joiner.rest());
            prop_assert_eq!(joined, String::from_utf8_lossy(&bytes));
        }
    }
}
