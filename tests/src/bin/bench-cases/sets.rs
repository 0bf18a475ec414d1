//! A set through the server: its documents go in as cases, its questions come out as hits.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use crate::centre::{Api, Centre, find, install, semantics};
use crate::floor::Floor;
use crate::plan::Plan;
use crate::report::{Row, percentile, row};
use crate::score::{Run, Scores, score};
use crate::set::Set;

/// Requests under way at once while a library is filled: commits are shared.
const AT_ONCE: usize = 64;
const HITS: u32 = 50;
/// A case is embedded in milliseconds, but there are thousands.
const PATIENCE: Duration = Duration::from_secs(3600);

pub async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Vec<Row>> {
    let set = Set::read(folder, plan.limit)?;
    let mut rows = Vec::new();
    for (name, floor) in [("fts5_trigram", Floor::Trigram), ("fts5_bigram", Floor::Bigram)] {
        rows.extend(figures(&set, name, score(&set, &floor.run(&set)?)));
    }
    let mut centre = Centre::new("cases")?;
    let api = centre.start()?;
    let begun = Instant::now();
    let ids = fill(&api, &set).await?;
    let ingest_s = begun.elapsed().as_secs_f64();
    whole(&api).await?;
    let words = ask(&api, &set, &ids).await?;
    write(&set, "run-words.tsv", &words.run)?;
    rows.extend(figures(&set, "words", score(&set, &words.run)));
    rows.push(row(format!("{}.words.p50", set.name), percentile(&words.took_ms, 0.5), "ms"));
    rows.push(row(format!("{}.words.p99", set.name), percentile(&words.took_ms, 0.99), "ms"));
    rows.push(row(format!("{}.ingest", set.name), ingest_s, "s"));
    let mut best = words;
    if let Some(wheel) = &plan.semantics {
        centre.stop()?;
        install(&centre, wheel)?;
        let api = centre.start()?;
        embedded(&centre, set.documents.len()).await?;
        whole(&api).await?;
        best = ask(&api, &set, &ids).await?;
        rows.extend(figures(&set, "meaning", score(&set, &best.run)));
        rows.push(row(format!("{}.meaning.p50", set.name), percentile(&best.took_ms, 0.5), "ms"));
        rows.push(row(format!("{}.meaning.p99", set.name), percentile(&best.took_ms, 0.99), "ms"));
    }
    write(&set, "run.tsv", &best.run)?;
    Ok(rows)
}

fn figures(set: &Set, how: &str, scores: Scores) -> [Row; 3] {
    let name = |what: &str| format!("{}.{how}.{what}", set.name);
    [row(name("ndcg10"), scores.ndcg, ""), row(name("mrr10"), scores.mrr, ""), row(name("recall10"), scores.recall, "")]
}

/// Makes a case of each document; answers the documents' ids by the cases' numbers.
async fn fill(api: &Api, set: &Set) -> anyhow::Result<HashMap<String, String>> {
    let made = stream::iter(&set.documents).map(|document| async move {
        let case = api.post("/api/v1/cases", &serde_json::to_value(document.case())?).await.with_context(|| document.id.clone())?;
        anyhow::Ok((case["number"].as_str().context("a case's number")?.to_owned(), document.id.clone()))
    });
    made.buffer_unordered(AT_ONCE).try_collect().await
}

/// Many cases at once are taken into the index in the background, and answers say so until they are.
async fn whole(api: &Api) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let answer = find(api, "a", 1, false).await?;
        let is_behind = answer["notes"].as_array().is_some_and(|notes| notes.iter().any(|note| note["kind"] == "rebuilding"));
        if !is_behind {
            return Ok(());
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the index is still not whole");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct Asked {
    run: Run,
    took_ms: Vec<f64>,
}

/// One question after the other, as one person would.
async fn ask(api: &Api, set: &Set, ids: &HashMap<String, String>) -> anyhow::Result<Asked> {
    let mut asked = Asked { run: Run::new(), took_ms: Vec::new() };
    for question in &set.questions {
        let begun = Instant::now();
        let answer = find(api, &question.text, HITS, false).await.with_context(|| question.id.clone())?;
        asked.took_ms.push(begun.elapsed().as_secs_f64() * 1000.0);
        let hit = |hit: &Value| {
            let id = ids.get(hit["number"].as_str()?)?;
            Some((id.clone(), hit["score"].as_f64()?))
        };
        let hits = answer["items"].as_array().context("no hits")?.iter().filter_map(hit).collect();
        asked.run.insert(question.id.clone(), hits);
    }
    Ok(asked)
}

/// `question <tab> document <tab> score`, best first.
fn write(set: &Set, name: &str, run: &Run) -> anyhow::Result<()> {
    let mut lines = String::new();
    for question in &set.questions {
        for (document, score) in run.get(&question.id).into_iter().flatten() {
            lines += &format!("{}\t{document}\t{score:.6}\n", question.id);
        }
    }
    let folder = lineman_tests::bench::dir()?.join("cases").join(&set.name);
    std::fs::create_dir_all(&folder)?;
    Ok(std::fs::write(folder.join(name), lines)?)
}

/// Waits until every case has its vector.
async fn embedded(centre: &Centre, cases: usize) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let status = semantics(centre)?;
        let made = status["vectors"].as_array().into_iter().flatten().filter_map(|vectors| vectors["cases"].as_u64()).max();
        if made.unwrap_or(0) >= u64::try_from(cases)? {
            return Ok(());
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the cases have no vectors yet: {status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
