//! Which metrics a rule is about, and the words that it reports.

use std::fmt;

/// A metric's name in which `{}` stands for one dotted segment: `fs.{}.used_percent`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    before: String,
    /// What follows the `{}`, if there is one.
    after: Option<String>,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, String> {
        let (before, after) = match text.split_once("{}") {
            Some((before, after)) => (before, Some(after.to_owned())),
            None => (text, None),
        };
        let has_stray = |part: &str| part.contains(['{', '}']);
        if has_stray(before) || after.as_deref().is_some_and(has_stray) {
            return Err("metric may hold one `{}`, which stands for one dotted segment, like `fs.{}.used_percent`".into());
        }
        if text.is_empty() || text.split('.').any(str::is_empty) || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("metric must be a dotted name, like `cpu.busy_percent` or `sensor.{}.speed_rpm`".into());
        }
        Ok(Self { before: before.to_owned(), after })
    }

    /// The qualifier, if the name matches: what `{}` stands for, or nothing where there is no `{}`.
    pub fn qualifier<'a>(&self, name: &'a str) -> Option<&'a str> {
        let rest = name.strip_prefix(self.before.as_str())?;
        match &self.after {
            None => rest.is_empty().then_some(""),
            Some(after) => rest.strip_suffix(after.as_str()).filter(|matched| !matched.is_empty() && !matched.contains('.')),
        }
    }

    /// What every name that matches begins with.
    pub fn beginning(&self) -> &str {
        &self.before
    }

    /// The name that the pattern stands for with this qualifier.
    pub fn name(&self, qualifier: &str) -> String {
        self.after.as_ref().map_or_else(|| self.before.clone(), |after| format!("{}{qualifier}{after}", self.before))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name("{}"))
    }
}

/// An alarm's text with places for `{qualifier}`, `{value}` and `{threshold}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Qualifier,
    Value,
    Threshold,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err("text must be one line that tells people what is wrong".into());
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').ok_or("text has a `{` without its `}`")?;
            let place = &rest[open..=open + close];
            pieces.push(Piece::Text(rest[..open].to_owned()));
            pieces.push(match place {
                "{qualifier}" => Piece::Qualifier,
                "{value}" => Piece::Value,
                "{threshold}" => Piece::Threshold,
                other => return Err(format!("text has no place `{other}`: there are {{qualifier}}, {{value}} and {{threshold}}")),
            });
            rest = &rest[open + close + 1..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    pub fn render(&self, qualifier: &str, value: &str, threshold: &str) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Qualifier => qualifier.to_owned(),
            Piece::Value => value.to_owned(),
            Piece::Threshold => threshold.to_owned(),
        };
        self.0.iter().map(piece).collect()
    }
}

/// A number for people: two decimals at most, and none that are zero.
pub fn show(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    // Adding zero turns -0 into 0.
    format!("{}", rounded + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_one_segment() {
        let pattern = Pattern::parse("fs.{}.used_percent").unwrap();
        assert_eq!(pattern.qualifier("fs./var/lib-1.used_percent"), Some("/var/lib-1"));
        for name in ["fs.used_percent", "fs..used_percent", "fs.a.b.used_percent", "fs.a.inodes_used_percent", "xfs.a.used_percent"] {
            assert_eq!(pattern.qualifier(name), None, "{name}");
        }
        assert_eq!(pattern.name("/"), "fs./.used_percent");
        assert_eq!(Pattern::parse("sensor.fan-{}.speed_rpm").unwrap().qualifier("sensor.fan-2.speed_rpm"), Some("2"));
        let plain = Pattern::parse("cpu.busy_percent").unwrap();
        assert_eq!((plain.qualifier("cpu.busy_percent"), plain.qualifier("cpu.busy_percent2")), (Some(""), None));
    }

    #[test]
    fn bad_patterns_say_what_would_be_right() {
        for text in ["", "a..b", ".a", "a.", "a b", "{}.{}", "a.{x}.b", "a.}{.b"] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(error.contains("like `"), "{text}: {error}");
        }
    }

    #[test]
    fn a_text_is_filled_in_once() {
        let template = Template::parse("{qualifier} 转速 {value} rpm (< {threshold})").unwrap();
        assert_eq!(template.render("fan-2{value}", "0", "1000"), "fan-2{value} 转速 0 rpm (< 1000)");
        assert!(Template::parse("{speed}").unwrap_err().contains("{qualifier}"));
        assert!(Template::parse("{value").is_err() && Template::parse(" ").is_err() && Template::parse("a\nb").is_err());
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!([show(0.0), show(-0.001), show(91.237), show(1e9), show(1000.0)], ["0", "0", "91.24", "1000000000", "1000"]);
    }
}
