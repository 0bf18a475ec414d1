//! `make bench-agent`: memory and CPU of a connected agent, beside node_exporter and collectd on the same host.
//!
//! One after another, each alone: the agent with the default rules and a real server behind its real link, node_exporter
//! scraped over loopback, collectd writing to files; all every ten seconds. A peer that is not installed is left out.
//! `SECONDS_EACH` is the length of one measurement; `SMOKE=1` takes seconds, and its figures mean nothing; `BENCH_DIR` is where
//! `agent.json` goes (default: `bench` in cargo's target folder).

mod meter;
mod peers;
mod report;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use lineman_tests::{Demo, Process, bin, eventually, run};
use serde_json::Value;

use meter::{Figures, Meter};

/// How a measurement is made; the same for all.
pub struct Plan {
    /// Before the measurement, so that starting is in no figure but the peak.
    settle: Duration,
    window: Duration,
    /// Of the agent's rounds, the scrapes, and collectd's rounds.
    interval_s: u32,
}

fn main() -> anyhow::Result<()> {
    let smoke = std::env::var_os("SMOKE").is_some_and(|value| value != "0" && !value.is_empty());
    ensure!(smoke || !cfg!(debug_assertions), "a debug build says nothing: use `make bench-agent`, or SMOKE=1");
    let plan = plan(smoke)?;
    let mut measured = vec![agent(&plan).context("the agent")?];
    for (name, measure) in peers::ALL {
        match measure(&plan) {
            Ok(Some(figures)) => measured.push((*name, figures)),
            Ok(None) => println!("{name} is not installed: not compared"),
            Err(error) => println!("{name} can't be measured: {error:#}"),
        }
    }
    print!("{}", report::table(&measured, &plan));
    let file = report_dir()?.join("agent.json");
    report::write(&file, &measured)?;
    println!("written: {}", file.display());
    Ok(())
}

fn plan(smoke: bool) -> anyhow::Result<Plan> {
    let seconds = match std::env::var("SECONDS_EACH") {
        Ok(text) => text.parse().ok().filter(|seconds| (1..=86_400).contains(seconds)),
        Err(_) => Some(if smoke { 3 } else { 120 }),
    };
    let window = Duration::from_secs(seconds.context("SECONDS_EACH must be a number from 1 to 86400")?);
    let (settle_s, interval_s) = if smoke { (1, 1) } else { (15, 10) };
    Ok(Plan { settle: Duration::from_secs(settle_s), window, interval_s })
}

/// `target/bench`: the programs are in `target/release`.
fn report_dir() -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os("BENCH_DIR") {
        return Ok(dir.into());
    }
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).context("this program is in no target folder")?;
    Ok(target.join("bench"))
}

/// A demo's agent, with the configuration of an agent that nobody configured.
fn agent(plan: &Plan) -> anyhow::Result<(&'static str, Figures)> {
    let demo = Demo::up(1);
    let handle = demo.facts["equipment"][0].as_str().context("the demo has no equipment")?.to_owned();
    let name = demo.facts["devices"][0]["name"].as_str().context("the device has no name")?;
    stop(demo.pid_of(&handle))?;
    let state = demo.agent(&handle);
    let config = format!("interval_s = {}\ninterval_bounds_s = [1, 3600]\n", plan.interval_s);
    std::fs::write(state.join("agent.toml"), config)?;
    let mut command = Command::new(bin("lineman-agent"));
    command.arg("run").arg("--state").arg(&state);
    let process = Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
    eventually("the agent's link is up", || {
        let output = run(Command::new(bin("lineman-agent")).args(["status", "--json", "--state"]).arg(&state).stdin(Stdio::null()));
        let status: Value = serde_json::from_str(&output.stdout).map_err(|_| output.stderr.clone())?;
        if status["link"]["connected"] == true { Ok(()) } else { Err(status.to_string()) }
    });
    let stored = || -> anyhow::Result<usize> {
        let health = demo.http(Some("admin-z")).get(&format!("/api/v1/equipment/{name}/health?limit=10000")).ok();
        Ok(health["reports"].as_array().context("no reports")?.len())
    };
    std::thread::sleep(plan.settle);
    let before = stored()?;
    let figures = Meter::over(process.0.id(), plan, || Ok(()))?;
    let (arrived, seconds) = (stored()?.saturating_sub(before), plan.window.as_secs());
    println!("lineman-agent: {arrived} health reports arrived at the server in {seconds} s");
    // The phase of its rounds is not ours: one more or less is right.
    ensure!(arrived as u64 + 1 >= seconds / u64::from(plan.interval_s), "the agent did not report all the time");
    Ok((report::AGENT, figures))
}

/// Ends a process of the demo, and waits for that.
fn stop(pid: u32) -> anyhow::Result<()> {
    let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).context("not a pid")?;
    rustix::process::kill_process(raw, rustix::process::Signal::TERM)?;
    let begun = Instant::now();
    while meter::is_running(pid) {
        if begun.elapsed() > Duration::from_secs(20) {
            bail!("process {pid} did not end");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
