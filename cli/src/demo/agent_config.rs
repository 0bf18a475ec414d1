//! The `agent.toml` of a demo element: its sensors, the rules that turn them into alarms, and the account of its sessions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Error;
use super::element::{Account, sensors};
use super::plan::Takes;

/// Short, so that the story moves.
const INTERVAL_S: u32 = 2;

#[derive(Serialize)]
struct Config {
    interval_s: u32,
    interval_bounds_s: [u32; 2],
    /// The host's own load, memory and disks are reported, but raise nothing: the demo's alarms are the element's.
    default_rules: bool,
    policy: Takes,
    account: BTreeMap<&'static str, Profile>,
    sensor: Vec<Sensor>,
    rule: Vec<Rule>,
}

#[derive(Serialize)]
struct Profile {
    user: &'static str,
    /// Without root there is no other account: whoever plays with the demo is told so by the account's name in every session.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unsafe_self: bool,
    shell: &'static str,
    home: PathBuf,
    env: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Sensor {
    metric: &'static str,
    file: PathBuf,
}

#[derive(Clone, Copy, Serialize)]
struct Rule {
    alarm_type: &'static str,
    metric: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    raise_below: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clear_above: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raise_above: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clear_below: Option<f64>,
    for_s: u32,
    severity: &'static str,
    event_type: &'static str,
    probable_cause: &'static str,
    text: &'static str,
    unit: &'static str,
}

const RULE: Rule = Rule {
    alarm_type: "",
    metric: "",
    raise_below: None,
    clear_above: None,
    raise_above: None,
    clear_below: None,
    for_s: 0,
    severity: "major",
    event_type: "equipment",
    probable_cause: "",
    text: "",
    unit: "",
};

const RULES: [Rule; 4] = [
    Rule {
        alarm_type: "fan.speed",
        metric: "sensor.{}.speed_rpm",
        raise_below: Some(1000.0),
        clear_above: Some(2000.0),
        probable_cause: "fan_failure",
        text: "{qualifier} speed {value} rpm: fan stopped / 风扇 {qualifier} 转速 {value} rpm，风扇停转",
        unit: "rpm",
        ..RULE
    },
    Rule {
        alarm_type: "board.temperature",
        metric: "sensor.{}.temperature_celsius",
        raise_above: Some(75.0),
        clear_below: Some(65.0),
        severity: "warning",
        event_type: "environmental",
        probable_cause: "temperature_unacceptable",
        text: "{qualifier} temperature {value} °C: too hot / 板卡 {qualifier} 温度 {value} °C，温度过高",
        unit: "°C",
        ..RULE
    },
    Rule {
        alarm_type: "port.los",
        metric: "sensor.{}.rx_power_dbm",
        raise_below: Some(-30.0),
        clear_above: Some(-27.0),
        severity: "critical",
        event_type: "communications",
        probable_cause: "loss_of_signal",
        text: "{qualifier} receives {value} dBm: loss of signal (LOS) / 端口 {qualifier} 收光功率 {value} dBm，光信号丢失",
        unit: "dBm",
        ..RULE
    },
    Rule {
        alarm_type: "log.full",
        metric: "sensor.{}.used_percent",
        raise_above: Some(90.0),
        clear_below: Some(80.0),
        event_type: "processing_error",
        probable_cause: "storage_capacity_problem",
        text: "{qualifier} partition {value} % full / 分区 {qualifier} 占用率 {value} %，即将写满",
        unit: "%",
        ..RULE
    },
];

/// The configuration of the agent of the element in `dir`. `takes` is what its owner lets in; `extra` is TOML that is laid over it.
pub fn agent_toml(handle: &str, dir: &Path, account: &Account, takes: Takes, extra: &str) -> Result<String, Error> {
    let env = |home: &Path| -> BTreeMap<&'static str, String> {
        [
            ("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", dir.join("bin").display())),
            ("LANG", "C.UTF-8".to_owned()),
            // What an interactive `sh` reads; `bash` reads `.bashrc`, which says the same.
            ("ENV", home.join(".profile").display().to_string()),
            ("PS1", format!("{handle}$ ")),
        ]
        .into()
    };
    let shell = if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" };
    let unsafe_self = matches!(account, Account::Own);
    let profile =
        |(name, user, home): (&'static str, &'static str, PathBuf)| (name, Profile { user, unsafe_self, shell, env: env(&home), home });
    let config = Config {
        interval_s: INTERVAL_S,
        interval_bounds_s: [1, 3600],
        default_rules: false,
        policy: takes,
        account: account.profiles(dir).map(profile).into(),
        sensor: sensors().map(|metric| Sensor { metric, file: dir.join("sensors").join(metric) }).collect(),
        rule: RULES.to_vec(),
    };
    let mut table = toml::Table::try_from(&config).map_err(Error::trust)?;
    lay_over(&mut table, extra.parse::<toml::Table>().map_err(|e| Error::Data(format!("what --with adds for {handle}: {e}")))?);
    toml::to_string(&table).map_err(Error::trust)
}

/// Tables are joined; any other value takes the place of the one that was there.
fn lay_over(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => lay_over(under, over),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lineman_common::alarm::{EventType, ProbableCause, Severity};

    #[test]
    fn the_file_is_as_the_agent_reads_it() {
        let text = agent_toml(
            "ne-1",
            Path::new("/d/with space/ne-1"),
            &Account::Own,
            Takes::ALL,
            "[policy]\napprovals = 2\n[recording]\ninput = true",
        )
        .unwrap();
        let toml: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(toml["interval_s"].as_integer(), Some(2));
        assert_eq!(toml["account"]["view"]["user"].as_str(), Some("@self"));
        assert_eq!(toml["account"]["view"]["unsafe_self"].as_bool(), Some(true));
        assert_eq!(toml["account"]["operate"]["home"].as_str(), Some("/d/with space/ne-1/operator"));
        assert_eq!((toml["policy"]["approvals"].as_integer(), toml["recording"]["input"].as_bool()), (Some(2), Some(true)));
        assert_eq!(toml["policy"]["grades"].as_array().unwrap().len(), 3);
        assert_eq!(toml["policy"]["browser_keys"].as_bool(), Some(true));
        assert_eq!(toml["account"]["view"]["env"]["PS1"].as_str(), Some("ne-1$ "));
        assert!(toml["account"]["view"]["env"]["PATH"].as_str().unwrap().starts_with("/d/with space/ne-1/bin:"));
        let sensors = toml["sensor"].as_array().unwrap();
        assert!(
            sensors.iter().all(|s| s["file"].as_str().unwrap() == format!("/d/with space/ne-1/sensors/{}", s["metric"].as_str().unwrap()))
        );
        for rule in toml["rule"].as_array().unwrap() {
            rule["severity"].as_str().unwrap().parse::<Severity>().unwrap();
            rule["event_type"].as_str().unwrap().parse::<EventType>().unwrap();
            rule["probable_cause"].as_str().unwrap().parse::<ProbableCause>().unwrap();
            let (before, after) = rule["metric"].as_str().unwrap().split_once("{}").unwrap();
            let measured = |s: &toml::Value| {
                let metric = format!("sensor.{}", s["metric"].as_str().unwrap());
                metric.starts_with(before) && metric.ends_with(after)
            };
            assert!(sensors.iter().any(measured), "nothing is measured for {rule}");
            let has = |key: &str| rule.get(key).is_some();
            assert!(has("raise_below") == has("clear_above") && has("raise_above") == has("clear_below"));
            assert_ne!(has("raise_below"), has("raise_above"));
        }
    }
}
