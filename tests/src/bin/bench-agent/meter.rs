//! What the kernel says about a process: `/proc/PID`.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::Plan;

/// Times in `/proc/PID/stat` are in these, on every architecture that Lineman runs on (USER_HZ).
const TICKS_PER_S: f64 = 100.0;
const KIB: f64 = 1024.0;

/// What one program needed.
pub struct Figures {
    pub cpu_s_per_min: f64,
    /// The mean of the samples, as are the next two.
    pub rss_mib: f64,
    /// Shared pages divided by their users.
    pub pss_mib: f64,
    /// Heap and stacks; the rest is mapped from files.
    pub anon_mib: f64,
    /// The most it ever had, starting included.
    pub peak_mib: f64,
    pub threads: f64,
}

pub struct Meter;

impl Meter {
    /// Measures for the plan's time; `each` is called once an interval, as a scraper would.
    pub fn over(pid: u32, plan: &Plan, mut each: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Figures> {
        let interval = Duration::from_secs(plan.interval_s.into());
        let (begun, cpu_before) = (Instant::now(), cpu_s(pid)?);
        let mut samples: Vec<[f64; 3]> = Vec::new();
        let mut at = Duration::ZERO;
        while at < plan.window {
            each()?;
            // In the middle between two rounds: neither the best moment nor the worst.
            sleep_until(begun + (at + interval / 2).min(plan.window));
            samples.push(memory(pid)?);
            at += interval;
            sleep_until(begun + at.min(plan.window));
        }
        let spent_s = cpu_s(pid)? - cpu_before;
        let minutes = begun.elapsed().as_secs_f64() / 60.0;
        let mean = |of: usize| samples.iter().map(|sample| sample[of]).sum::<f64>() / samples.len() as f64 / KIB;
        let status = read(pid, "status")?;
        Ok(Figures {
            cpu_s_per_min: spent_s / minutes,
            rss_mib: mean(0),
            pss_mib: mean(1),
            anon_mib: mean(2),
            peak_mib: field(&status, "VmHWM")? / KIB,
            threads: field(&status, "Threads")?,
        })
    }
}

fn sleep_until(when: Instant) {
    std::thread::sleep(when.saturating_duration_since(Instant::now()));
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("process {pid} is gone ({file})"))
}

/// RSS, PSS and anonymous memory in KiB.
fn memory(pid: u32) -> anyhow::Result<[f64; 3]> {
    let rollup = read(pid, "smaps_rollup")?;
    Ok([field(&rollup, "Rss")?, field(&rollup, "Pss")?, field(&rollup, "Anonymous")?])
}

/// From `Name:   123 kB`.
fn field(text: &str, name: &str) -> anyhow::Result<f64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.split_ascii_whitespace().next());
    value.and_then(|value| value.parse().ok()).with_context(|| format!("the kernel does not tell {name}"))
}

/// All CPU time so far.
///
/// utime and stime of `stat` have all threads, but only whole ticks of 10 ms, and a round of the agent takes less than one;
/// `schedstat` has nanoseconds, but only of the threads that live. Neither says too much, so the larger is the better one.
fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = read(pid, "stat")?;
    let fields = after_name(&stat);
    ensure!(fields.len() > 12, "/proc/{pid}/stat is not understood");
    let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    let nanoseconds = std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten().filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<f64>().ok()
    });
    Ok((ticks / TICKS_PER_S).max(nanoseconds.sum::<f64>() / 1e9))
}

/// The fields of `stat` from the state on: the name before may hold anything.
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_ascii_whitespace().collect())
}

/// A zombie has ended, whoever was to collect it.
pub fn is_running(pid: u32) -> bool {
    read(pid, "stat").is_ok_and(|stat| after_name(&stat).first().is_some_and(|state| *state != "Z"))
}
