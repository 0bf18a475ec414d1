//! The `[[sensor]]`, `[[rule]]` and `[[exec]]` entries of `agent.toml`: as they are written, and as they are once checked.
//!
//! Everything is checked when the file is read. An error names the entry and says what would be right; nothing is
//! silently corrected.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lineman_common::alarm::{EventType, ProbableCause, Severity};
use lineman_common::printable::escape;
use serde::Deserialize;

use super::pattern::{Pattern, Template, show};

const LONGEST_NAME: usize = 64;
const LONGEST_TIMEOUT_S: u64 = 300;

/// A number in a file, as in `/sys/class/hwmon`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorConfig {
    pub metric: String,
    pub file: PathBuf,
    #[serde(default = "one")]
    pub scale: f64,
}

/// From a metric to an X.733 alarm.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    pub alarm_type: String,
    pub metric: String,
    pub raise_below: Option<f64>,
    pub raise_above: Option<f64>,
    pub clear_above: Option<f64>,
    pub clear_below: Option<f64>,
    #[serde(default)]
    pub for_s: u64,
    /// Clear the alarm when its metric has been gone for so long. Without it, a metric that disappears leaves its
    /// alarm raised; see the module docs of [`super::rules`].
    pub clear_when_gone_s: Option<u64>,
    pub severity: Severity,
    pub event_type: EventType,
    pub probable_cause: ProbableCause,
    pub text: Option<String>,
    #[serde(default)]
    pub unit: String,
}

/// A check in the Nagios plugin convention.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecConfig {
    pub name: String,
    pub command: Vec<String>,
    #[serde(default = "sixty")]
    pub every_s: u64,
    #[serde(default = "ten")]
    pub timeout_s: u64,
    pub event_type: EventType,
    pub probable_cause: ProbableCause,
}

const fn one() -> f64 {
    1.0
}
const fn ten() -> u64 {
    10
}
const fn sixty() -> u64 {
    60
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("[[{table}]] number {number} (`{name}`): {problem}")]
pub struct ConfigError {
    table: &'static str,
    /// Counted from 1, as people count.
    number: usize,
    name: String,
    problem: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// With the `sensor.` in front.
    pub metric: String,
    pub file: PathBuf,
    pub scale: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Below,
    Above,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub alarm_type: String,
    pub metric: Pattern,
    pub side: Side,
    pub raise_at: f64,
    pub clear_at: f64,
    pub hold: Duration,
    pub clear_when_gone: Option<Duration>,
    pub severity: Severity,
    pub event_type: EventType,
    pub probable_cause: ProbableCause,
    pub text: Template,
    pub unit: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    pub name: String,
    pub command: Vec<String>,
    pub every: Duration,
    pub timeout: Duration,
    pub event_type: EventType,
    pub probable_cause: ProbableCause,
}

/// What the checks run by.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub sensors: Vec<Sensor>,
    pub rules: Vec<Rule>,
    pub execs: Vec<Exec>,
}

impl Settings {
    /// Checks the entries of the file. `default_rules` as in the file: unset, the built-in rules hold when there are no
    /// `[[rule]]`s; `true` adds them to those, but for the alarm types that the file has rules for; `false` leaves them out.
    pub fn new(
        default_rules: Option<bool>,
        sensors: &[SensorConfig],
        rules: &[RuleConfig],
        execs: &[ExecConfig],
    ) -> Result<Self, ConfigError> {
        let mut settings = Self::default();
        let mut metrics = BTreeSet::new();
        for (number, config) in (1..).zip(sensors) {
            let sensor = sensor(config).and_then(|sensor| unique(&mut metrics, sensor.metric.clone(), "metric").map(|()| sensor));
            settings.sensors.push(sensor.map_err(|problem| ConfigError::new("sensor", number, &config.metric, problem))?);
        }
        for (number, config) in (1..).zip(rules) {
            settings.rules.push(rule(config).map_err(|problem| ConfigError::new("rule", number, &config.alarm_type, problem))?);
        }
        let mut names = BTreeSet::new();
        for (number, config) in (1..).zip(execs) {
            let exec = exec(config).and_then(|exec| unique(&mut names, exec.name.clone(), "name").map(|()| exec));
            settings.execs.push(exec.map_err(|problem| ConfigError::new("exec", number, &config.name, problem))?);
        }
        if default_rules.unwrap_or(rules.is_empty()) {
            let own: BTreeSet<&str> = rules.iter().map(|rule| rule.alarm_type.as_str()).collect();
            settings.rules.extend(super::defaults::rules().into_iter().filter(|rule| !own.contains(rule.alarm_type.as_str())));
        }
        Ok(settings)
    }
}

