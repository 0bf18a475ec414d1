//! The control socket: what the administrator of this device asks of the running agent.
//!
//! One JSON line each way over a Unix socket in the state directory, which only its owner can open. It works without the
//! centre: a session can be killed here when the centre can't, or doesn't want to, pass it on.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::{ConsentId, SessionId, SpoolEpoch};
use lineman_common::link::Stream;
use lineman_common::name::{FaultNumber, NeName, PersonName};
use lineman_common::session::Doors;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::agent::{Agent, LinkState, SOFTWARE};
use crate::session::registry::SessionInfo;

const SOCKET: &str = "control.sock";
const MAX_LINE_BYTES: u64 = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
/// Callers at one time; the next one waits in the socket's backlog.
const MAX_CALLERS: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("no agent runs with the state directory {dir} (start it with `lineman-agent run --state {dir}`)", dir = .0.display())]
    NotRunning(PathBuf),
    #[error("the control socket {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("the agent's answer can't be read: {0}")]
    Answer(String),
    #[error("{0}")]
    Refused(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Question {
    Status,
    Sessions,
    Consents,
    Kill { session: SessionId },
    ResetClock,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Reply {
    Status(Box<Status>),
    Sessions {
        sessions: Vec<SessionInfo>,
    },
    Consents {
        consents: Vec<ConsentInfo>,
    },
    /// What was forgotten, and what counts now.
    Clock {
        forgotten: Option<Timestamp>,
        now: Timestamp,
    },
    Done,
    Refused {
        reason: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub device: NeName,
    pub software: String,
    pub server: String,
    pub link: LinkState,
    pub interval_s: u64,
    pub roster: u64,
    pub spool_epoch: SpoolEpoch,
    pub spool_bytes: u64,
    pub spool_max_bytes: u64,
    /// Reports that the centre has not acknowledged, at most.
    pub unacknowledged: std::collections::BTreeMap<Stream, u64>,
    pub sessions: usize,
    pub consents: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsentInfo {
    pub consent: ConsentId,
    pub fault: FaultNumber,
    pub engineer: PersonName,
    pub approver: PersonName,
    pub doors: Doors,
    pub account: String,
    pub arrived: Timestamp,
    pub left_s: u64,
}

/// Binds the socket. The spool's lock has made sure that no other agent uses this directory.
pub fn bind(dir: &Path) -> Result<UnixListener, ControlError> {
    let path = dir.join(SOCKET);
    let failed = |source| ControlError::Io { path: path.clone(), source };
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

pub async fn run(agent: Arc<Agent>, listener: UnixListener) {
    let mut callers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if callers.len() < MAX_CALLERS => match accepted {
                Ok((stream, _)) => {
                    let agent = Arc::clone(&agent);
                    callers.spawn(async move {
                        if let Err(error) = timeout(PATIENCE, answer(&agent, stream)).await.unwrap_or_else(|late| Err(late.into())) {
                            tracing::debug!(%error, "a call on the control socket failed");
                        }
                    });
                }
                Err(error) => {
                    tracing::error!(%error, "the control socket can't accept");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
            Some(_) = callers.join_next() => {}
            () = agent.stop.cancelled() => return,
        }
    }
}

async fn answer(agent: &Agent, stream: UnixStream) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut line = String::new();
    BufReader::new(from.take(MAX_LINE_BYTES)).read_line(&mut line).await?;
    let reply = match serde_json::from_str(&line) {
        Ok(question) => reply(agent, &question),
        Err(error) => Reply::Refused { reason: format!("the question can't be read: {error}") },
    };
    let mut json = serde_json::to_vec(&reply)?;
    json.push(b'\n');
    to.write_all(&json).await
}

fn reply(agent: &Agent, question: &Question) -> Reply {
    match question {
        Question::Status => Reply::Status(Box::new(status(agent))),
        Question::Sessions => Reply::Sessions { sessions: agent.sessions.list() },
        Question::Consents => Reply::Consents { consents: consents(agent) },
        Question::Kill { session } => {
            if agent.kill(*session, &format!("the administrator of {}", agent.identity.device)) {
                Reply::Done
            } else {
                Reply::Refused { reason: format!("there is no live session {session}") }
            }
        }
        Question::ResetClock => match agent.consents.reset_clock() {
            Ok((forgotten, now)) => {
                tracing::warn!(?forgotten, %now, "the administrator reset the clock: lists are judged by the wall clock again");
                Reply::Clock { forgotten, now }
            }
            Err(error) => Reply::Refused { reason: error.to_string() },
        },
    }
}

fn status(agent: &Agent) -> Status {
    let spool = agent.outbox.spool();
    Status {
        device: agent.identity.device.clone(),
        software: SOFTWARE.to_owned(),
        server: agent.identity.server.to_string(),
        link: agent.link().clone(),
        interval_s: agent.nudges.interval.borrow().as_secs(),
        roster: agent.consents.roster_counter(),
        spool_epoch: spool.epoch(),
        spool_bytes: spool.bytes(),
        spool_max_bytes: agent.settings.spool_max_bytes,
        unacknowledged: Stream::ALL.iter().map(|stream| (*stream, spool.next_seq(*stream) - spool.first_unacked(*stream))).collect(),
        sessions: agent.sessions.list().len(),
        consents: agent.consents.list().len(),
    }
}

fn consents(agent: &Agent) -> Vec<ConsentInfo> {
    let info = |(live, left): (crate::consents::Live, Duration)| ConsentInfo {
        consent: live.id,
        fault: live.fault,
        engineer: live.engineer,
        approver: live.approver,
        doors: live.doors,
        account: live.account,
        arrived: live.arrived,
        left_s: left.as_secs(),
    };
    agent.consents.list().into_iter().map(info).collect()
}

/// Asks the agent that runs on this state directory.
pub async fn ask(dir: &Path, question: &Question) -> Result<Reply, ControlError> {
    let path = dir.join(SOCKET);
    let failed = |source| ControlError::Io { path: path.clone(), source };
    let stream = match UnixStream::connect(&path).await {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(ControlError::NotRunning(dir.to_owned()));
        }
        other => other.map_err(failed)?,
    };
    let (from, mut to) = stream.into_split();
    let mut json = serde_json::to_vec(question).map_err(|e| ControlError::Answer(e.to_string()))?;
    json.push(b'\n');
    to.write_all(&json).await.map_err(failed)?;
    let mut line = String::new();
    timeout(PATIENCE, BufReader::new(from).read_line(&mut line))
        .await
        .map_err(|_| ControlError::Answer("it did not come in time".into()))?
        .map_err(failed)?;
    match serde_json::from_str(&line).map_err(|e| ControlError::Answer(e.to_string()))? {
        Reply::Refused { reason } => Err(ControlError::Refused(reason)),
        reply @ (Reply::Status(_) | Reply::Sessions { .. } | Reply::Consents { .. } | Reply::Clock { .. } | Reply::Done) => Ok(reply),
    }
}
