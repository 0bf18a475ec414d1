//! Exec checks: programs of the local configuration in the Nagios plugin convention.
//!
//! A check runs without a shell, with a clean environment, in a process group of its own, and for a limited time: then the
//! whole group is killed. Of its output the first 8 KiB count. A few run at once, one check never twice at the same time.
//! The centre can ask for one by its name, and can't change what it runs.

use std::future::Future;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lineman_common::link::CheckStatus;
use lineman_common::printable::escape;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, Semaphore};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::error;

use super::config::Exec;
use super::nagios;

/// A queue of checks must not become a load of its own.
const MOST_AT_ONCE: usize = 4;

const MOST_OUTPUT_BYTES: usize = 8 * 1024;

/// How long the output of a check that has ended may stay open: something that it left behind holds it.
const LINGER: Duration = Duration::from_millis(250);

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What one run said.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub status: CheckStatus,
    /// One line.
    pub text: String,
    /// The whole output, for a person who asked for it.
    pub output: String,
    pub figures: Vec<(String, f64)>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this device has no check named `{}`: it has {known}", escape(name))]
pub struct NoSuchCheck {
    name: String,
    known: String,
}

/// Runs checks, for the schedule and for orders. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    checks: Arc<[Check]>,
    at_once: Arc<Semaphore>,
}

struct Check {
    exec: Exec,
    /// Held while it runs.
    running: Mutex<()>,
}

impl Runner {
    fn new(execs: Vec<Exec>) -> Self {
        let checks = execs.into_iter().map(|exec| Check { exec, running: Mutex::new(()) }).collect();
        Self { checks, at_once: Arc::new(Semaphore::new(MOST_AT_ONCE)) }
    }

    /// Runs the check of this name now, for the order `RunCheck`. What it finds is for who asked: alarms and metrics come
    /// from the check's own schedule.
    pub async fn run_named(&self, name: &str) -> Result<(CheckStatus, String), NoSuchCheck> {
        let Some(check) = self.checks.iter().find(|check| check.exec.name == name) else {
            let known: Vec<_> = self.checks.iter().map(|check| check.exec.name.as_str()).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(NoSuchCheck { name: name.chars().take(64).collect(), known });
        };
        let finding = self.run(check).await;
        Ok((finding.status, if finding.output.is_empty() { finding.text } else { finding.output }))
    }

    async fn run(&self, check: &Check) -> Finding {
        let _one = check.running.lock().await;
        // The semaphore is never closed.
        let _permit = self.at_once.acquire().await.ok();
        run(&check.exec).await
    }

    fn run_at(&self, at: usize) -> impl Future<Output = (usize, Finding)> + Send + 'static {
        let runner = self.clone();
        async move {
            let finding = match runner.checks.get(at) {
                Some(check) => runner.run(check).await,
                None => unknown("there is no such check".into()),
            };
            (at, finding)
        }
    }
}

/// The schedule.
pub struct Execs {
    runner: Runner,
    plans: Vec<Plan>,
    running: JoinSet<(usize, Finding)>,
}

struct Plan {
    due: Instant,
    running: Option<Id>,
}

impl Execs {
    pub fn new(execs: Vec<Exec>) -> Self {
        let now = Instant::now();
        let plans = execs.iter().map(|_| Plan { due: now, running: None }).collect();
        Self { runner: Runner::new(execs), plans, running: JoinSet::new() }
    }

    pub fn runner(&self) -> Runner {
        self.runner.clone()
    }

    pub fn exec(&self, at: usize) -> Option<&Exec> {
        self.runner.checks.get(at).map(|check| &check.exec)
    }

    pub fn has(&self, name: &str) -> bool {
        self.runner.checks.iter().any(|check| check.exec.name == name)
    }

    /// Starts checks as they fall due, and waits until one has ended. Can be dropped at any point: what runs goes on, and is
    /// found by the next call. Never ends when there are no checks.
    pub async fn next(&mut self) -> (usize, Finding) {
        loop {
            let now = Instant::now();
            for (at, plan) in self.plans.iter_mut().enumerate() {
                if plan.running.is_none() && plan.due <= now {
                    plan.running = Some(self.running.spawn(self.runner.run_at(at)).id());
                }
            }
            let due = self.plans.iter().filter(|plan| plan.running.is_none()).map(|plan| plan.due).min();
            let until_due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(joined) = self.running.join_next_with_id() => {
                    let (id, finding) = match joined {
                        Ok((id, (_, finding))) => (id, finding),
                        Err(error) => (error.id(), unknown("the check was broken off".into())),
                    };
                    let ended = self.plans.iter().position(|plan| plan.running == Some(id));
                    if let Some(at) = ended {
                        let every = self.runner.checks[at].exec.every;
                        let plan = &mut self.plans[at];
                        plan.running = None;
                        plan.due = (plan.due + every).max(Instant::now());
                        return (at, finding);
                    }
                }
                () = until_due => {}
            }
        }
    }
}

