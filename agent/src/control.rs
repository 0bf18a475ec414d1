//! The control socket: what the administrator of this device asks of the running agent.
//!
//! One JSON line each way over a Unix socket in the state directory, which only its owner can open. It works without the
//! centre: a session can be killed here when the centre can't, or doesn't want to, pass it on. Nobody asks from inside a session
//! ([`peer`]).

mod peer;

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
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::Signed;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::peer::Peer;
use crate::agent::{Administrator, Agent, AgentError, LinkState, SOFTWARE};
use crate::consents::{InForce, Refusal, Waiting};
use crate::session::registry::SessionInfo;
use crate::sink::SinkStatus;

const SOCKET: &str = "control.sock";
/// A signer list with its signatures fits.
const MAX_LINE_BYTES: u64 = 512 * 1024;
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
    /// Requests that wait for an answer.
    Pending,
    /// Approve a waiting request in the carrier's place: the one with this hash, which was shown.
    Approve {
        consent: ConsentId,
        request_sha256: String,
        doors: Option<Doors>,
        duration_s: Option<u32>,
    },
    EndConsent {
        consent: ConsentId,
        reason: String,
    },
    Kill {
        session: SessionId,
    },
    Stop {
        reason: String,
    },
    Resume {
        /// Also a stop that came from the centre.
        also_centre: bool,
    },
    /// With signatures: as if it had come from the centre. Without any: by the administrator's word.
    SetSigners {
        text: String,
        signatures: Vec<String>,
    },
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
    Pending {
        requests: Vec<PendingInfo>,
    },
    Live {
        consent: ConsentId,
        until: Timestamp,
    },
    Resumed {
        /// What still stops the device.
        still: Option<String>,
    },
    Signers {
        counter: u64,
        expiry: Timestamp,
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

/// A reply, and what is to be said beside it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub reply: Reply,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub device: NeName,
    pub software: String,
    pub server: String,
    pub link: LinkState,
    pub interval_s: u64,
    pub roster: u64,
    pub roster_expiry: Option<Timestamp>,
    /// Counter and expiry of the carrier's signer list.
    pub signers: u64,
    pub signers_expiry: Timestamp,
    /// Who stopped everything, when and why.
    pub stopped: Option<String>,
    pub spool_epoch: SpoolEpoch,
    pub spool_bytes: u64,
    pub spool_max_bytes: u64,
    /// Reports that the centre has not acknowledged, at most.
    pub unacknowledged: std::collections::BTreeMap<Stream, u64>,
    pub sessions: usize,
    pub consents: usize,
    /// How far each of the carrier's sinks has the journal.
    #[serde(default)]
    pub sinks: Vec<SinkStatus>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsentInfo {
    pub consent: ConsentId,
    pub fault: FaultNumber,
    pub grade: Grade,
    pub engineer: PersonName,
    /// Nobody, when it was approved on the device.
    pub approvers: Vec<PersonName>,
    /// Those of them who signed in a page that the vendor's centre served.
    #[serde(default)]
    pub approved_in_page: Vec<PersonName>,
    pub doors: Doors,
    pub account: String,
    pub arrived: Timestamp,
    pub left_s: u64,
}

/// A request that waits: exactly what the engineer signed, and whether it could be approved now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PendingInfo {
    pub consent: ConsentId,
    pub arrived: Timestamp,
    pub request: Signed,
    /// Why it can't be approved now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
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
    let peer = Peer::of(&stream);
    let (from, mut to) = stream.into_split();
    let mut line = String::new();
    BufReader::new(from.take(MAX_LINE_BYTES)).read_line(&mut line).await?;
    let mut warnings = Vec::new();
    let reply = match (peer, serde_json::from_str(&line)) {
        (Ok(peer), Ok(question)) => {
            let by = Administrator::new(peer.text());
            let reply = reply(agent, &by, question).await.unwrap_or_else(|reason| Reply::Refused { reason });
            warnings = by.warnings();
            reply
        }
        (Err(reason), _) => {
            tracing::warn!(%reason, "somebody was refused at the control socket");
            Reply::Refused { reason }
        }
        (Ok(_), Err(error)) => Reply::Refused { reason: format!("the question can't be read: {error}") },
    };
    let mut json = serde_json::to_vec(&Answer { reply, warnings })?;
    json.push(b'\n');
    to.write_all(&json).await
}

