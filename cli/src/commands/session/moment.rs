//! Places in a recording: `+03:12` as it is shown, `3m12s` as it is typed.

use crate::output::duration_s;

/// Since the session's start.
pub fn shown(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a recording's seconds, clamped")]
    let whole = seconds.clamp(0.0, 1e9) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 { format!("+{hours}:{minutes:02}:{seconds:02}") } else { format!("+{minutes:02}:{seconds:02}") }
}

/// As `--at` takes it: `3m12s`.
pub fn typed(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a recording's seconds, clamped")]
    let whole = seconds.clamp(0.0, 1e9) as u64;
    match (whole / 60, whole % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, 0) => format!("{minutes}m"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

/// Reads either form.
pub fn parse(text: &str) -> Result<f64, String> {
    let wrong = || {
        format!("`{}` is not a place in a recording: expected 3m12s, or +03:12 as grep shows it", lineman_common::printable::escape(text))
    };
    let plain = text.trim().trim_start_matches('+');
    if plain == "0s" || plain == "0" {
        return Ok(0.0);
    }
    if !plain.contains(':') {
        return duration_s(plain).map(f64::from).map_err(|_| wrong());
    }
    let parts: Vec<u32> = plain.split(':').map(|part| part.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    let sixty = parts.iter().skip(1).all(|part| *part < 60);
    if !(2..=3).contains(&parts.len()) || !sixty {
        return Err(wrong());
    }
    Ok(parts.iter().fold(0.0, |total, part| total * 60.0 + f64::from(*part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_and_what_is_typed_read_back() {
        for seconds in [0.0, 5.0, 60.0, 192.0, 3599.0, 3600.0, 7325.0] {
            assert_eq!((parse(&shown(seconds)), parse(&typed(seconds))), (Ok(seconds), Ok(seconds)), "{seconds}");
        }
        assert_eq!((shown(192.7), typed(192.7)), ("+03:12".into(), "3m12s".into()));
        for wrong in ["", "x", "12", "1:2:3:4", "1:60", "-5s", "1:", ":"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
