//! `make bench-cases`: how well and how fast the case library finds, through the real ingest and search of a real server process.
//!
//! - **Sets**: each retrieval set becomes a library of cases, made with `POST /api/v1/cases`; each of its questions is asked with
//!   `GET /api/v1/cases`. What comes back is written as `run.tsv` and scored, beside two floors made here with SQLite FTS5. By words
//!   alone, and with meaning when a model is given.
//! - **Library**: a synthetic one of two sizes, for speed (`library.rs`, `speed.rs`).
//!
//! `BENCH_DIR` is where `cases.json` and the runs go. The sets are not part of the project.

mod centre;
mod floor;
mod library;
mod plan;
mod report;
mod score;
mod set;
mod sets;
mod speed;

use std::process::ExitCode;

use plan::Plan;

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-cases: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> anyhow::Result<()> {
    let plan = Plan::from_command_line()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut report = report::report(&plan);
    if plan.data.is_empty() {
        println!("{}", plan::WHERE_SETS_ARE);
    }
    for folder in &plan.data {
        eprintln!("{} ...", folder.display());
        report.add(runtime.block_on(sets::measure(&plan, folder))?);
    }
    if plan.library {
        report.add(runtime.block_on(speed::measure(&plan))?);
    }
    let file = report.write()?;
    println!("{}written: {}", report.table(), file.display());
    Ok(())
}
