//! The table, and `agent.json`.

use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::Plan;
use crate::meter::Figures;

pub const AGENT: &str = "lineman-agent";

/// What the agent is held to, by the name of the metric.
const GOALS: &[(&str, &str)] = &[
    ("agent.rss_ratio_to_node_exporter", "<= 0.6"),
    ("agent.cpu_ratio_to_node_exporter", "<= 0.5"),
    ("agent.cpu_ratio_to_collectd", "<= 1.0"),
];

type Get = fn(&Figures) -> f64;

/// Name, unit and where it is; ratios are made of the first three.
const COLUMNS: &[(&str, &str, Get)] = &[
    ("rss", "MiB", |figures| figures.rss_mib),
    ("pss", "MiB", |figures| figures.pss_mib),
    ("cpu", "s/min", |figures| figures.cpu_s_per_min),
    ("anon", "MiB", |figures| figures.anon_mib),
    ("peak", "MiB", |figures| figures.peak_mib),
    ("threads", "count", |figures| figures.threads),
];
const RATIOS: usize = 3;

pub fn table(measured: &[(&str, Figures)], plan: &Plan) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    let mut text = format!("\n{cores} cores, Linux {kernel}; {} s each, every {} s\n\n", plan.window.as_secs(), plan.interval_s);
    text += &format!("{:<16}", "");
    for (name, unit, _) in COLUMNS {
        text += &format!("{:>14}", format!("{name} {unit}"));
    }
    for (program, figures) in measured {
        text += &format!("\n{program:<16}");
        for (_, unit, get) in COLUMNS {
            let decimals = match *unit {
                "s/min" => 4,
                "count" => 0,
                _ => 1,
            };
            text += &format!("{:>14.decimals$}", get(figures));
        }
    }
    text += "\n\n";
    for (metric, ratio) in ratios(measured) {
        let goal = GOALS.iter().find(|(goal, _)| *goal == metric).map_or_else(String::new, |(_, goal)| format!("   goal {goal}"));
        text += &format!("{metric:<40}{ratio:>8.2}{goal}\n");
    }
    text
}

fn ratios(measured: &[(&str, Figures)]) -> Vec<(String, f64)> {
    let Some(((_, agent), peers)) = measured.split_first() else { return Vec::new() };
    let of = |(peer, figures): &(&str, Figures)| {
        let ratio = |(name, _, get): &(&str, &str, Get)| (format!("agent.{name}_ratio_to_{peer}"), get(agent) / get(figures));
        COLUMNS[..RATIOS].iter().map(ratio).collect::<Vec<_>>()
    };
    // A peer that used no CPU in a second has no ratio.
    peers.iter().flat_map(of).filter(|(_, ratio)| ratio.is_finite()).collect()
}

pub fn write(file: &Path, measured: &[(&str, Figures)]) -> anyhow::Result<()> {
    let mut metrics = Map::new();
    let mut put = |name: String, value: f64, unit: &str| {
        let mut metric = json!({"value": (value * 10_000.0).round() / 10_000.0, "unit": unit});
        if let Some((_, goal)) = GOALS.iter().find(|(goal, _)| *goal == name) {
            metric["goal"] = json!(goal);
        }
        metrics.insert(name, metric);
    };
    for (program, figures) in measured {
        let program = if *program == AGENT { "agent" } else { program };
        for (name, unit, get) in COLUMNS {
            put(format!("{program}.{name}"), get(figures), unit);
        }
    }
    for (name, ratio) in ratios(measured) {
        put(name, ratio, "ratio");
    }
    let dir = file.parent().context("a file without a folder")?;
    std::fs::create_dir_all(dir).and_then(|()| {
        let text = format!("{:#}\n", json!({"metrics": Value::Object(metrics)}));
        std::fs::write(file, text)
    })?;
    Ok(())
}
