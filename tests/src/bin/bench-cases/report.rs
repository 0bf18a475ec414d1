//! The table for people, `cases.json` for machines, and the goals.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::plan::Plan;

/// One figure.
pub struct Row {
    pub metric: String,
    pub value: f64,
    pub unit: &'static str,
}

pub fn row(metric: impl Into<String>, value: f64, unit: &'static str) -> Row {
    Row { metric: metric.into(), value, unit }
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
}

impl Limit {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
        }
    }
}

/// Of the development sets, and of the synthetic library.
const GOALS: &[(&str, Limit)] = &[
    ("seamonkey_en.words.ndcg10", Limit::AtLeast(0.70)),
    ("seamonkey_en.meaning.ndcg10", Limit::AtLeast(0.70)),
    ("custsvc_dup_zh.words.ndcg10", Limit::AtLeast(0.19)),
    ("custsvc_dup_zh.meaning.ndcg10", Limit::AtLeast(0.19)),
    ("library.200k.p50", Limit::AtMost(1.0)),
    ("library.200k.p99", Limit::AtMost(8.0)),
    ("library.1m.p99", Limit::AtMost(20.0)),
    ("library.200k.findable", Limit::AtMost(100.0)),
    ("library.200k.rebuild", Limit::AtMost(10.0)),
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
            "small": plan.small,
            "limit": plan.limit,
        });
        Self { facts, rows: Vec::new() }
    }

    pub fn add(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }

    pub fn table(&self) -> String {
        let word = |name: &str| self.facts[name].as_str().map_or_else(|| self.facts[name].to_string(), str::to_owned);
        let mut text = format!(
            "\n{} cores, Linux {}, {} build; load {} before\n\n",
            word("cores"),
            word("kernel"),
            word("build"),
            word("load_before")
        );
        for Row { metric, value, unit } in &self.rows {
            let goal = GOALS.iter().find(|(goal, _)| goal == metric);
            let goal = goal.map_or_else(String::new, |(_, limit)| {
                format!("   goal {:<8} {}", limit.words(), if limit.is_met(*value) { "met" } else { "NOT met" })
            });
            text += &format!("{metric:<44}{value:>14.3} {unit:<6}{goal}\n");
        }
        text + "\n"
    }

    fn json(&self) -> String {
        let mut metrics = Map::new();
        for Row { metric, value, unit } in &self.rows {
            let mut entry = json!({"value": (value * 10_000.0).round() / 10_000.0, "unit": unit});
            if let Some((_, limit)) = GOALS.iter().find(|(goal, _)| goal == metric) {
                entry["goal"] = json!(limit.words());
                entry["met"] = json!(limit.is_met(*value));
            }
            metrics.insert(metric.clone(), entry);
        }
        format!("{:#}\n", json!({"facts": self.facts, "metrics": metrics}))
    }

    pub fn write(&self) -> anyhow::Result<PathBuf> {
        let file = bench_dir()?.join("cases.json");
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).and_then(|()| std::fs::write(&file, self.json()))?;
        Ok(file)
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// `target/bench`: the programs are in `target/release`. What is measured lies there too, so that all of it is on one disk.
pub fn bench_dir() -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os("BENCH_DIR") {
        return Ok(dir.into());
    }
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).context("this program is in no target folder")?.join("bench"))
}
