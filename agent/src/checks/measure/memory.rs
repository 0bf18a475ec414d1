//! `/proc/meminfo`.

use super::Round;

pub fn measure(round: &mut Round<'_>) {
    let path = round.roots.proc.join("meminfo");
    let Some(text) = round.reader.read(&path) else { return };
    let [mut total, mut available, mut free, mut cached, mut buffers, mut swap_total, mut swap_free] = [None; 7];
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let field = match name {
            "MemTotal" => &mut total,
            "MemAvailable" => &mut available,
            "MemFree" => &mut free,
            "Cached" => &mut cached,
            "Buffers" => &mut buffers,
            "SwapTotal" => &mut swap_total,
            "SwapFree" => &mut swap_free,
            _ => continue,
        };
        *field = kib(value);
    }
    // Kernels before 3.14 do not estimate what is available.
    let available = available.or_else(|| Some(free? + cached.unwrap_or(0) + buffers.unwrap_or(0)));
    if let (Some(total), Some(available)) = (total, available) {
        let available = available.min(total);
        round.put("memory.total_bytes", total as f64);
        round.put("memory.available_bytes", available as f64);
        round.put_percent("memory.used_percent", total - available, total);
    }
    if let (Some(total @ 1..), Some(free)) = (swap_total, swap_free) {
        let used = total.saturating_sub(free);
        round.put("swap.total_bytes", total as f64);
        round.put("swap.used_bytes", used as f64);
        round.put_percent("swap.used_percent", used, total);
    }
}

/// `  16384 kB` in bytes.
fn kib(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    #[test]
    fn memory_and_swap() {
        let mut tree = Tree::new();
        tree.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\nSwapTotal: 100 kB\nSwapFree: 90 kB\n");
        let metrics = tree.round(true, measure);
        assert_eq!((metrics["memory.total_bytes"], metrics["memory.available_bytes"]), (1_024_000.0, 256_000.0));
        assert_eq!((metrics["memory.used_percent"], metrics["swap.used_percent"], metrics["swap.used_bytes"]), (75.0, 10.0, 10240.0));
    }

    #[test]
    fn no_swap_is_no_metric_and_an_old_kernel_is_estimated() {
        let mut tree = Tree::new();
        tree.write("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 150 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
        let metrics = tree.round(true, measure);
        assert_eq!(metrics.get("memory.used_percent"), Some(&70.0));
        assert!(!metrics.contains_key("swap.used_percent"));
    }
}
