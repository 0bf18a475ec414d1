//! How fast a large library answers: a synthetic one ([`library`]) in a real server, asked over its API, one question after the other.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use lineman_tests::bin;
use serde_json::json;

use crate::centre::{Api, Centre, find, snapshot};
use crate::library;
use crate::plan::Plan;
use crate::report::{Row, percentile, row};

/// Cases that are saved and asked for at once.
const SAVED: u32 = 20;
const HITS: u32 = 20;

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let (sizes, asked): (&[(&str, u32)], u32) =
        if plan.small { (&[("small", 300)], 3) } else { (&[("200k", 200_000), ("1m", 1_000_000)], 300) };
    let mut rows = Vec::new();
    let wanted = |name: &str| plan.cases.as_ref().is_none_or(|only| only == name);
    ensure!(sizes.iter().any(|(name, _)| wanted(name)), "there is a library of 200k and one of 1m");
    for (name, cases) in sizes.iter().filter(|(name, _)| wanted(name)) {
        eprintln!("library of {cases} cases ...");
        rows.extend(one(name, *cases, asked).await.with_context(|| format!("library of {cases} cases"))?);
    }
    Ok(rows)
}

async fn one(name: &str, cases: u32, asked: u32) -> anyhow::Result<Vec<Row>> {
    let mut centre = Centre::new("cases")?;
    library::seed(&centre.database(), cases)?;
    let mut rows = vec![row(format!("library.{name}.rebuild"), rebuild(&centre)?, "s")];
    let size = std::fs::metadata(snapshot(&centre))?.len();
    rows.push(row(format!("library.{name}.size"), bytes(size) / 1e6, "MB"));
    let begun = Instant::now();
    let api = centre.start()?;
    find(&api, "", 1, false).await?;
    rows.push(row(format!("library.{name}.start"), begun.elapsed().as_secs_f64(), "s"));
    let mut all = Vec::new();
    for kind in library::KINDS {
        let mut took_ms = Vec::new();
        for number in 0..asked {
            let (question, facets) = library::question(kind, number);
            let begun = Instant::now();
            let found = find(&api, &question, HITS, facets).await?;
            took_ms.push(begun.elapsed().as_secs_f64() * 1000.0);
            ensure!(found["items"].is_array(), "{question}: {found}");
        }
        rows.push(row(format!("library.{name}.{kind}.p50"), percentile(&took_ms, 0.5), "ms"));
        rows.push(row(format!("library.{name}.{kind}.p99"), percentile(&took_ms, 0.99), "ms"));
        all.extend(took_ms);
    }
    rows.push(row(format!("library.{name}.p50"), percentile(&all, 0.5), "ms"));
    rows.push(row(format!("library.{name}.p99"), percentile(&all, 0.99), "ms"));
    rows.push(row(format!("library.{name}.findable"), findable(&api).await?, "ms"));
    centre.stop()?;
    Ok(rows)
}

/// Sizes of files are far below what a float counts exactly.
#[expect(clippy::cast_precision_loss, reason = "up to 2^53 bytes are exact")]
fn bytes(size: u64) -> f64 {
    size as f64
}

fn rebuild(centre: &Centre) -> anyhow::Result<f64> {
    let mut command = Command::new(bin("lineman-server"));
    command.args(["cases", "rebuild", "--config"]).arg(centre.config()).stdin(Stdio::null());
    let begun = Instant::now();
    let output = command.output()?;
    ensure!(output.status.success(), "cases rebuild: {}", String::from_utf8_lossy(&output.stderr));
    Ok(begun.elapsed().as_secs_f64())
}

/// From the moment that a save is sent to the answer that has it: the slowest of some.
async fn findable(api: &Api) -> anyhow::Result<f64> {
    let mut slowest: f64 = 0.0;
    for number in 0..SAVED {
        let word = format!("zz{number}qxv");
        let body = json!({"en": {"title": format!("{word} stops"), "resolution": "done"}});
        let begun = Instant::now();
        let made = api.post("/api/v1/cases", &body).await?;
        let found = find(api, &word, 1, false).await?;
        slowest = slowest.max(begun.elapsed().as_secs_f64() * 1000.0);
        ensure!(found["items"][0]["number"] == made["number"], "{word} was saved and is not found");
    }
    Ok(slowest)
}