impl ConfigError {
    fn new(table: &'static str, number: usize, name: &str, problem: String) -> Self {
        Self { table, number, name: escape(&name.chars().take(LONGEST_NAME).collect::<String>()), problem }
    }
}

fn unique(seen: &mut BTreeSet<String>, name: String, what: &str) -> Result<(), String> {
    if seen.insert(name) { Ok(()) } else { Err(format!("another entry before it has the same {what}: each needs its own")) }
}

fn sensor(config: &SensorConfig) -> Result<Sensor, String> {
    if Pattern::parse(&config.metric).is_err() || config.metric.contains(['{', '}']) {
        return Err("metric must be a dotted name with the unit last, like `fan-2.speed_rpm`".into());
    }
    absolute(&config.file, "file")?;
    if !config.scale.is_finite() || config.scale == 0.0 {
        return Err(format!("scale is {}: it must be a number other than 0", config.scale));
    }
    Ok(Sensor { metric: format!("sensor.{}", config.metric), file: config.file.clone(), scale: config.scale })
}

fn absolute(path: &Path, what: &str) -> Result<(), String> {
    let shown = escape(&path.to_string_lossy());
    if path.is_absolute() { Ok(()) } else { Err(format!("{what} is `{shown}`: it must be an absolute path")) }
}

pub(super) fn rule(config: &RuleConfig) -> Result<Rule, String> {
    name(&config.alarm_type, "alarm_type", "fan.speed")?;
    if config.alarm_type.starts_with("exec.") {
        return Err("alarm_type must not start with `exec.`: those are the alarms of [[exec]] checks".into());
    }
    let (side, raise_at, clear_at) = thresholds(config)?;
    let metric = Pattern::parse(&config.metric)?;
    let text = config.text.as_deref().map_or_else(|| default_text(config), Template::parse)?;
    if config.unit.chars().count() > 16 || config.unit.chars().any(char::is_control) {
        return Err("unit must be a short word, like `rpm`".into());
    }
    Ok(Rule {
        alarm_type: config.alarm_type.clone(),
        metric,
        side,
        raise_at,
        clear_at,
        hold: Duration::from_secs(config.for_s),
        clear_when_gone: config.clear_when_gone_s.map(Duration::from_secs),
        severity: config.severity,
        event_type: config.event_type,
        probable_cause: config.probable_cause,
        text,
        unit: config.unit.clone(),
    })
}

fn default_text(config: &RuleConfig) -> Result<Template, String> {
    let qualifier = if config.metric.contains("{}") { " {qualifier}" } else { "" };
    let unit = if config.unit.is_empty() { String::new() } else { format!(" {}", config.unit) };
    Template::parse(&format!("{}{qualifier}: {{value}}{unit}, the threshold is {{threshold}}{unit}", config.alarm_type))
}

