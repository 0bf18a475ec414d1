//! `agent.toml`: the owner's local file, and the only place that says what the centre may do here.
//!
//! [`Config`] is the file as it is written; [`Settings`] is what it comes to, checked once. Nothing is corrected silently.
//! `agent.example.toml` beside the crate is the documented example, and a test reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lineman_common::session::Grade;
use serde::Deserialize;

use crate::checks;
use crate::consents::Policy;
use crate::dial;
use crate::dial::config::LinkConfig;
use crate::durable;
use crate::session::account::{OWN_ACCOUNT, Profile};
use crate::session::child::SESSION_VARIABLE;
use crate::session::limits::{Limits, RecordingConfig};
use crate::sink;
use crate::sink::config::SinkConfig;

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("reading {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{}: {why}", path.display())]
    Wrong { path: PathBuf, why: String },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    interval_s: Option<u32>,
    interval_bounds_s: Option<(u32, u32)>,
    default_rules: Option<bool>,
    link: LinkConfig,
    spool: SpoolConfig,
    recording: RecordingConfig,
    sink: SinkConfig,
    policy: PolicyConfig,
    account: BTreeMap<String, AccountConfig>,
    sensor: Vec<checks::SensorConfig>,
    rule: Vec<checks::RuleConfig>,
    exec: Vec<checks::ExecConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SpoolConfig {
    max_bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PolicyConfig {
    grades: Option<Vec<Grade>>,
    approvals: Option<u8>,
    signers_approvals: Option<u8>,
    max_duration_s: Option<u32>,
    challenge_ttl_s: Option<u32>,
    max_standing_days: Option<u32>,
    browser_keys: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountConfig {
    user: String,
    #[serde(default)]
    unsafe_self: bool,
    shell: Option<PathBuf>,
    home: Option<PathBuf>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

/// What the agent runs by.
#[derive(Clone, Debug)]
pub struct Settings {
    pub interval: Duration,
    /// What the centre may set the interval to.
    pub interval_bounds: (Duration, Duration),
    /// How the centre is reached.
    pub link: dial::Settings,
    pub spool_max_bytes: u64,
    /// What of sessions is recorded, and how far they may run ahead of their recordings.
    pub limits: Limits,
    /// Where the journal goes besides the disk.
    pub sink: sink::Settings,
    pub policy: Policy,
    pub profiles: BTreeMap<String, Profile>,
    pub checks: checks::Settings,
}

const DEFAULT_INTERVAL_S: u32 = 10;
const DEFAULT_INTERVAL_BOUNDS_S: (u32, u32) = (5, 3600);
const DEFAULT_SPOOL_BYTES: u64 = 64 * 1024 * 1024;
const DEFAULT_HOURS_S: u32 = 4 * 3600;
const DEFAULT_STANDING_DAYS: u32 = 35;
const MAX_STANDING_DAYS: u32 = 366;

impl Settings {
    /// Reads a file that must be there.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// `--config FILE`, or `agent.toml` in the state directory if it is there, or the defaults.
    pub fn find(explicit: Option<&Path>, state: &Path) -> Result<Self, ConfigError> {
        if let Some(path) = explicit {
            return Self::load(path);
        }
        let path = state.join("agent.toml");
        let text = durable::read(&path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        Self::parse(&path, &text.unwrap_or_default())
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Config = toml::from_str(text).map_err(|e| ConfigError::Toml { path: path.to_owned(), source: Box::new(e) })?;
        config.settings().map_err(|why| ConfigError::Wrong { path: path.to_owned(), why })
    }
}

impl Config {
    fn settings(self) -> Result<Settings, String> {
        let checks = checks::Settings::new(self.default_rules, &self.sensor, &self.rule, &self.exec).map_err(|e| e.to_string())?;
        let (least, most) = self.interval_bounds_s.unwrap_or(DEFAULT_INTERVAL_BOUNDS_S);
        let interval = self.interval_s.unwrap_or(DEFAULT_INTERVAL_S);
        if least == 0 || least > most {
            return Err(format!("interval_bounds_s is [{least}, {most}]: it must be [least, most], and least at least 1"));
        }
        if interval == 0 {
            return Err("interval_s is 0: it must be at least 1".into());
        }
        let seconds = |s: u32| Duration::from_secs(s.into());
        let max_duration_s = positive("policy.max_duration_s", self.policy.max_duration_s)?;
        let challenge_ttl_s = positive("policy.challenge_ttl_s", self.policy.challenge_ttl_s)?;
        let max_standing_days = match self.policy.max_standing_days.unwrap_or(DEFAULT_STANDING_DAYS) {
            days @ 1..=MAX_STANDING_DAYS => days,
            days => return Err(format!("policy.max_standing_days is {days}: it must be from 1 to {MAX_STANDING_DAYS}")),
        };
        let approvals = one_or_two("policy.approvals", self.policy.approvals)?;
        let signers_approvals = one_or_two("policy.signers_approvals", self.policy.signers_approvals)?;
        let profiles = self.account.into_iter().map(profile).collect::<Result<BTreeMap<_, _>, _>>()?;
        let spool_max_bytes = self.spool.max_bytes.unwrap_or(DEFAULT_SPOOL_BYTES);
        Ok(Settings {
            interval: seconds(interval),
            interval_bounds: (seconds(least), seconds(most)),
            link: self.link.settings()?,
            spool_max_bytes,
            limits: self.recording.limits(spool_max_bytes)?,
            sink: self.sink.settings()?,
            policy: Policy {
                grades: self.policy.grades.unwrap_or_else(|| vec![Grade::EndToEnd]),
                approvals,
                signers_approvals,
                max_duration_s,
                challenge_ttl_s,
                max_standing_days,
                browser_keys: self.policy.browser_keys,
                accounts: profiles.keys().cloned().collect(),
            },
            profiles,
            checks,
        })
    }
}

fn positive(name: &str, value: Option<u32>) -> Result<u32, String> {
    match value.unwrap_or(DEFAULT_HOURS_S) {
        0 => Err(format!("{name} is 0: it must be at least 1")),
        value => Ok(value),
    }
}

fn one_or_two(name: &str, value: Option<u8>) -> Result<u8, String> {
    match value.unwrap_or(1) {
        value @ 1..=2 => Ok(value),
        value => Err(format!("{name} is {value}: it must be 1, or 2 for dual approval")),
    }
}

fn profile((name, account): (String, AccountConfig)) -> Result<(String, Profile), String> {
    let wrong = |why: String| Err(format!("[account.{name}]: {why}"));
    for (what, path) in [("shell", &account.shell), ("home", &account.home)] {
        if let Some(path) = path.as_ref().filter(|path| !path.is_absolute()) {
            return wrong(format!("{what} is `{}`: it must be an absolute path", path.display()));
        }
    }
    if account.user.is_empty() || account.user.contains([':', '\0', '\n']) {
        return wrong("user must be the name of a Unix account, or `@self`".into());
    }
    if account.user == "root" {
        return wrong("user is `root`: a session never runs as root; name an unprivileged account".into());
    }
    if account.user == OWN_ACCOUNT && !account.unsafe_self {
        return wrong(
            "user is `@self`: sessions would run as the agent, and could read its keys and change who may enter; name an \
             unprivileged account, or, if you accept that, write `unsafe_self = true`"
                .into(),
        );
    }
    if let Some(key) = account.env.keys().find(|key| key.is_empty() || key.contains(['=', '\0']) || *key == SESSION_VARIABLE) {
        return wrong(format!("`{key}` can't be set as an environment variable"));
    }
    if account.env.values().any(|value| value.contains('\0')) {
        return wrong("an environment variable must not hold a zero byte".into());
    }
    Ok((name, Profile { user: account.user, unsafe_self: account.unsafe_self, shell: account.shell, home: account.home, env: account.env }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(Path::new("agent.toml"), text).map_err(|e| e.to_string())
    }

    #[test]
    fn the_example_is_taken() {
        let settings = parse(include_str!("../agent.example.toml")).unwrap();
        assert_eq!(settings.policy.accounts, ["view"]);
        let policy = &settings.policy;
        assert_eq!((&policy.grades[..], policy.approvals, policy.signers_approvals), (&[Grade::EndToEnd][..], 1, 1), "the defaults");
        assert_eq!((policy.max_standing_days, parse("").unwrap().policy.max_standing_days), (35, 35));
        assert!(!policy.browser_keys && parse("[policy]\nbrowser_keys = true").unwrap().policy.browser_keys);
        assert_eq!((settings.interval.as_secs(), settings.spool_max_bytes), (10, 67_108_864));
        assert!(!settings.checks.sensors.is_empty() && !settings.checks.rules.is_empty() && !settings.checks.execs.is_empty());
    }

    #[test]
    fn sessions_as_the_agent_itself_must_be_asked_for_by_name() {
        let settings = parse("[account.view]\nuser = \"@self\"\nunsafe_self = true").unwrap();
        assert!(settings.profiles["view"].unsafe_self);
    }

    #[test]
    fn an_empty_file_lets_nobody_in_and_measures() {
        let settings = parse("").unwrap();
        assert!(settings.policy.accounts.is_empty());
        assert!(!settings.checks.rules.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("intervall_s = 5", "unknown field `intervall_s`"),
            ("interval_s = 0", "interval_s is 0"),
            ("interval_bounds_s = [10, 5]", "interval_bounds_s is [10, 5]"),
            ("[policy]\nmax_duration_s = 0", "policy.max_duration_s is 0"),
            ("[policy]\napprovals = 3", "policy.approvals is 3: it must be 1, or 2 for dual approval"),
            ("[policy]\nsigners_approvals = 0", "policy.signers_approvals is 0"),
            ("[policy]\nmax_standing_days = 0", "policy.max_standing_days is 0: it must be from 1 to 366"),
            ("[policy]\nmax_standing_days = 367", "policy.max_standing_days is 367: it must be from 1 to 366"),
            ("[policy]\ngrades = [\"anyone\"]", "expected one of end-to-end"),
            ("[account.view]\nuser = \"@self\"", "write `unsafe_self = true`"),
            ("[link]\nproxy = \"proxy:3128\"", "link.proxy is `proxy:3128`: expected one like http://proxy.example:3128"),
            ("[recording]\nmax_session_bytes = 1", "recording.max_session_bytes is 1: it must be from"),
            ("[recording]\ninputs = true", "unknown field `inputs`"),
            ("[sink]\nsyslog = \"log:514\"", "sink.syslog is `log:514`: expected udp://HOST:514"),
            ("[account.operate]\nuser = \"root\"", "[account.operate]: user is `root`: a session never runs as root"),
            ("[account.view]\nshell = \"/bin/sh\"", "missing field `user`"),
            ("[account.view]\nuser = \"nobody\"\nhome = \"x\"", "[account.view]: home is `x`: it must be an absolute path"),
            ("[account.view]\nuser = \"nobody\"\nenv = { LINEMAN_SESSION = \"x\" }", "can't be set"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}\nshould say\n{expected}");
        }
    }
}
