//! The processes of a demo that is being built or held: started together, written down at once, ended together.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep, timeout};

use super::Error;
use super::place::{Place, read, write};
use super::process::{self, Process};

/// How long servers and agents may take to end their sessions, store what they hold, and go.
pub const GRACE: Duration = Duration::from_secs(15);
/// A step like `init` or `enrol` is done in a second or two, or something is wrong.
const STEP_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Name of the command that holds a demo, among its processes.
pub const HOLDER: &str = "demo";

pub struct Fleet {
    place: Place,
    processes: Vec<Process>,
    /// Our own children, to be reaped.
    children: Vec<Child>,
}

impl Fleet {
    /// A fleet that so far consists of this command, so that `demo down` can tell it to stop.
    pub fn new(place: &Place) -> Result<Self, Error> {
        let fleet = Self { place: place.clone(), processes: vec![Process::myself(HOLDER)?], children: Vec::new() };
        fleet.save()?;
        Ok(fleet)
    }

    fn save(&self) -> Result<(), Error> {
        save(&self.place, &self.processes)
    }

    /// Starts a program that goes on until it is told to end.
    pub fn start(&mut self, name: &str, program: &Path, args: &[OsString]) -> Result<(), Error> {
        let log = self.place.log(name);
        let (process, child) = process::start(name, program, args, &self.stdout_of(name), &log)?;
        self.processes.push(process);
        self.children.push(child);
        self.save()
    }

    /// What a program wrote to its standard output.
    pub fn stdout_of(&self, name: &str) -> PathBuf {
        self.place.log(name).with_extension("out")
    }

    /// Runs a program to its end, with `input` on its standard input.
    pub async fn step(&self, name: &str, program: &Path, args: &[OsString], input: &str) -> Result<(), Error> {
        let log = self.place.log(name);
        let failed = |why: String| Error::Step { what: format!("{name} ({})", program.display()), why, log: log.clone() };
        let open = || std::fs::File::options().create(true).append(true).open(&log).map_err(|source| Error::file("write", &log, source));
        let mut child = tokio::process::Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(open()?)
            .stderr(open()?)
            // Not in this terminal's foreground group: Ctrl-C is for us to hear, and dropping the child ends it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Error::file("start", program, source))?;
        let mut pipe = child.stdin.take();
        let done = async {
            if let Some(pipe) = pipe.as_mut() {
                // One that does not want its input closes the pipe; its exit code tells.
                let _ = pipe.write_all(input.as_bytes()).await;
            }
            drop(pipe);
            child.wait().await
        };
        match timeout(STEP_WITHIN, done).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(status.to_string())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("not done after {} s", STEP_WITHIN.as_secs()))),
        }
    }

    /// Fails if one that should be running has ended.
    pub fn check(&mut self, only: Option<&str>) -> Result<(), Error> {
        // The first process is this command; children are in the order of the others.
        for (process, child) in self.processes[1..].iter().zip(&mut self.children) {
            if only.is_none_or(|name| name == process.name)
                && let Ok(Some(status)) = child.try_wait()
            {
                return Err(Error::Step { what: process.name.clone(), why: format!("it ended: {status}"), log: process.log.clone() });
            }
        }
        Ok(())
    }

    /// Waits until `look` finds what it looks for.
    pub async fn until<T>(
        &mut self,
        what: &str,
        log: &Path,
        within: Duration,
        mut look: impl AsyncFnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            self.check(None)?;
            if Instant::now() >= deadline {
                let why = format!("not after {} s", within.as_secs());
                return Err(Error::Step { what: what.to_owned(), why, log: log.to_owned() });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Ends everything but this command; agents first, so that they can still say goodbye.
    pub async fn end(mut self, grace: Duration) -> Result<(), Error> {
        let ended = end(&self.processes[1..], grace).await;
        for child in &mut self.children {
            // Ended by now, or past help; not to be waited for.
            let _ = child.try_wait();
        }
        save(&self.place, &[])?;
        ended
    }

    /// Writes down that the processes go on without this command, for `demo down` to end.
    pub fn release(&self) -> Result<(), Error> {
        save(&self.place, &self.processes[1..])
    }
}

/// Agents, then the rest: a server that ends first would only make its agents search for it.
pub async fn end(processes: &[Process], grace: Duration) -> Result<(), Error> {
    let (server, agents): (Vec<_>, Vec<_>) = processes.iter().cloned().partition(|process| process.name == super::up::SERVER);
    let mut left = process::end(&agents, grace).await;
    left.extend(process::end(&server, grace).await);
    if left.is_empty() { Ok(()) } else { Err(Error::StillThere { names: left.join(", ") }) }
}

fn save(place: &Place, processes: &[Process]) -> Result<(), Error> {
    let json = serde_json::to_string_pretty(processes).map_err(Error::trust)?;
    write(&place.pids(), 0o600, json + "\n")
}

/// The processes that the demo in `place` started last; none if it never got that far.
pub fn processes(place: &Place) -> Result<Vec<Process>, Error> {
    if !place.pids().exists() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&read(&place.pids())?).map_err(|e| Error::Data(format!("{}: {e}", place.pids().display())))
}
