//! `/proc/net/dev` and `/sys/class/net`: traffic, errors and state of the network interfaces.
//!
//! Interfaces that the administrator took down, and loopback, are left out.

use std::path::Path;

use super::source::{Counters, Reader};
use super::{Round, segment};

const FLAG_UP: u32 = 0x1;
const FLAG_LOOPBACK: u32 = 0x8;

/// A host of containers may have hundreds; a report must stay small.
const MOST: usize = 32;

const RATES: [&str; 6] = ["rx_bytes_per_s", "rx_errors_per_s", "rx_drops_per_s", "tx_bytes_per_s", "tx_errors_per_s", "tx_drops_per_s"];

#[derive(Default)]
pub struct Interfaces {
    counters: Counters<6>,
}

struct Interface {
    name: String,
    counters: [u64; 6],
}

impl Interfaces {
    pub fn measure(&mut self, round: &mut Round<'_>) {
        let path = round.roots.proc.join("net/dev");
        let Some(text) = round.reader.read(&path) else { return };
        let interfaces: Vec<_> = text.lines().filter_map(parse).collect();
        let class = round.roots.sys.join("class/net");
        let mut measured = 0;
        for Interface { name, counters } in interfaces {
            let dir = class.join(&name);
            if measured == MOST || !is_up(round.reader, &dir) {
                continue;
            }
            measured += 1;
            let segment = segment(&name);
            for (rate, grown) in RATES.iter().zip(self.counters.grown(&name, counters)) {
                round.put_rate(format!("net.{segment}.{rate}"), grown);
            }
            if let Some(oper_up) = oper_up(round.reader, &dir) {
                round.put(format!("net.{segment}.oper_up"), f64::from(u8::from(oper_up)));
            }
        }
        self.counters.end_round();
    }
}

/// `eth0: rx-bytes packets errs drop fifo frame compressed multicast tx-bytes packets errs drop ...`
fn parse(line: &str) -> Option<Interface> {
    let (name, counters) = line.split_once(':')?;
    let name = name.trim();
    // It becomes part of a path below.
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return None;
    }
    let mut fields = [0u64; 12];
    let mut words = counters.split_ascii_whitespace();
    for field in &mut fields {
        *field = words.next()?.parse().ok()?;
    }
    let [rx_bytes, _, rx_errors, rx_drops, _, _, _, _, tx_bytes, _, tx_errors, tx_drops] = fields;
    Some(Interface { name: name.to_owned(), counters: [rx_bytes, rx_errors, rx_drops, tx_bytes, tx_errors, tx_drops] })
}

fn is_up(reader: &mut Reader, dir: &Path) -> bool {
    let flags = reader.read(&dir.join("flags")).and_then(|text| u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok());
    // Without sysfs nothing is known about it, and it counts.
    flags.is_none_or(|flags| flags & FLAG_UP != 0 && flags & FLAG_LOOPBACK == 0)
}

/// RFC 2863's operational state; `None` when the driver does not tell.
fn oper_up(reader: &mut Reader, dir: &Path) -> Option<bool> {
    match reader.read(&dir.join("operstate"))?.trim() {
        "up" => Some(true),
        "down" | "lowerlayerdown" | "dormant" | "notpresent" | "testing" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Tree;
    use super::*;

    const HEAD: &str = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n";

    #[test]
    fn rates_and_state_of_what_is_up() {
        let mut tree = Tree::new();
        let mut interfaces = Interfaces::default();
        let dev = |n: u64| {
            let counters = format!("{} 1 {n} 0 0 0 0 0 {} 1 0 {n} 0 0 0 0", n * 1000, n * 500);
            format!("{HEAD}    lo: {counters}\n  eth0: {counters}\n  eth0.7:{counters}\n  off0: {counters}\nbad: 1 2\n../x: {counters}\n")
        };
        tree.write("sys/class/net/lo/flags", "0x9\n").write("sys/class/net/off0/flags", "0x1002\n");
        tree.write("sys/class/net/eth0/flags", "0x1003\n").write("sys/class/net/eth0/operstate", "up\n");
        tree.write("sys/class/net/eth0.7/flags", "0x1003\n").write("sys/class/net/eth0.7/operstate", "lowerlayerdown\n");
        tree.write("proc/net/dev", dev(10));
        let first = tree.round(true, |round| interfaces.measure(round));
        assert_eq!(first.len(), 2, "{first:?}");
        tree.write("proc/net/dev", dev(20));
        let metrics = tree.round(false, |round| interfaces.measure(round));
        assert_eq!((metrics["net.eth0.rx_bytes_per_s"], metrics["net.eth0.tx_bytes_per_s"]), (1000.0, 500.0));
        assert_eq!(
            (metrics["net.eth0.rx_errors_per_s"], metrics["net.eth0.tx_drops_per_s"], metrics["net.eth0.rx_drops_per_s"]),
            (1.0, 1.0, 0.0)
        );
        assert_eq!((metrics["net.eth0.oper_up"], metrics["net.eth0_7.oper_up"]), (1.0, 0.0));
        assert_eq!(metrics.len(), 14, "{metrics:?}");
    }
}
