//! What the kernel says of processes: `/proc`.
//!
//! CPU time of a tree is read at its root, as its own and that of the children it has waited for; so what is still running, or waits
//! to be collected, is in no figure yet. `settled` waits for that.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, WaitOptions, waitpid};

/// Times in `/proc/PID/stat` are in these, on every architecture that Lineman runs on (USER_HZ).
const TICKS_PER_S: f64 = 100.0;

struct Stat {
    name: String,
    parent: u32,
    own_ticks: f64,
    /// Of children that it has waited for, and of theirs.
    children_ticks: f64,
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("process {pid} is gone ({file})"))
}

fn stat(pid: u32) -> anyhow::Result<Stat> {
    let text = read(pid, "stat")?;
    // The name stands in parentheses and may hold anything.
    let (before, after) = text.rsplit_once(')').context("stat without a name")?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    ensure!(fields.len() > 14, "/proc/{pid}/stat is not understood");
    let ticks = |at: usize| -> anyhow::Result<f64> { Ok(fields[at].parse::<f64>()? + fields[at + 1].parse::<f64>()?) };
    let name = before.split_once('(').context("stat without a name")?.1.to_owned();
    Ok(Stat { name, parent: fields[1].parse()?, own_ticks: ticks(11)?, children_ticks: ticks(13)? })
}

/// Its own CPU time, and that of its children that have ended.
pub fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = stat(pid)?;
    Ok((stat.own_ticks + stat.children_ticks) / TICKS_PER_S)
}

/// CPU time of this program's children that have ended.
pub fn clients_cpu_s() -> anyhow::Result<f64> {
    Ok(stat(std::process::id())?.children_ticks / TICKS_PER_S)
}

fn all() -> Vec<(u32, Stat)> {
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(|pid| Some((pid, stat(pid).ok()?))).collect()
}

/// Everything below it, with the programs' names.
pub fn descendants(root: u32) -> Vec<(u32, String)> {
    let all = all();
    let mut found: Vec<(u32, String)> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (pid, stat) in all.iter().filter(|(_, stat)| stat.parent == parent) {
            found.push((*pid, stat.name.clone()));
            parents.push(*pid);
        }
    }
    found
}

/// Waits until these have no child left, and has collected those that this program was given as its orphans: stock `ssh` does not
/// wait for the second `ssh` that it starts for a jump.
pub fn settled(roots: &[u32], own: &[u32]) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let all = all();
        let orphans = all.iter().filter(|(pid, stat)| stat.parent == std::process::id() && !own.contains(pid));
        let mut left: Vec<&str> = Vec::new();
        for (pid, stat) in orphans {
            let raw = i32::try_from(*pid).ok().and_then(Pid::from_raw);
            if !matches!(waitpid(raw, WaitOptions::NOHANG), Ok(Some(_))) {
                left.push(&stat.name);
            }
        }
        left.extend(all.iter().filter(|(_, stat)| roots.contains(&stat.parent)).map(|(_, stat)| stat.name.as_str()));
        if left.is_empty() {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(60), "these have not ended: {}", left.join(", "));
        crate::stop::check()?;
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Its share of memory in KiB: pages that several use are divided among them. RSS where the kernel does not tell.
pub fn memory_kib(pid: u32) -> anyhow::Result<f64> {
    let field = |text: &str, name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_ascii_whitespace().next()?.parse::<f64>().ok());
        value.with_context(|| format!("the kernel does not tell {name} of {pid}"))
    };
    match read(pid, "smaps_rollup") {
        Ok(text) => field(&text, "Pss:"),
        Err(_) => field(&read(pid, "status")?, "VmRSS:"),
    }
}

/// Open sockets.
pub fn sockets(pid: u32) -> usize {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter(|entry| std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))).count()
}
