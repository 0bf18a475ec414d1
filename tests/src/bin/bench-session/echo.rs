//! How long a typed key takes to show: through a terminal here, `ssh -tt`, and the line discipline of the terminal there, which is
//! what echoes. All roads are open at once and get a key in turn, each at the pace of a person who types fast.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::kernel;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{Row, percentile};
use crate::roads::{Road, Roads};
use crate::stop::{self, Running};

const PACE: Duration = Duration::from_millis(20);
/// Not counted.
const FIRST_KEYS: u32 = 20;
const READY: &str = "type-now";
const PATIENCE: Duration = Duration::from_secs(30);
/// Erases the line: the terminal there holds no more than 4096 characters of one.
const KILL_LINE: u8 = 0x15;
const MOST_ON_A_LINE: u32 = 1000;

pub fn measure(roads: &Roads, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let open = |road| Terminal::open(roads, road).with_context(|| format!("a terminal, {}", road.title()));
    let mut terminals = Road::ALL.into_iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let mut samples: [Vec<f64>; 4] = Default::default();
    let begun = Instant::now();
    let count = u32::try_from(terminals.len())?;
    let progress = Progress::new("keys", FIRST_KEYS + plan.keys);
    for key in 0..FIRST_KEYS + plan.keys {
        if key % 50 == 0 {
            progress.at(key, "");
        }
        for (at, terminal) in terminals.iter_mut().enumerate() {
            let when = begun + PACE * key + PACE / count * u32::try_from(at)?;
            std::thread::sleep(when.saturating_duration_since(Instant::now()));
            stop::check()?;
            let ms = terminal.key(key)?;
            if key >= FIRST_KEYS {
                samples[at].push(ms);
            }
        }
    }
    drop(terminals);
    for road in Road::ALL {
        kernel::settled(&roads.servers(road), &roads.daemons())?;
    }
    let row = |(mark, share): (&str, f64)| Row::of_all(format!("echo_{mark}"), "ms", &samples, |ms| percentile(ms, share));
    Ok([("p50", 0.5), ("p99", 0.99)].map(row).into())
}

/// One `ssh` on a terminal of its own.
struct Terminal {
    client: Option<Running>,
    keyboard: File,
    /// What came, and when: read beside, so that nothing waits for ever.
    screen: Receiver<(Instant, Vec<u8>)>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    fn open(roads: &Roads, road: Road) -> anyhow::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags)?;
        unlockpt(&master)?;
        let slave: OwnedFd = ioctl_tiocgptpeer(&master, flags)?;
        let (keyboard, mut screen) = (File::from(master.try_clone()?), File::from(master));
        let client = {
            let mut command = roads.ssh(road, &["-tt"], &[&format!("echo {READY}; exec cat")]);
            command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
            Running::start(&mut command)?
        };
        let (seen, screen_of) = sync_channel(1024);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // It fails when the last one that had the terminal open has ended.
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                if seen.send((Instant::now(), buffer[..read].to_vec())).is_err() {
                    return;
                }
            }
        });
        let mut terminal = Self { client: Some(client), keyboard, screen: screen_of, reader: Some(reader) };
        terminal.until(|text| text.windows(READY.len()).any(|part| part == READY.as_bytes()))?;
        // What follows of that line.
        std::thread::sleep(Duration::from_millis(100));
        while terminal.screen.try_recv().is_ok() {}
        Ok(terminal)
    }

    fn until(&mut self, is_it: impl Fn(&[u8]) -> bool) -> anyhow::Result<Instant> {
        let mut text = Vec::new();
        loop {
            let Ok((when, bytes)) = self.screen.recv_timeout(PATIENCE) else {
                stop::check()?;
                bail!("nothing more to see after {:?}", String::from_utf8_lossy(&text));
            };
            text.extend(bytes);
            if is_it(&text) {
                return Ok(when);
            }
        }
    }

    /// Types one, and waits for it; answers milliseconds.
    fn key(&mut self, number: u32) -> anyhow::Result<f64> {
        if number % MOST_ON_A_LINE == MOST_ON_A_LINE - 1 {
            self.keyboard.write_all(&[KILL_LINE])?;
            std::thread::sleep(PACE);
            while self.screen.try_recv().is_ok() {}
        }
        let key = b'a' + u8::try_from(number % 26)?;
        let begun = Instant::now();
        self.keyboard.write_all(&[key])?;
        let seen = self.until(|text| text.contains(&key))?;
        Ok(seen.duration_since(begun).as_secs_f64() * 1000.0)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // First the client: the reader ends with it.
        drop(self.client.take());
        if let Some(reader) = self.reader.take() {
            // A full list of what nobody reads would hold it.
            while !reader.is_finished() {
                while self.screen.try_recv().is_ok() {}
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}
