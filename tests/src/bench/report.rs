//! The table for people, a file for machines, and the goals.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value, json};

/// One figure.
#[derive(Clone, Debug)]
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

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
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

/// What a bench has measured.
#[derive(Debug)]
pub struct Report {
    name: &'static str,
    goals: &'static [(&'static str, Limit)],
    /// Of the machine, and how much was measured.
    facts: Map<String, Value>,
    rows: Vec<Row>,
}

impl Report {
    /// `amounts` are told beside the machine: how much is measured.
    pub fn new(name: &'static str, goals: &'static [(&'static str, Limit)], amounts: &[(&str, Value)]) -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let machine = [
            ("cores", json!(std::thread::available_parallelism().map_or(0, usize::from))),
            ("kernel", json!(kernel.split('-').next().unwrap_or_default().trim())),
            ("build", json!(if cfg!(debug_assertions) { "debug" } else { "release" })),
            ("load_before", json!(load())),
        ];
        let facts = machine.iter().chain(amounts).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { name, goals, facts, rows: Vec::new() }
    }

    pub fn add(&mut self, rows: Vec<Row>) {
        self.rows.extend(rows);
    }

    fn goal(&self, metric: &str) -> Option<Limit> {
        self.goals.iter().find(|(goal, _)| *goal == metric).map(|(_, limit)| *limit)
    }

    pub fn table(&self) -> String {
        let facts = self.facts.iter().filter(|(_, value)| !value.is_null());
        let facts = facts
            .map(|(name, value)| format!("{} {}", name.replace('_', " "), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        let mut text = format!("\n{}\n\n", facts.collect::<Vec<_>>().join(", "));
        let width = self.rows.iter().map(|row| row.metric.len()).max().unwrap_or(0) + 2;
        for Row { metric, value, unit } in &self.rows {
            let goal = self.goal(metric).map_or_else(String::new, |limit| {
                format!("   goal {:<10} {}", limit.words(), if limit.is_met(*value) { "met" } else { "NOT met" })
            });
            text += &format!("{metric:<width$}{value:>14.3} {unit:<8}{goal}\n");
        }
        text + "\n"
    }

    pub fn json(&self) -> String {
        let mut metrics = Map::new();
        for Row { metric, value, unit } in &self.rows {
            let mut entry = json!({"value": (value * 10_000.0).round() / 10_000.0, "unit": unit});
            if let Some(limit) = self.goal(metric) {
                entry["goal"] = json!(limit.words());
                entry["met"] = json!(limit.is_met(*value));
            }
            metrics.insert(metric.clone(), entry);
        }
        format!("{:#}\n", json!({"facts": self.facts, "metrics": metrics}))
    }

    pub fn write(&self) -> anyhow::Result<PathBuf> {
        let file = dir()?.join(format!("{}.json", self.name));
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).and_then(|()| std::fs::write(&file, self.json()))?;
        Ok(file)
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// `target/bench`: the programs are in `target/release`. What is measured lies there too, so that all of it is on one disk.
pub fn dir() -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os("BENCH_DIR") {
        return Ok(dir.into());
    }
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).context("this program is in no target folder")?.join("bench"))
}
