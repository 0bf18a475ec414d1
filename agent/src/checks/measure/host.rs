//! Load, uptime, number of processes, and the kernel's pressure figures.

use super::Round;

pub fn measure(round: &mut Round<'_>) {
    load(round);
    uptime(round);
    processes(round);
    for resource in ["cpu", "memory", "io"] {
        pressure(round, resource);
    }
}

fn load(round: &mut Round<'_>) {
    let path = round.roots.proc.join("loadavg");
    let Some(text) = round.reader.read(&path) else { return };
    let averages: Vec<f64> = text.split_ascii_whitespace().take(3).map_while(|word| word.parse().ok()).collect();
    for (name, average) in ["load.avg_1m", "load.avg_5m", "load.avg_15m"].into_iter().zip(averages) {
        round.put(name, average);
    }
}

fn uptime(round: &mut Round<'_>) {
    let path = round.roots.proc.join("uptime");
    if let Some(uptime_s) = round.reader.number(&path) {
        round.put("system.uptime_s", uptime_s.floor());
    }
}

/// Each process is a directory with a number for a name. (`loadavg` counts threads.)
fn processes(round: &mut Round<'_>) {
    let Ok(entries) = std::fs::read_dir(&round.roots.proc) else { return };
    let is_process = |entry: &std::fs::DirEntry| entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit);
    let count = entries.flatten().filter(is_process).count();
    if count > 0 {
        round.put("processes.count", count as f64);
    }
}

/// Share of the last minute in which some, or all, tasks waited for the resource (PSI, Linux 4.20 and later).
fn pressure(round: &mut Round<'_>, resource: &str) {
    let path = round.roots.proc.join("pressure").join(resource);
    let Some(text) = round.reader.read(&path) else { return };
    let named = |(kind, average)| (format!("pressure.{resource}.{kind}_60s_percent"), average);
    let averages: Vec<(String, f64)> = text.lines().filter_map(average_of).map(named).collect();
    for (name, average) in averages {
        round.put(name, average);
    }
}

/// From `some avg10=2.47 avg60=0.89 avg300=0.64 total=22203816`.
fn average_of(line: &str) -> Option<(&str, f64)> {
    let mut words = line.split_ascii_whitespace();
    let kind = words.next().filter(|kind| matches!(*kind, "some" | "full"))?;
    let average = words.find_map(|word| word.strip_prefix("avg60="))?.parse().ok()?;
    Some((kind, average))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    #[test]
    fn load_uptime_processes_and_pressure() {
        let mut tree = Tree::new();
        tree.write("proc/loadavg", "0.52 1.50 2.25 2/345 6789\n")
            .write("proc/uptime", "12345.67 4.5\n")
            .write("proc/1/stat", "")
            .write("proc/4711/stat", "")
            .write("proc/self/stat", "")
            .write(
                "proc/pressure/memory",
                "some avg10=2.47 avg60=0.89 avg300=0.64 total=1\nfull avg10=0.00 avg60=0.25 avg300=0.00 total=0\n",
            )
            .write("proc/pressure/io", "broken\n");
        let metrics = tree.round(true, measure);
        assert_eq!((metrics["load.avg_1m"], metrics["load.avg_5m"], metrics["load.avg_15m"]), (0.52, 1.5, 2.25));
        assert_eq!((metrics["system.uptime_s"], metrics["processes.count"]), (12345.0, 2.0));
        assert_eq!((metrics["pressure.memory.some_60s_percent"], metrics["pressure.memory.full_60s_percent"]), (0.89, 0.25));
        assert_eq!(metrics.len(), 7);
    }
}