fn thresholds(config: &RuleConfig) -> Result<(Side, f64, f64), String> {
    let given = [config.raise_below, config.raise_above, config.clear_above, config.clear_below];
    if given.iter().flatten().any(|threshold| !threshold.is_finite()) {
        return Err("a threshold must be a finite number".into());
    }
    match (config.raise_below, config.raise_above) {
        (Some(_), Some(_)) => Err("it has both raise_below and raise_above: a rule has one side; write two rules".into()),
        (None, None) => Err("it has no threshold: give raise_below with clear_above, or raise_above with clear_below".into()),
        (Some(raise), None) => match (config.clear_above, config.clear_below) {
            (Some(clear), None) if raise < clear => Ok((Side::Below, raise, clear)),
            (Some(clear), None) => {
                Err(format!("raise_below is {} and clear_above is {}: clear_above must be greater", show(raise), show(clear)))
            }
            (_, Some(_)) => Err("raise_below clears with clear_above, not with clear_below".into()),
            (None, None) => Err(format!("raise_below needs clear_above, the value above {} at which the alarm clears", show(raise))),
        },
        (None, Some(raise)) => match (config.clear_below, config.clear_above) {
            (Some(clear), None) if clear < raise => Ok((Side::Above, raise, clear)),
            (Some(clear), None) => {
                Err(format!("raise_above is {} and clear_below is {}: clear_below must be less", show(raise), show(clear)))
            }
            (_, Some(_)) => Err("raise_above clears with clear_below, not with clear_above".into()),
            (None, None) => Err(format!("raise_above needs clear_below, the value below {} at which the alarm clears", show(raise))),
        },
    }
}

fn exec(config: &ExecConfig) -> Result<Exec, String> {
    name(&config.name, "name", "raid")?;
    if config.name.contains('.') {
        return Err("name must not have a dot: it is one segment of its metrics' names".into());
    }
    let program = config.command.first().ok_or("command is empty: it must be a list of the program and its arguments")?;
    absolute(Path::new(program), "the program in command")?;
    if config.command.iter().any(|word| word.contains('\0')) {
        return Err("command must not hold a zero byte".into());
    }
    if config.every_s == 0 {
        return Err("every_s is 0: it must be at least 1".into());
    }
    if !(1..=LONGEST_TIMEOUT_S).contains(&config.timeout_s) {
        return Err(format!("timeout_s is {}: it must be 1 to {LONGEST_TIMEOUT_S}", config.timeout_s));
    }
    Ok(Exec {
        name: config.name.clone(),
        command: config.command.clone(),
        every: Duration::from_secs(config.every_s),
        timeout: Duration::from_secs(config.timeout_s),
        event_type: config.event_type,
        probable_cause: config.probable_cause,
    })
}

