//! The table for people, `faults.json` for machines, and the goals.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::plan::Plan;

/// One figure.
pub struct Row {
    pub metric: &'static str,
    pub value: f64,
    pub unit: &'static str,
}

pub const fn row(metric: &'static str, value: f64, unit: &'static str) -> Row {
    Row { metric, value, unit }
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
    AtLeast(f64),
    AtMost(f64),
    /// A count.
    Just(u32),
}

impl Limit {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Just(count) => (value - f64::from(count)).abs() < 0.5,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
            Self::Just(count) => format!("{count}"),
        }
    }
}

const GOALS: &[(&str, Limit)] = &[
    ("events.stored", Limit::AtLeast(20_000.0)),
    ("events.ratio_to_raw", Limit::AtLeast(0.4)),
    ("events.lost", Limit::AtMost(0.0)),
    ("storm.faults", Limit::Just(1)),
    ("storm.lost", Limit::AtMost(0.0)),
    ("lists.list_p95", Limit::AtMost(100.0)),
    ("lists.acknowledge_p95", Limit::AtMost(50.0)),
    ("filing.alone", Limit::AtLeast(2.7)),
    ("clocks.late_max", Limit::AtMost(1.0)),
    ("clocks.missing", Limit::AtMost(0.0)),
    ("pages.page_p95", Limit::AtMost(50.0)),
];

pub struct Report {
    facts: Value,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(plan: &Plan) -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let facts = json!({
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "kernel": kernel.split('-').next().unwrap_or_default().trim(),
            "build": if cfg!(debug_assertions) { "debug" } else { "release" },
            "load_before": load(),
            "agents": plan.agents,
            "events": plan.events,
            "storm": plan.storm,
            "open": plan.open,
            "historic": plan.historic,
            "filed": plan.filed,
            "watched": plan.watched,
        });
        Self { facts, rows: Vec::new() }
    }

    pub fn add(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }

    pub fn table(&self) -> String {
        let facts = &self.facts;
        let word = |name: &str| facts[name].as_str().map_or_else(|| facts[name].to_string(), str::to_owned);
        let mut text =
            format!("\n{} cores, Linux {}, {} build; load {} before\n", word("cores"), word("kernel"), word("build"), word("load_before"));
        text += &format!(
            "{} agents, {} events, a storm of {}, {} alarms open and {} historic, {} faults filed, {} watched\n\n",
            word("agents"),
            word("events"),
            word("storm"),
            word("open"),
            word("historic"),
            word("filed"),
            word("watched")
        );
        for Row { metric, value, unit } in &self.rows {
            let goal = GOALS.iter().find(|(goal, _)| goal == metric);
            let goal = goal.map_or_else(String::new, |(_, limit)| {
                format!("   goal {:<10} {}", limit.words(), if limit.is_met(*value) { "met" } else { "NOT met" })
            });
            text += &format!("{metric:<28}{value:>14.3} {unit:<8}{goal}\n");
        }
        text + "\n"
    }

    pub fn json(&self) -> String {
        let mut metrics = Map::new();
        for Row { metric, value, unit } in &self.rows {
            let mut entry = json!({"value": (value * 1000.0).round() / 1000.0, "unit": unit});
            if let Some((_, limit)) = GOALS.iter().find(|(goal, _)| goal == metric) {
                entry["goal"] = json!(limit.words());
                entry["met"] = json!(limit.is_met(*value));
            }
            metrics.insert((*metric).to_owned(), entry);
        }
        format!("{:#}\n", json!({"facts": self.facts, "metrics": metrics}))
    }

    pub fn write(&self) -> anyhow::Result<PathBuf> {
        let file = report_dir()?.join("faults.json");
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).and_then(|()| std::fs::write(&file, self.json()))?;
        Ok(file)
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// `target/bench`: the programs are in `target/release`. What is measured lies there too, so that all of it is on one disk.
pub fn report_dir() -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os("BENCH_DIR") {
        return Ok(dir.into());
    }
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).context("this program is in no target folder")?.join("bench"))
}
