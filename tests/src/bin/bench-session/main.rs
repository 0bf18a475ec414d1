//! `make bench-session`: a session through Lineman beside plain OpenSSH.
//!
//! On one host and in one run, over loopback, with the same key exchange and the same cipher: straight to sshd, through a second sshd
//! with ProxyJump, through Lineman by `-J`, and by `lineman ssh`. All of them in turn, round by round, so that what disturbs hits
//! them alike; the goals are ratios between them. Lineman records everything meanwhile, as it always does. `BENCH_DIR` is where
//! `session.json` goes (default: `bench` in cargo's target folder).

mod bulk;
mod echo;
mod first;
mod kernel;
mod memory;
mod plan;
mod progress;
mod report;
mod roads;
mod sshd;
mod stop;

use std::process::ExitCode;

use plan::{Part, Plan};
use report::{Facts, Report};
use roads::{Road, Roads};

fn main() -> ExitCode {
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-session: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> anyhow::Result<()> {
    let plan = Plan::from_command_line()?;
    stop::on_signals()?;
    let roads = Roads::build(&plan.cipher)?;
    // Only now: what the demo left running in the background stays with the system. What clients leave comes to us, and is counted.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut negotiated = Vec::new();
    for road in Road::ALL {
        negotiated.push((road, roads.negotiated(road)?));
    }
    let facts = Facts::new(negotiated);
    let mut rows = Vec::new();
    for part in &plan.parts {
        stop::check()?;
        rows.extend(match part {
            Part::Memory => memory::measure(&roads, &plan)?,
            Part::First => first::measure(&roads, &plan)?,
            Part::Echo => echo::measure(&roads, &plan)?,
            Part::Bulk => bulk::measure(&roads, &plan)?,
        });
    }
    let report = Report::new(&facts, &plan, rows);
    let file = report.write()?;
    if plan.json {
        print!("{}", report.json());
    } else {
        println!("{}written: {}", report.table(), file.display());
    }
    Ok(())
}
