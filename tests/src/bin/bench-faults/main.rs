//! `make bench-faults`: alarms, storms, lists, filing and clocks of a real server process, through its public doors.
//!
//! Devices are simulated, their links are not: each enrols with a token, has a certificate of its own, and speaks the agent's protocol
//! over a WebSocket with mutual TLS. What the database alone commits is measured in the same run, on the same disk, beside it.
//! What takes days to grow (a million old alarms) is copied in the database file while no server runs; rows of a template that the
//! server itself wrote are copied, so that this program knows little of the schema. `BENCH_DIR` is where `faults.json` goes.

mod agent;
mod centre;
mod clocks;
mod events;
mod filing;
mod lists;
mod pages;
mod plan;
mod raw;
mod report;
mod seed;
mod storm;

use std::process::ExitCode;

use plan::{Part, Plan};

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-faults: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> anyhow::Result<()> {
    let plan = Plan::from_command_line()?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut report = report::report(&plan);
    for part in &plan.parts {
        eprintln!("{} ...", part.name());
        let rows = match part {
            Part::Events => runtime.block_on(events::measure(&plan))?,
            Part::Storm => runtime.block_on(storm::measure(&plan))?,
            Part::Lists => runtime.block_on(lists::measure(&plan))?,
            Part::Filing => runtime.block_on(filing::measure(&plan))?,
            Part::Pages => runtime.block_on(pages::measure(&plan))?,
            Part::Clocks => runtime.block_on(clocks::measure(&plan))?,
        };
        report.add(rows);
    }
    let file = report.write()?;
    if plan.json {
        print!("{}", report.json());
    } else {
        println!("{}written: {}", report.table(), file.display());
    }
    Ok(())
}
