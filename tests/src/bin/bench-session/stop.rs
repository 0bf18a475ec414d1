//! Whatever this program starts ends with it: each client is known here while it runs, and a Ctrl-C ends them all. What was waiting
//! for one of them then fails, and on the way out everything else is stopped by its owner.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

static STOPPED: AtomicBool = AtomicBool::new(false);
/// By number, with a handle that can't mean another process.
static RUNNING: Mutex<BTreeMap<u32, OwnedFd>> = Mutex::new(BTreeMap::new());

/// From here on the first SIGINT or SIGTERM ends what runs, and the second one this program.
pub fn on_signals() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
                if STOPPED.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                eprintln!("bench-session: stopping; once more to leave without tidying up");
                let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
                for handle in running.values() {
                    let _ = pidfd_send_signal(handle, Signal::TERM);
                }
            }
        });
    });
    Ok(())
}

/// Fails once a signal has come.
pub fn check() -> anyhow::Result<()> {
    ensure!(!STOPPED.load(Ordering::Relaxed), "stopped by a signal");
    Ok(())
}

/// A client that runs; ended when dropped.
pub struct Running(pub Child);

impl Running {
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        check()?;
        let child = command.spawn().with_context(|| format!("{command:?}"))?;
        let running = Self(child);
        let raw = i32::try_from(running.0.id()).ok().and_then(Pid::from_raw).context("no pid")?;
        let handle = pidfd_open(raw, PidfdFlags::empty())?;
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).insert(running.0.id(), handle);
        // A signal between the check and the list would have missed it.
        check()?;
        Ok(running)
    }

    pub fn wait(mut self) -> anyhow::Result<ExitStatus> {
        let status = self.0.wait()?;
        check()?;
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let handle = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0.id());
        if let Some(handle) = handle {
            let _ = pidfd_send_signal(&handle, Signal::TERM);
        }
        let begun = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) {
            if begun.elapsed() > Duration::from_secs(2) {
                let _ = self.0.kill();
                let _ = self.0.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
