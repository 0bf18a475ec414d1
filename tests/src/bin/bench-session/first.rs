//! From starting `ssh` to the first byte of `echo x`: cold, and with a ControlMaster that is there already.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::kernel;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{Row, percentile};
use crate::roads::{Road, Roads};
use crate::stop::{self, Running};

pub fn measure(roads: &Roads, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let cold = rounds(plan, "first output, cold", |road| one(&mut roads.ssh(road, &[], &["echo x"])))?;
    let masters = Road::ALL.into_iter().map(|road| master(roads, road)).collect::<anyhow::Result<Vec<_>>>()?;
    let warm = rounds(plan, "first output, ControlMaster", |road| {
        one(&mut roads.ssh(road, &["-o", &format!("ControlPath={}", roads.socket(road).display())], &["echo x"]))
    })?;
    drop(masters);
    for road in Road::ALL {
        kernel::settled(&roads.servers(road), &roads.daemons())?;
    }
    let mut rows = Vec::new();
    for (name, samples) in [("first_cold", cold), ("first_mux", warm)] {
        for (mark, share) in [("p50", 0.5), ("p90", 0.9)] {
            rows.push(Row::of_all(format!("{name}_{mark}"), "ms", &samples, |ms| percentile(ms, share)));
        }
    }
    Ok(rows)
}

/// All roads in turn, round by round: what disturbs, disturbs them alike. The first round is not counted.
fn rounds(plan: &Plan, what: &str, mut one: impl FnMut(Road) -> anyhow::Result<f64>) -> anyhow::Result<[Vec<f64>; 4]> {
    let mut samples: [Vec<f64>; 4] = Default::default();
    let progress = Progress::new(what, plan.rounds);
    for round in 0..=plan.rounds {
        for (at, road) in Road::ALL.into_iter().enumerate() {
            progress.at(round, road.title());
            let ms = one(road).with_context(|| format!("{what}, {}", road.title()))?;
            if round > 0 {
                samples[at].push(ms);
            }
        }
    }
    Ok(samples)
}

fn one(command: &mut Command) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let mut client = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let mut first = [0];
    let read = client.0.stdout.as_mut().context("no output")?.read(&mut first)?;
    let ms = begun.elapsed().as_secs_f64() * 1000.0;
    if read == 0 || first[0] != b'x' {
        let mut said = String::new();
        client.0.stderr.take().context("no stderr")?.read_to_string(&mut said)?;
        anyhow::bail!("no output: {said}");
    }
    let status = client.wait()?;
    ensure!(status.success(), "it ended with {status}");
    Ok(ms)
}

/// A connection for others to share.
fn master(roads: &Roads, road: Road) -> anyhow::Result<Running> {
    let socket = roads.socket(road);
    let path = format!("ControlPath={}", socket.display());
    let mut command = roads.ssh(road, &["-o", "ControlMaster=yes", "-o", &path, "-N"], &[]);
    let running = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let begun = Instant::now();
    while !socket.exists() {
        ensure!(begun.elapsed() < Duration::from_secs(30), "{}: no ControlMaster", road.title());
        stop::check()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(running)
}