async fn reply(agent: &Agent, by: &Administrator, question: Question) -> Result<Reply, String> {
    let words = |error: AgentError| error.to_string();
    Ok(match question {
        Question::Status => Reply::Status(Box::new(status(agent))),
        Question::Sessions => Reply::Sessions { sessions: agent.sessions.list() },
        Question::Consents => Reply::Consents { consents: consents(agent) },
        Question::Pending => Reply::Pending { requests: pending(agent) },
        Question::Approve { consent, request_sha256, doors, duration_s } => {
            let terms = agent.consents.local_terms(consent, doors.as_ref(), duration_s).map_err(|e| e.to_string())?;
            if terms.request_sha256 != request_sha256 {
                return Err(Refusal::NotWhatWasShown(consent).to_string());
            }
            let until = agent.approve_locally(&terms, by).await.map_err(words)?;
            Reply::Live { consent, until }
        }
        Question::EndConsent { consent, reason } => {
            agent.end_consent_locally(consent, by, &reason).await.map_err(words)?;
            Reply::Done
        }
        Question::Kill { session } => {
            if !agent.kill_locally(session, by).await {
                return Err(format!("there is no live session {session}"));
            }
            Reply::Done
        }
        Question::Stop { reason } => {
            if reason.trim().is_empty() {
                return Err("say why: whoever is refused from now on reads the reason".into());
            }
            agent.stop_locally(by, &reason).await.map_err(words)?;
            Reply::Done
        }
        Question::Resume { also_centre } => {
            if agent.consents.stopped().is_none() {
                return Err(format!("nothing stops {}", agent.identity.device));
            }
            let still = agent.resume_locally(by, also_centre).await.map_err(words)?;
            Reply::Resumed { still: still.map(|stop| stop.to_string()) }
        }
        Question::SetSigners { text, signatures } => {
            if signatures.is_empty() {
                agent.set_signers_locally(&text, by).await.map_err(words)?;
            } else {
                let signed = signatures.into_iter().map(|signature| Signed { text: text.clone(), signature }).collect::<Vec<_>>();
                agent.take_signers(&signed).map_err(words)?;
            }
            let InForce { signers: counter, signers_expiry: expiry, .. } = agent.consents.in_force();
            Reply::Signers { counter, expiry }
        }
        Question::ResetClock => {
            let (forgotten, now) = agent.reset_clock_locally(by).await.map_err(words)?;
            Reply::Clock { forgotten, now }
        }
    })
}

fn pending(agent: &Agent) -> Vec<PendingInfo> {
    let info = |(waiting, checked): (Waiting, Result<_, Refusal>)| PendingInfo {
        consent: waiting.id,
        arrived: waiting.arrived,
        request: waiting.request,
        problem: checked.err().map(|problem| problem.to_string()),
    };
    agent.consents.waiting().into_iter().map(info).collect()
}

fn status(agent: &Agent) -> Status {
    let InForce { roster, roster_expiry, signers, signers_expiry, .. } = agent.consents.in_force();
    let spool = agent.outbox.spool();
    Status {
        device: agent.identity.device.clone(),
        software: SOFTWARE.to_owned(),
        server: agent.identity.server.to_string(),
        link: agent.link().clone(),
        interval_s: agent.nudges.interval.borrow().as_secs(),
        roster,
        roster_expiry,
        signers,
        signers_expiry,
        stopped: agent.consents.stopped().map(|stop| stop.to_string()),
        spool_epoch: spool.epoch(),
        spool_bytes: spool.bytes(),
        spool_max_bytes: agent.settings.spool_max_bytes,
        unacknowledged: Stream::ALL.iter().map(|stream| (*stream, spool.next_seq(*stream) - spool.first_unacked(*stream))).collect(),
        sessions: agent.sessions.list().len(),
        consents: agent.consents.list().len(),
        sinks: agent.sink.status(),
    }
}

fn consents(agent: &Agent) -> Vec<ConsentInfo> {
    let info = |(live, left): (crate::consents::Live, Duration)| ConsentInfo {
        approved_in_page: live.approved_in_page(),
        consent: live.id,
        fault: live.fault,
        grade: live.grade,
        engineer: live.engineer,
        approvers: live.approvers,
        doors: live.doors,
        account: live.account,
        arrived: live.arrived,
        left_s: left.as_secs(),
    };
    agent.consents.list().into_iter().map(info).collect()
}

/// Asks the agent that runs on this state directory.
pub async fn ask(dir: &Path, question: &Question) -> Result<Reply, ControlError> {
    Ok(ask_for_all(dir, question).await?.reply)
}

/// As [`ask`], with the warnings.
pub async fn ask_for_all(dir: &Path, question: &Question) -> Result<Answer, ControlError> {
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
    let answer: Answer = serde_json::from_str(&line).map_err(|e| ControlError::Answer(e.to_string()))?;
    match &answer.reply {
        Reply::Refused { reason } => Err(ControlError::Refused(reason.clone())),
        Reply::Status(_)
        | Reply::Sessions { .. }
        | Reply::Consents { .. }
        | Reply::Pending { .. }
        | Reply::Live { .. }
        | Reply::Resumed { .. }
        | Reply::Signers { .. }
        | Reply::Clock { .. }
        | Reply::Done => Ok(answer),
    }
}
