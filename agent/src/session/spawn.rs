//! Starting a session child, as the agent sees it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use rustix::pipe::fcntl_setpipe_size;
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child as Process, ChildStdin, Command};

use super::child::{self, ARGUMENT, Berth, ChildOrders, SESSION_VARIABLE};
use super::contain::{ChildEntry, Containment};
use super::pty::{self, Master, TerminalRequest};

/// Of a child's input and output; memory is only taken for what is in them.
const PIPE_BYTES: usize = 512 * 1024;

pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub type Writer = Box<dyn AsyncWrite + Send + Sync + Unpin>;

#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    #[error("making a terminal: {0}")]
    Terminal(io::Error),
    #[error("starting the session child: {0}")]
    Start(io::Error),
    #[error("giving the session child its orders: {0}")]
    Orders(io::Error),
}

pub struct Child {
    pub process: Process,
    pub group: Option<Pid>,
    /// A terminal is typed into instead.
    pub stdin: Option<Writer>,
    pub stdout: Reader,
    /// A terminal has no stderr of its own.
    pub stderr: Option<Reader>,
    pub terminal: Option<Master>,
    /// On the list of the agent's own children, for as long as this lives.
    pub entry: Option<ChildEntry>,
}

/// A child that has its berth, and waits for its orders. It dies with this value.
pub struct Waiting {
    process: Process,
    stdin: ChildStdin,
    entry: Option<ChildEntry>,
}

impl Waiting {
    /// Runs `program` (the agent itself) as a session child: on a terminal's other side, or on pipes.
    pub async fn start(program: &Path, berth: &Berth, slave: Option<OwnedFd>, containment: &Arc<Containment>) -> Result<Self, SpawnError> {
        let mut command = Command::new(program);
        command.arg(ARGUMENT).env_clear().env(SESSION_VARIABLE, berth.session.to_string()).stdin(Stdio::piped()).kill_on_drop(true);
        match slave {
            Some(slave) => command.stdout(slave.try_clone().map_err(SpawnError::Terminal)?).stderr(slave),
            None => command.stdout(Stdio::piped()).stderr(Stdio::piped()),
        };
        let mut process = command.spawn().map_err(SpawnError::Start)?;
        // Before it has its berth, and does anything.
        let entry = containment.child(process.id(), berth.session);
        let mut stdin = process.stdin.take().ok_or_else(no_pipe)?;
        tell(&mut stdin, berth).await?;
        // With the command go our copies of the terminal's other side: while we held them, its end would never show.
        Ok(Self { process, stdin, entry })
    }

    /// Does it still wait?
    pub fn is_there(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// It is not needed. Returns when it is gone.
    pub async fn dismiss(mut self) {
        let _ = self.process.kill().await;
    }

    /// Gives it its orders.
    pub async fn obey(self, orders: &ChildOrders, terminal: Option<Master>) -> Result<Child, SpawnError> {
        let Self { mut process, mut stdin, entry } = self;
        tell(&mut stdin, orders).await?;
        let group = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(master) = terminal {
            return Ok(Child {
                process,
                group,
                stdin: None,
                stdout: Box::new(master.clone()),
                stderr: None,
                terminal: Some(master),
                entry,
            });
        }
        let (stdout, stderr) = (process.stdout.take().ok_or_else(no_pipe)?, process.stderr.take().ok_or_else(no_pipe)?);
        widen(&stdin);
        widen(&stdout);
        Ok(Child {
            process,
            group,
            stdin: Some(Box::new(stdin)),
            stdout: Box::new(stdout),
            stderr: Some(Box::new(stderr)),
            terminal: None,
            entry,
        })
    }
}

async fn tell(stdin: &mut ChildStdin, message: &impl Serialize) -> Result<(), SpawnError> {
    let message = child::encode(message).map_err(|e| SpawnError::Orders(e.into()))?;
    stdin.write_all(&message).await.map_err(SpawnError::Orders)
}

fn no_pipe() -> SpawnError {
    SpawnError::Start(io::Error::other("the child has no pipe"))
}

/// Starts a child on a terminal.
pub async fn on_terminal(
    program: &Path,
    berth: &Berth,
    request: &TerminalRequest,
    orders: &ChildOrders,
    containment: &Arc<Containment>,
) -> Result<Child, SpawnError> {
    let (master, slave) = pty::open(request).map_err(SpawnError::Terminal)?;
    Waiting::start(program, berth, Some(slave), containment).await?.obey(orders, Some(master)).await
}

/// Bulk goes in fewer, larger pieces. Where the kernel allows no more, it stays as it was.
fn widen(pipe: impl AsFd) {
    if let Err(error) = fcntl_setpipe_size(pipe, PIPE_BYTES) {
        tracing::debug!(%error, "a pipe keeps its usual size");
    }
}

/// Signals the child's process group: the child leads one of its own.
pub fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // Gone already is what we wanted.
        let _ = kill_process_group(group, signal);
    }
}
