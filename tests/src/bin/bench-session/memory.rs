//! Memory that a warm consent and an idle session take: on the agent, on the server, and beside them in sshd. Measured as a slope:
//! with many and with none.

use std::io::Read;
use std::process::{ChildStdin, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use lineman_tests::run;

use crate::kernel;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::Row;
use crate::roads::{Road, Roads};
use crate::stop::{self, Running};

/// Until what was just opened or closed has come to rest.
const REST: Duration = Duration::from_secs(2);

/// In KiB.
#[derive(Clone, Copy, Default)]
struct Memory {
    /// The agent, or the sshd that has the sessions: the program alone, with its processes for each session.
    device: f64,
    /// The server, or the sshd that is jumped through.
    centre: f64,
    /// What runs in the sessions, and belongs to nobody's program.
    shells: f64,
}

impl Memory {
    fn now(roads: &Roads, road: Road) -> anyhow::Result<Self> {
        let mut sum = Self::default();
        let servers = roads.servers(road);
        for (at, root) in servers.iter().enumerate() {
            let place = if at == 0 { &mut sum.device } else { &mut sum.centre };
            *place += kernel::memory_kib(*root)?;
            for (pid, name) in kernel::descendants(*root) {
                let place = match (name.as_str(), at) {
                    ("sshd" | "lineman-agent", 0) => &mut sum.device,
                    ("sshd", _) => &mut sum.centre,
                    _ => &mut sum.shells,
                };
                *place += kernel::memory_kib(pid)?;
            }
        }
        Ok(sum)
    }

    fn each(self, before: Self, count: u32) -> Self {
        let slope = |now: f64, before: f64| (now - before) / f64::from(count);
        Self {
            device: slope(self.device, before.device),
            centre: slope(self.centre, before.centre),
            shells: slope(self.shells, before.shells),
        }
    }
}

pub fn measure(roads: &Roads, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    for road in Road::ALL {
        // What a first visit brings into memory, it brings once.
        run(&mut roads.ssh(road, &["-tt"], &["true"])).ok();
        kernel::settled(&roads.servers(road), &roads.daemons())?;
    }
    let mut rows = consents(roads, plan)?;
    let mut each = Vec::new();
    let idle = Road::ALL.map(|road| Memory::now(roads, road)).into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    // All stay until the last is measured: sessions in the place that others have left would seem to cost nothing.
    let mut clients = Vec::new();
    for road in Road::ALL {
        let before = Memory::now(roads, road)?;
        let progress = Progress::new(format!("idle sessions, {}", road.title()), plan.sessions);
        for count in 0..plan.sessions {
            progress.at(count, "");
            clients.push(session(roads, road).with_context(|| format!("session {count}, {}", road.title()))?);
        }
        std::thread::sleep(REST);
        stop::check()?;
        each.push(Memory::now(roads, road)?.each(before, plan.sessions));
    }
    drop(clients);
    for road in Road::ALL {
        kernel::settled(&roads.servers(road), &roads.daemons())?;
    }
    let row = |name: &str, of: &[Memory], get: fn(&Memory) -> f64| Row {
        metric: name.to_owned(),
        unit: "KiB",
        values: std::array::from_fn(|at| Some(get(&of[at]))),
    };
    rows.push(row("idle_device", &idle, |memory| memory.device));
    rows.push(row("idle_centre", &idle, |memory| memory.centre));
    rows.push(row("session_device", &each, |memory| memory.device));
    rows.push(row("session_centre", &each, |memory| memory.centre));
    rows.push(row("session_shell", &each, |memory| memory.shells));
    Ok(rows)
}

/// Live consents keep a leg each, dialled and parked.
fn consents(roads: &Roads, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let road = Road::LinemanJump;
    std::thread::sleep(REST);
    let (before, sockets) = (Memory::now(roads, road)?, kernel::sockets(roads.agent()));
    let mut ids = Vec::new();
    let progress = Progress::new("live consents", plan.consents);
    for count in 0..plan.consents {
        progress.at(count, "");
        stop::check()?;
        ids.push(roads.consent());
    }
    drop(progress);
    std::thread::sleep(REST);
    let each = Memory::now(roads, road)?.each(before, plan.consents);
    let legs = kernel::sockets(roads.agent()).saturating_sub(sockets) as f64 / f64::from(plan.consents);
    for id in &ids {
        roads.revoke(id);
    }
    let of_lineman = |metric: &str, unit, value| Row { metric: metric.to_owned(), unit, values: [None, None, Some(value), None] };
    Ok(vec![
        of_lineman("consent_device", "KiB", each.device),
        of_lineman("consent_centre", "KiB", each.centre),
        of_lineman("consent_legs", "count", legs),
    ])
}

/// A shell that waits for input; it ends with the input.
fn session(roads: &Roads, road: Road) -> anyhow::Result<(Running, ChildStdin)> {
    let mut command = roads.ssh(road, &["-tt"], &[]);
    let mut client = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()))?;
    let input = client.0.stdin.take().context("no input")?;
    let mut prompt = [0];
    let read = client.0.stdout.as_mut().context("no output")?.read(&mut prompt)?;
    ensure!(read == 1, "no prompt");
    Ok((client, input))
}
