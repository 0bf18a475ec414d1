//! The table for people, `session.json` for machines, and the goals.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use lineman_tests::run;
use serde_json::{Map, Value, json};

use crate::plan::Plan;
use crate::roads::{KEX, Road};

/// One figure on every road that has it.
pub struct Row {
    pub metric: String,
    pub unit: &'static str,
    pub values: [Option<f64>; 4],
}

impl Row {
    pub fn of_all(metric: String, unit: &'static str, samples: &[Vec<f64>; 4], of: impl Fn(&[f64]) -> f64) -> Self {
        Self { metric, unit, values: std::array::from_fn(|at| Some(of(&samples[at]))) }
    }

    fn of(&self, road: Road) -> Option<f64> {
        self.values[Road::ALL.iter().position(|one| *one == road)?]
    }
}

/// The smallest that this share of them does not exceed.
pub fn percentile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (1..=sorted.len()).find(|rank| *rank as f64 >= share * sorted.len() as f64).unwrap_or(sorted.len());
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[derive(Clone, Copy)]
enum Limit {
    /// This road's figure divided by the other's.
    RatioAtMost(f64),
    RatioAtLeast(f64),
    /// By how many milliseconds it is more.
    MoreAtMost(f64),
}

struct Goal {
    metric: &'static str,
    of: Road,
    beside: Road,
    limit: Limit,
}

const fn goal(metric: &'static str, of: Road, beside: Road, limit: Limit) -> Goal {
    Goal { metric, of, beside, limit }
}

const GOALS: &[Goal] = {
    use Limit::{MoreAtMost, RatioAtLeast, RatioAtMost};
    use Road::{Direct, LinemanJump, LinemanSsh, ProxyJump};
    &[
        goal("first_cold_p50", LinemanJump, ProxyJump, RatioAtMost(1.0)),
        goal("first_cold_p50", LinemanSsh, Direct, RatioAtMost(1.1)),
        goal("first_mux_p50", LinemanJump, ProxyJump, RatioAtMost(1.0)),
        goal("first_mux_p50", LinemanSsh, Direct, RatioAtMost(1.1)),
        goal("echo_p99", LinemanJump, Direct, MoreAtMost(2.0)),
        goal("echo_p99", LinemanSsh, Direct, MoreAtMost(2.0)),
        goal("exec_down", LinemanJump, ProxyJump, RatioAtLeast(0.9)),
        goal("exec_up", LinemanJump, ProxyJump, RatioAtLeast(0.9)),
        goal("exec_down", LinemanSsh, Direct, RatioAtLeast(0.9)),
        goal("exec_up", LinemanSsh, Direct, RatioAtLeast(0.9)),
        goal("sftp_get", LinemanJump, ProxyJump, RatioAtLeast(0.9)),
        goal("sftp_put", LinemanJump, ProxyJump, RatioAtLeast(0.9)),
        goal("sftp_get", LinemanSsh, Direct, RatioAtLeast(1.0)),
        goal("sftp_put", LinemanSsh, Direct, RatioAtLeast(1.0)),
    ]
};

/// A goal, and where we stand.
struct Judged {
    name: String,
    value: f64,
    unit: &'static str,
    goal: String,
    met: bool,
}

impl Goal {
    /// `None`: that was not measured.
    fn judge(&self, rows: &[Row]) -> Option<Judged> {
        let row = rows.iter().find(|row| row.metric == self.metric)?;
        let (own, other) = (row.of(self.of)?, row.of(self.beside)?);
        let (of, beside, metric) = (self.of.key(), self.beside.key(), self.metric);
        let ratio = own / other;
        Some(match self.limit {
            Limit::RatioAtMost(most) => {
                let name = format!("{of}.{metric}_ratio_to_{beside}");
                Judged { name, value: ratio, unit: "ratio", goal: format!("<= {most}"), met: ratio <= most }
            }
            Limit::RatioAtLeast(least) => {
                let name = format!("{of}.{metric}_ratio_to_{beside}");
                Judged { name, value: ratio, unit: "ratio", goal: format!(">= {least}"), met: ratio >= least }
            }
            Limit::MoreAtMost(most) => {
                let name = format!("{of}.{metric}_more_than_{beside}");
                Judged { name, value: own - other, unit: "ms", goal: format!("<= {most}"), met: own - other <= most }
            }
        })
    }
}

/// On what, and under what load.
pub struct Facts {
    load_before: String,
    negotiated: Vec<(Road, Vec<String>)>,
}