fn name(text: &str, what: &str, example: &str) -> Result<(), String> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    if !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(known) {
        return Ok(());
    }
    Err(format!("{what} must be 1 to {LONGEST_NAME} characters of a-z, 0-9, `.`, `-` and `_`, like `{example}`"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct File {
        default_rules: Option<bool>,
        #[serde(default)]
        sensor: Vec<SensorConfig>,
        #[serde(default)]
        rule: Vec<RuleConfig>,
        #[serde(default)]
        exec: Vec<ExecConfig>,
    }

    pub fn settings(text: &str) -> Result<Settings, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        Settings::new(file.default_rules, &file.sensor, &file.rule, &file.exec).map_err(|error| error.to_string())
    }

    pub const FAN: &str = r#"
        [[rule]]
        alarm_type = "fan.speed"
        metric = "sensor.{}.speed_rpm"
        raise_below = 1000.0
        clear_above = 2000.0
        severity = "major"
        event_type = "equipment"
        probable_cause = "fan_failure"
        text = "{qualifier} speed {value} rpm: fan stopped / 风扇 {qualifier} 转速 {value} rpm，风扇停转"
        unit = "rpm"
    "#;

    const EXEC: &str = r#"
        [[exec]]
        name = "raid"
        command = ["/usr/lib/nagios/plugins/check_raid"]
        event_type = "equipment"
        probable_cause = "equipment_malfunction"
    "#;

    #[test]
    fn the_documented_entries_are_taken() {
        let sensor = "[[sensor]]\nmetric = \"fan-2.speed_rpm\"\nfile = \"/some/dir/fan-2\"\n";
        let settings = settings(&format!("{sensor}{FAN}{EXEC}")).unwrap();
        assert_eq!(settings.sensors[0].metric, "sensor.fan-2.speed_rpm");
        assert_eq!(settings.rules.len(), 1, "own rules replace the built-in ones");
        assert_eq!(super::tests::settings(&FAN.replace("1000.0", "1000")).unwrap().rules, settings.rules, "whole numbers are numbers, too");
        assert_eq!((settings.execs[0].every.as_secs(), settings.execs[0].timeout.as_secs()), (60, 10));
    }

    #[test]
    fn built_in_rules_are_there_unless_turned_off() {
        let count = settings("").unwrap().rules.len();
        assert!(count > 0);
        assert_eq!(settings("default_rules = false").unwrap().rules.len(), 0);
        assert_eq!(settings(&format!("default_rules = true\n{FAN}")).unwrap().rules.len(), count + 1);
        let own = FAN.replace("fan.speed", "cpu.busy");
        assert_eq!(settings(&format!("default_rules = true\n{own}")).unwrap().rules.len(), count, "an own rule replaces its type");
    }

    #[test]
    fn wrong_entries_are_named_and_told_what_would_be_right() {
        let fan = |from: &str, to: &str| FAN.replace(from, to);
        let exec = |from: &str, to: &str| EXEC.replace(from, to);
        let cases = [
            (
                fan("2000.0", "1000.0"),
                "[[rule]] number 1 (`fan.speed`): raise_below is 1000 and clear_above is 1000: clear_above must be greater",
            ),
            (fan("clear_above = 2000.0", "raise_above = 2000.0"), "both raise_below and raise_above"),
            (fan("clear_above = 2000.0", ""), "raise_below needs clear_above"),
            (fan("clear_above", "clear_below"), "raise_below clears with clear_above"),
            (fan("raise_below = 1000.0", ""), "no threshold"),
            (fan("2000.0", "nan"), "finite"),
            (fan("sensor.{}.speed_rpm", "{}.{}"), "one `{}`"),
            (fan("{qualifier} speed", "{name} speed"), "no place `{name}`"),
            (fan("fan.speed", "Fan Speed"), "alarm_type must be 1 to 64"),
            (fan("fan.speed", "exec.raid"), "those are the alarms of [[exec]]"),
            (fan("major", "huge"), "`huge` is not a severity: expected one of indeterminate"),
            (fan("unit", "units"), "unknown field `units`"),
            (
                exec("/usr/lib/nagios/plugins/check_raid", "check_raid"),
                "[[exec]] number 1 (`raid`): the program in command is `check_raid`: it must be an absolute path",
            ),
            (exec("[\"/usr/lib/nagios/plugins/check_raid\"]", "[]"), "command is empty"),
            (exec("\"raid\"", "\"ra.id\""), "must not have a dot"),
            (format!("{EXEC}timeout_s = 0"), "timeout_s is 0: it must be 1 to 300"),
            (format!("{EXEC}every_s = 0"), "at least 1"),
            (format!("{EXEC}{EXEC}"), "[[exec]] number 2 (`raid`): another entry before it has the same name"),
            ("[[sensor]]\nmetric = \"a..b\"\nfile = \"/x\"".into(), "[[sensor]] number 1 (`a..b`): metric must be a dotted name"),
            ("[[sensor]]\nmetric = \"a\"\nfile = \"x\"".into(), "absolute path"),
            ("[[sensor]]\nmetric = \"a\"\nfile = \"/x\"\nscale = 0.0".into(), "other than 0"),
        ];
        for (text, expected) in cases {
            let error = settings(&text).unwrap_err();
            assert!(error.contains(expected), "{error}\nshould say\n{expected}");
        }
    }
}
