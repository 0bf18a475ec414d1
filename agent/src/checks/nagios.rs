//! What a check in the Nagios plugin convention says: exit code, text, performance data.
//!
//! Output is `TEXT | PERFDATA` on the first line; further lines are long text, up to another `|`, behind which the rest is
//! performance data again. Performance data is `'label'=value[unit];warn;crit;min;max`, divided by spaces.

use std::process::ExitStatus;

use lineman_common::link::CheckStatus;
use lineman_common::printable::is_invisible;

/// The first line goes into an alarm, where one line must do.
const LONGEST_TEXT_CHARS: usize = 300;

/// Figures taken from one check.
const MOST_FIGURES: usize = 64;

/// Exit codes 0 to 3; anything else, a signal too, is unknown.
pub fn status_of(exit: ExitStatus) -> CheckStatus {
    match exit.code() {
        Some(0) => CheckStatus::Ok,
        Some(1) => CheckStatus::Warning,
        Some(2) => CheckStatus::Critical,
        Some(_) | None => CheckStatus::Unknown,
    }
}

/// The first line's text, fit for one line.
pub fn first_line(output: &str) -> String {
    let line = output.trim_start().lines().next().unwrap_or_default();
    let text = line.split('|').next().unwrap_or_default().trim();
    text.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(LONGEST_TEXT_CHARS).collect()
}

/// The figures of the performance data, in base units: seconds, bytes. So a plugin that says `900ms` now and `1.2s` then
/// is one curve.
pub fn figures(output: &str) -> Vec<(String, f64)> {
    let mut perfdata = String::new();
    let mut lines = output.trim_start().lines();
    if let Some((_, first)) = lines.next().and_then(|line| line.split_once('|')) {
        perfdata.push_str(first);
    }
    let rest: Vec<&str> = lines.collect();
    if let Some((_, more)) = rest.join("\n").split_once('|') {
        perfdata.push(' ');
        perfdata.push_str(more);
    }
    let mut rest = perfdata.as_str();
    let mut figures = Vec::new();
    while let Some((figure, after)) = figure(rest) {
        rest = after;
        figures.extend(figure);
        if figures.len() == MOST_FIGURES {
            break;
        }
    }
    figures
}

/// The next figure, `None` inside for one that can't be read, and what follows it.
fn figure(text: &str) -> Option<(Option<(String, f64)>, &str)> {
    let text = text.trim_start();
    if text.is_empty() {
        return None;
    }
    let Some((label, rest)) = label(text) else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        return Some((None, &text[end..]));
    };
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let value = rest[..end].split(';').next().and_then(value);
    Some((value.filter(|_| !label.is_empty()).map(|value| (label, value)), &rest[end..]))
}

/// A label and what follows its `=`. In quotes it may hold anything, a quote doubled.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('\'') else {
        let end = text.find(|c: char| c == '=' || c.is_whitespace())?;
        return Some((text[..end].to_owned(), text[end..].strip_prefix('=')?));
    };
    let mut label = String::new();
    loop {
        let quote = rest.find('\'')?;
        label.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                label.push('\'');
                rest = after;
            }
            None => return Some((label, rest.strip_prefix('=')?)),
        }
    }
}

fn value(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+' | 'e' | 'E')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let scale = match unit {
        "ms" => 1e-3,
        "us" => 1e-6,
        "KB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        "TB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    };
    number.parse::<f64>().ok().map(|number| number * scale).filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_and_figures_over_several_lines() {
        let output =
            "DISK OK - free 3326 MB | /=2643MB;5948;5958;0;5968 time=900ms\n/ 15272 MB\n/boot 68 MB | '/home dir'=69357\n'it''s'=5%;90\n";
        assert_eq!(first_line(output), "DISK OK - free 3326 MB");
        let expected = [("/", 2643.0 * 1024.0 * 1024.0), ("time", 0.9), ("/home dir", 69357.0), ("it's", 5.0)];
        assert_eq!(figures(output), expected.map(|(label, value)| (label.to_owned(), value)));
    }

    #[test]
    fn what_can_not_be_read_is_left_out() {
        assert_eq!(figures("x | a=U b= =1 c 'open=1"), []);
        assert_eq!(figures("x | noise a=1;;;; b=-2.5e1c"), [("a".to_owned(), 1.0), ("b".to_owned(), -25.0)]);
        assert_eq!(figures("no perfdata"), []);
        assert_eq!(first_line("\n\n a\x1b[2J\u{202e}b |x=1"), "a[2Jb");
        assert_eq!(first_line(""), "");
        assert_eq!(first_line(&"界".repeat(1000)).chars().count(), LONGEST_TEXT_CHARS);
    }

    #[test]
    fn exit_codes() {
        use CheckStatus::{Critical, Ok, Unknown, Warning};
        use std::os::unix::process::ExitStatusExt;
        let codes = [0, 1, 2, 3, 127].map(|code| status_of(ExitStatus::from_raw(code << 8)));
        assert_eq!(codes, [Ok, Warning, Critical, Unknown, Unknown]);
        assert_eq!(status_of(ExitStatus::from_raw(9)), Unknown, "killed");
    }

    proptest! {
        #[test]
        fn any_output_is_survived(output in ".{0,200}", perfdata in "[a-z'= ;0-9|\n%]{0,100}") {
            let output = format!("{output}|{perfdata}");
            prop_assert!(figures(&output).len() <= MOST_FIGURES);
            prop_assert!(!first_line(&output).contains('\n'));
        }
    }
}