impl Facts {
    pub fn new(negotiated: Vec<(Road, Vec<String>)>) -> Self {
        Self { load_before: load(), negotiated }
    }

    fn json(&self, plan: &Plan) -> Value {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let openssh = run(Command::new("ssh").arg("-V").stdin(Stdio::null()));
        let agreed: Map<_, _> = self.negotiated.iter().map(|(road, hops)| (road.key().to_owned(), json!(hops))).collect();
        json!({
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "kernel": kernel.split('-').next().unwrap_or_default().trim(),
            "openssh": openssh.stderr.split(',').next().unwrap_or_default().trim(),
            "build": if cfg!(debug_assertions) { "debug" } else { "release" },
            "load_before": self.load_before,
            "load_after": load(),
            "negotiated": agreed,
            "same_everywhere": self.negotiated.iter().all(|(_, hops)| hops.iter().all(|hop| *hop == format!("{KEX} {}", plan.cipher))),
            "size_mib": plan.size_mib,
            "rounds": plan.rounds,
            "bulk_rounds": plan.bulk_rounds,
            "keys": plan.keys,
            "sessions": plan.sessions,
            "consents": plan.consents,
        })
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

pub struct Report {
    facts: Value,
    rows: Vec<Row>,
    judged: Vec<Judged>,
}

impl Report {
    pub fn new(facts: &Facts, plan: &Plan, rows: Vec<Row>) -> Self {
        let judged = GOALS.iter().filter_map(|goal| goal.judge(&rows)).collect();
        Self { facts: facts.json(plan), rows, judged }
    }

    pub fn table(&self) -> String {
        let facts = &self.facts;
        let word = |name: &str| facts[name].as_str().map_or_else(|| facts[name].to_string(), str::to_owned);
        let mut text = format!(
            "\n{} cores, Linux {}, {}, {} build; load {} before, {} after\n",
            word("cores"),
            word("kernel"),
            word("openssh"),
            word("build"),
            word("load_before"),
            word("load_after")
        );
        text += &format!(
            "{} MiB x {}, {} first outputs, {} keys, {} sessions, {} consents\n",
            word("size_mib"),
            word("bulk_rounds"),
            word("rounds"),
            word("keys"),
            word("sessions"),
            word("consents")
        );
        for road in Road::ALL {
            let hops = facts["negotiated"][road.key()].as_array().into_iter().flatten().filter_map(Value::as_str);
            text += &format!("{:<14} {}\n", road.title(), hops.collect::<Vec<_>>().join(" | "));
        }
        if facts["same_everywhere"] == false {
            text += "NOT the same on every hop: these figures compare ciphers too\n";
        }
        text += &format!("\n{:<26}", "");
        for road in Road::ALL {
            text += &format!("{:>15}", road.title());
        }
        for row in &self.rows {
            text += &format!("\n{:<26}", format!("{} {}", row.metric, row.unit));
            let decimals = if matches!(row.unit, "ms" | "s/GiB") { 2 } else { 0 };
            for value in row.values {
                text += &value.map_or_else(|| format!("{:>15}", "-"), |value| format!("{value:>15.decimals$}"));
            }
        }
        text += "\n\n";
        for Judged { name, value, goal, met, unit: _ } in &self.judged {
            text += &format!("{name:<48}{value:>8.2}   goal {goal:<7} {}\n", if *met { "met" } else { "NOT met" });
        }
        text
    }

    pub fn json(&self) -> String {
        let mut metrics = Map::new();
        let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
        for row in &self.rows {
            for road in Road::ALL {
                if let Some(value) = row.of(road) {
                    metrics.insert(format!("{}.{}", road.key(), row.metric), json!({"value": rounded(value), "unit": row.unit}));
                }
            }
        }
        for Judged { name, value, unit, goal, met } in &self.judged {
            metrics.insert(name.clone(), json!({"value": rounded(*value), "unit": unit, "goal": goal, "met": met}));
        }
        format!("{:#}\n", json!({"facts": self.facts, "metrics": metrics}))
    }

    pub fn write(&self) -> anyhow::Result<PathBuf> {
        let file = report_dir()?.join("session.json");
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).and_then(|()| std::fs::write(&file, self.json()))?;
        Ok(file)
    }
}

/// `target/bench`: the programs are in `target/release`.
fn report_dir() -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os("BENCH_DIR") {
        return Ok(dir.into());
    }
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).context("this program is in no target folder")?.join("bench"))
}
