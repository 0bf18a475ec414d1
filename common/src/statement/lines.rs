//! The line format of statements: `key: value`, fixed keys in a fixed order, first line `KIND: 1`.

use crate::printable::is_invisible;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LineError {
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("it is not UTF-8 text")]
    NotText,
    #[error("line {line}: expected `{expected}: ...`")]
    WrongKey { line: usize, expected: &'static str },
    #[error("it starts with version `{0}`; this program reads version 1")]
    Version(String),
    #[error("line {line}: `{key}` holds a control or invisible character")]
    Invisible { line: usize, key: &'static str },
    #[error("line {line}: `{key}` is {why}")]
    Value { line: usize, key: &'static str, why: String },
    #[error("it ends before `{missing}`")]
    Short { missing: &'static str },
    #[error("line {line}: nothing may follow")]
    Trailing { line: usize },
    #[error("its last line has no line end")]
    NoLineEnd,
    #[error("line {line}: expected it to be written as `{expected}`")]
    Form { line: usize, expected: String },
}

/// No statement is longer than a screenful; a longer text is an attack or a mistake.
pub const MAX_BYTES: usize = 8 * 1024;

/// Splits a statement into the values of `keys`, in their order. `keys[0]` names the kind, and its value is `1`.
pub fn read<const N: usize>(bytes: &[u8], keys: [&'static str; N]) -> Result<[String; N], LineError> {
    if bytes.len() > MAX_BYTES {
        return Err(LineError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| LineError::NotText)?;
    let text = text.strip_suffix('\n').ok_or(LineError::NoLineEnd)?;
    let mut lines = text.split('\n').enumerate();
    let mut values = [const { String::new() }; N];
    for (value, key) in values.iter_mut().zip(keys) {
        let (index, line) = lines.next().ok_or(LineError::Short { missing: key })?;
        let line_number = index + 1;
        let found = line
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(": "))
            .ok_or(LineError::WrongKey { line: line_number, expected: key })?;
        if found.chars().any(|c| c.is_control() || is_invisible(c)) {
            return Err(LineError::Invisible { line: line_number, key });
        }
        if index == 0 && found != "1" {
            return Err(LineError::Version(found.chars().take(16).collect()));
        }
        found.clone_into(value);
    }
    match lines.next() {
        Some((index, _)) => Err(LineError::Trailing { line: index + 1 }),
        None => Ok(values),
    }
}

/// Writes a statement. The caller has checked that free text holds no control or invisible characters; `read` would
/// refuse it on the other side, so it is checked here again before anybody signs it.
pub fn write<const N: usize>(pairs: [(&'static str, String); N]) -> Result<String, LineError> {
    let keys = pairs.each_ref().map(|(key, _)| *key);
    let text = pairs.iter().fold(String::new(), |text, (key, value)| text + key + ": " + value + "\n");
    read(text.as_bytes(), keys)?;
    Ok(text)
}

/// Checks that a statement is written in the one way that this program writes it: a number with a sign, a time in another zone, doors in
/// another order would be something else to the eye than to the machine.
pub fn check_form(text: &str, written: &str) -> Result<(), LineError> {
    match text.lines().zip(written.lines()).position(|(found, expected)| found != expected) {
        Some(index) => Err(LineError::Form { line: index + 1, expected: written.lines().nth(index).unwrap_or_default().to_owned() }),
        None => Ok(()),
    }
}

/// Parses one value, naming its line when it is wrong.
pub fn value<T: std::str::FromStr>(text: &str, keys: &[&'static str], key: &'static str) -> Result<T, LineError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| LineError::Value {
        line: keys.iter().position(|k| *k == key).unwrap_or(0) + 1,
        key,
        why: format!("not understood ({error})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: [&str; 3] = ["lineman-test", "who", "why"];

    #[test]
    fn what_is_written_reads_back() {
        let text = write([("lineman-test", "1".into()), ("who", "工程师A".into()), ("why", "fan: stopped".into())]).unwrap();
        assert_eq!(read(text.as_bytes(), KEYS).unwrap()[2], "fan: stopped");
    }

    #[test]
    fn every_departure_from_the_form_is_refused() {
        for (text, error) in [
            ("", LineError::NoLineEnd),
            ("lineman-test: 2\nwho: a\nwhy: b\n", LineError::Version("2".into())),
            ("lineman-test: 1\nwhy: b\nwho: a\n", LineError::WrongKey { line: 2, expected: "who" }),
            ("lineman-test: 1\nwho: a\nwho: a\n", LineError::WrongKey { line: 3, expected: "why" }),
            ("lineman-test: 1\nwho: a\n", LineError::Short { missing: "why" }),
            ("lineman-test: 1\nwho: a\nwhy: b\nmore: c\n", LineError::Trailing { line: 4 }),
            ("lineman-test: 1\nwho: a\nwhy: b\n\n", LineError::Trailing { line: 4 }),
            ("lineman-test: 1\nwho: a\nwhy: b", LineError::NoLineEnd),
            ("lineman-test: 1\r\nwho: a\nwhy: b\n", LineError::Invisible { line: 1, key: "lineman-test" }),
            ("lineman-test: 1\nwho: \u{202e}a\nwhy: b\n", LineError::Invisible { line: 2, key: "who" }),
        ] {
            assert_eq!(read(text.as_bytes(), KEYS), Err(error), "{text:?}");
        }
        assert_eq!(read(b"lineman-test: 1\nwho: \xff\nwhy: b\n", KEYS), Err(LineError::NotText));
        assert!(write([("lineman-test", "1".into()), ("who", "a\nwhy: forged".into()), ("why", "b".into())]).is_err());
    }

    proptest! {
        #[test]
        fn no_input_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, KEYS);
        }
    }
}
