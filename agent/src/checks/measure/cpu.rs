//! `/proc/stat`: how busy the processors are.

use super::Round;

/// Time in ticks since boot, as the aggregated `cpu` line counts it.
#[derive(Clone, Copy, Default)]
struct Ticks {
    total: u64,
    idle: u64,
    iowait: u64,
    steal: u64,
}

#[derive(Default)]
pub struct Cpu {
    before: Option<Ticks>,
}

impl Cpu {
    pub fn measure(&mut self, round: &mut Round<'_>) {
        let path = round.roots.proc.join("stat");
        let Some(text) = round.reader.read(&path) else { return };
        let mut ticks = None;
        let mut processors = 0u32;
        let (mut running, mut blocked) = (None, None);
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("cpu ") {
                ticks = Ticks::parse(rest);
            } else if line.starts_with("cpu") {
                processors += 1;
            } else if let Some(rest) = line.strip_prefix("procs_running ") {
                running = rest.parse().ok();
            } else if let Some(rest) = line.strip_prefix("procs_blocked ") {
                blocked = rest.parse().ok();
            }
        }
        if processors > 0 {
            round.put("cpu.count", f64::from(processors));
        }
        for (name, value) in [("processes.running_count", running), ("processes.blocked_count", blocked)] {
            if let Some(value) = value {
                round.put(name, value);
            }
        }
        if let Some(ticks) = ticks
            && let Some(before) = self.before.replace(ticks)
        {
            ticks.put(before, round);
        }
    }
}

impl Ticks {
    /// user nice system idle iowait irq softirq steal; guest times are in user and nice already.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = [0u64; 8];
        let mut words = text.split_ascii_whitespace();
        for (at, field) in fields.iter_mut().enumerate() {
            match words.next() {
                Some(word) => *field = word.parse().ok()?,
                // Kernels before 2.6.11 have fewer.
                None if at >= 4 => break,
                None => return None,
            }
        }
        let total = fields.iter().try_fold(0u64, |sum, field| sum.checked_add(*field))?;
        Some(Self { total, idle: fields[3], iowait: fields[4], steal: fields[7] })
    }

    fn put(self, before: Self, round: &mut Round<'_>) {
        let total = self.total.saturating_sub(before.total);
        // The kernel's idle and iowait are known to go back a little at times.
        let idle = self.idle.saturating_sub(before.idle);
        let iowait = self.iowait.saturating_sub(before.iowait);
        let steal = self.steal.saturating_sub(before.steal);
        round.put_percent("cpu.busy_percent", total.saturating_sub(idle).saturating_sub(iowait), total);
        round.put_percent("cpu.iowait_percent", iowait.min(total), total);
        round.put_percent("cpu.steal_percent", steal.min(total), total);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    #[test]
    fn busy_is_what_is_neither_idle_nor_waiting() {
        let mut tree = Tree::new();
        let mut cpu = Cpu::default();
        tree.write(
            "proc/stat",
            "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3 4\ncpu1 1 2 3 4\nintr 5\nprocs_running 3\nprocs_blocked 1\n",
        );
        let first = tree.round(true, |round| cpu.measure(round));
        assert_eq!((first["cpu.count"], first["processes.running_count"], first["processes.blocked_count"]), (2.0, 3.0, 1.0));
        assert!(!first.contains_key("cpu.busy_percent"), "no rate in the first round");
        tree.write("proc/stat", "cpu  150 0 110 720 110 0 0 10 50 0\n");
        let second = tree.round(false, |round| cpu.measure(round));
        assert_eq!((second["cpu.busy_percent"], second["cpu.iowait_percent"], second["cpu.steal_percent"]), (70.0, 10.0, 10.0));
    }

    #[test]
    fn no_time_passed_is_no_metric() {
        let mut tree = Tree::new();
        let mut cpu = Cpu::default();
        tree.write("proc/stat", "cpu  1 1 1 1 1 1 1 1\n");
        tree.round(true, |round| cpu.measure(round));
        assert!(tree.round(false, |round| cpu.measure(round)).is_empty());
    }
}