fn unknown(text: String) -> Finding {
    Finding { status: CheckStatus::Unknown, text, output: String::new(), figures: Vec::new() }
}

async fn run(exec: &Exec) -> Finding {
    let mut child = match spawn(exec) {
        Ok(child) => child,
        Err(error) => return unknown(format!("{} can't be started: {error}", exec.command[0])),
    };
    let mut output = Vec::new();
    let ended = watch(&mut child, exec.timeout, &mut output).await;
    let output = String::from_utf8_lossy(&output).trim_end().to_owned();
    match ended {
        Ok(Some(exit)) => finding(exit, output),
        Ok(None) => Finding { output, ..unknown(format!("timed out after {} s, and was killed", exec.timeout.as_secs())) },
        Err(error) => unknown(format!("it can't be waited for: {error}")),
    }
}

fn finding(exit: ExitStatus, output: String) -> Finding {
    let status = nagios::status_of(exit);
    let text = match (nagios::first_line(&output), exit.code()) {
        (text, Some(0..=3)) if text.is_empty() => format!("{status}, without a word"),
        (text, Some(0..=3)) => text,
        (text, _) => format!("ended with {exit} {text}").trim_end().to_owned(),
    };
    Finding { status, text, figures: nagios::figures(&output), output }
}

fn spawn(exec: &Exec) -> io::Result<Group> {
    let child = Command::new(&exec.command[0])
        .args(&exec.command[1..])
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C")
        .current_dir(Path::new("/"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok(Group { child })
}

/// A child with its process group, which does not outlive it.
struct Group {
    child: Child,
}

impl Group {
    /// While the child is not waited for, its number can't belong to anybody else.
    fn kill(&self) {
        if let Some(pid) = self.child.id().and_then(pid) {
            kill(pid);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

fn kill(group: Pid) {
    match kill_process_group(group, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(errno) => error!(error = %errno, "a check's process group can't be killed"),
    }
}

/// Waits for the child's end, `None` if it took too long, and collects what it wrote; stderr only if stdout stayed empty.
async fn watch(group: &mut Group, limit: Duration, output: &mut Vec<u8>) -> io::Result<Option<ExitStatus>> {
    let leader = group.child.id().and_then(pid);
    let (stdout, stderr) = (group.child.stdout.take(), group.child.stderr.take());
    let mut complaint = Vec::new();
    let ended = {
        let reading = async { tokio::join!(collect(stdout, output), collect(stderr, &mut complaint)) };
        tokio::pin!(reading);
        let mut read = false;
        let waiting = async {
            loop {
                tokio::select! {
                    exit = group.child.wait() => break exit,
                    _ = &mut reading, if !read => read = true,
                }
            }
        };
        let ended = timeout(limit, waiting).await;
        if ended.is_ok() && !read && timeout(LINGER, &mut reading).await.is_err() {
            // The group still has a member, which holds the pipe, so its number is still taken.
            if let Some(leader) = leader {
                kill(leader);
            }
        }
        ended
    };
    if output.is_empty() {
        *output = complaint;
    }
    if let Ok(exit) = ended {
        return exit.map(Some);
    }
    group.kill();
    group.child.wait().await.map(|_| None)
}

/// Reads to the end, so that the program never blocks on a full pipe, and keeps the beginning.
async fn collect(source: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut source) = source else { return };
    let mut buffer = [0; 1024];
    loop {
        match source.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => {
                let room = MOST_OUTPUT_BYTES.saturating_sub(kept.len());
                kept.extend_from_slice(&buffer[..read.min(room)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lineman_common::alarm::{EventType, ProbableCause};

    use super::*;

    fn sh(name: &str, script: &str, timeout_ms: u64) -> Exec {
        Exec {
            name: name.into(),
            command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            every: Duration::from_millis(20),
            timeout: Duration::from_millis(timeout_ms),
            event_type: EventType::Equipment,
            probable_cause: ProbableCause::EquipmentMalfunction,
        }
    }

    async fn result_of(script: &str) -> Finding {
        run(&sh("x", script, 20_000)).await
    }

    #[tokio::test]
    async fn exit_codes_text_and_figures() {
        let finding = result_of("echo 'RAID degraded | disks=3;4;2'; exit 1").await;
        assert_eq!((finding.status, finding.text.as_str()), (CheckStatus::Warning, "RAID degraded"));
        assert_eq!(finding.figures, [("disks".to_owned(), 3.0)]);
        assert_eq!(result_of("exit 0").await.text, "ok, without a word");
        assert_eq!(result_of("echo all well").await.status, CheckStatus::Ok);
        assert_eq!(result_of("exit 2").await.status, CheckStatus::Critical);
        let finding = result_of("echo lost >&2; exit 127").await;
        assert_eq!((finding.status, finding.text.as_str()), (CheckStatus::Unknown, "ended with exit status: 127 lost"));
        assert!(result_of("kill -9 $$").await.text.contains("signal: 9"));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_unknown() {
        let exec = Exec { command: vec!["/no/such/program".into()], ..sh("x", "", 1) };
        let finding = run(&exec).await;
        assert_eq!(finding.status, CheckStatus::Unknown);
        assert!(finding.text.starts_with("/no/such/program can't be started: "), "{}", finding.text);
    }

    #[tokio::test]
    async fn no_shell_no_input_and_a_clean_environment() {
        let exec = Exec { command: vec!["/bin/echo".into(), "$HOME; id `id`".into()], ..sh("x", "", 20_000) };
        assert_eq!(run(&exec).await.text, "$HOME; id `id`");
        assert_eq!(result_of("cat; pwd; env | grep -c CARGO").await.output, "/\n0");
    }

    #[tokio::test]
    async fn output_is_limited_and_a_flood_does_not_block_the_program() {
        let finding = result_of("head -c 1000000 /dev/zero | tr '\\0' x; exit 1").await;
        assert_eq!((finding.status, finding.output.len()), (CheckStatus::Warning, MOST_OUTPUT_BYTES));
    }

    /// Is any process left that has this text on its command line?
    fn is_running(marker: &str) -> bool {
        std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let mine = entry.file_name().to_str().is_some_and(|name| name == std::process::id().to_string());
            !mine && String::from_utf8_lossy(&command).contains(marker)
        })
    }

    async fn until_ended(marker: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while is_running(marker) {
            assert!(Instant::now() < deadline, "{marker} still runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_timeout_kills_the_whole_group() {
        let finding = run(&sh("x", "echo begun; sleep 98761 & sleep 98761", 200)).await;
        assert_eq!((finding.status, finding.text.as_str()), (CheckStatus::Unknown, "timed out after 0 s, and was killed"));
        assert_eq!(finding.output, "begun");
        until_ended("98761").await;
    }

    #[tokio::test]
    async fn what_a_check_leaves_behind_does_not_hold_its_result() {
        let finding = run(&sh("x", "sleep 98762 & echo done; exit 2", 60_000)).await;
        assert_eq!((finding.status, finding.text.as_str()), (CheckStatus::Critical, "done"));
        until_ended("98762").await;
    }

    #[tokio::test]
    async fn a_dropped_run_leaves_no_process() {
        let exec = sh("x", "sleep 98763 & sleep 98763", 60_000);
        let mut running = Box::pin(run(&exec));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_running("98763") {
            assert!(Instant::now() < deadline && timeout(Duration::from_millis(10), &mut running).await.is_err());
        }
        drop(running);
        until_ended("98763").await;
    }

    #[tokio::test]
    async fn the_schedule_repeats_and_can_be_dropped_at_any_point() {
        let mut execs = Execs::new(vec![sh("one", "exit 1", 20_000), sh("two", "exit 2", 20_000)]);
        let mut seen = [0; 2];
        while seen.iter().any(|count| *count < 3) {
            if let Ok((at, finding)) = timeout(Duration::from_millis(3), execs.next()).await {
                assert_eq!(finding.status, [CheckStatus::Warning, CheckStatus::Critical][at]);
                seen[at] += 1;
            }
        }
        let nothing = timeout(Duration::from_millis(20), Execs::new(Vec::new()).next()).await;
        assert!(nothing.is_err(), "no checks: it waits");
    }

    #[tokio::test]
    async fn an_order_runs_a_check_by_its_name_only() {
        let runner = Execs::new(vec![sh("one", "echo a; echo b; exit 1", 20_000)]).runner();
        assert_eq!(runner.run_named("one").await, Ok((CheckStatus::Warning, "a\nb".to_owned())));
        let error = runner.run_named("/bin/sh\x1b").await.unwrap_err();
        assert_eq!(error.to_string(), "this device has no check named `/bin/sh\\u{1b}`: it has one");
    }

    #[tokio::test]
    async fn one_check_never_runs_twice_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().display();
        let script = format!("mkdir {path}/busy || exit 2; sleep 0.05; rmdir {path}/busy");
        let runner = Execs::new(vec![sh("one", &script, 20_000)]).runner();
        let mut runs = JoinSet::new();
        for _ in 0..6 {
            let runner = runner.clone();
            runs.spawn(async move { runner.run_named("one").await.unwrap().0 });
        }
        while let Some(status) = runs.join_next().await {
            assert_eq!(status.unwrap(), CheckStatus::Ok);
        }
    }
}
