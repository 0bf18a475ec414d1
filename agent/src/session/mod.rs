//! Sessions: SSH, end to end between engineer and device, on a stream that the device dialled.
//!
//! One task per SSH connection ([`serve`]) owns everything about it: the SSH protocol's task, the channels' tasks, the
//! recorder, the clock of the consent. The centre only carries bytes; whoever holds no key that a live consent names gets
//! no further than the key exchange.
//!
//! | file | is |
//! |---|---|
//! | `leg` | the dialled stream under SSH |
//! | `server`, `visit` | callbacks, and the session's own task |
//! | `ask`, `channel`, `feed`, `signals` | what a channel asks for, a channel's life, its input, its signals |
//! | `forward` | `ssh -L` and `-D`, to the places that the consent names |
//! | `child`, `spawn`, `spare`, `account`, `pty`, `sftp` | the re-executed child: the privilege boundary |
//! | `chain`, `recorder`, `hashing` | the recording: signed chunks, and what feeds them |
//! | `limits`, `pace` | how far a session may run ahead of its recording |
//! | `registry`, `legs` | who is in, and how they are put out; who is on the way in |
//! | `cgroup`, `contain`, `reap` | what holds a session's processes together, and kills them |
//! | `leftovers` | what a session leaves behind |

pub mod account;
pub mod ask;
pub mod cgroup;
pub mod chain;
pub mod channel;
pub mod child;
pub mod contain;
pub mod feed;
mod forward;
mod hashing;
pub mod leftovers;
pub mod leg;
pub mod legs;
pub mod limits;
pub mod pace;
pub mod pty;
pub mod reap;
pub mod recorder;
pub mod registry;
mod server;
pub mod sftp;
mod signals;
mod spare;
pub mod spawn;
mod visit;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lineman_common::id::SessionId;
use lineman_common::session::EndReason;
use russh::server::run_stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use self::account::Profile;
use self::cgroup::Group;
use self::chain::Studio;
use self::child::Berth;
use self::contain::Containment;
use self::feed::{Answers, Budget};
use self::leg::{LegEnd, Listening};
use self::legs::Legs;
use self::limits::Limits;
use self::pace::Backlog;
use self::recorder::Recorder;
use self::registry::{Ending, Sessions};
use self::server::{Doorkeeper, Heard};
use self::spare::Spare;
use self::visit::Visit;
use crate::consents::{Consents, Live};
use crate::identity::Identity;
use crate::outbox::Outbox;

/// From the first byte to the proven key.
const ENTRY_TIMEOUT: Duration = Duration::from_secs(120);
/// For a client that is refused to read why.
const FAREWELL: Duration = Duration::from_millis(800);
/// Names that are looked up at one time.
const LOOKUPS: usize = 2;
/// Words that wait for a channel to be said on; more are only recorded.
const UNSAID: usize = 8;

/// What the owner's local file says of sessions.
pub struct Local {
    pub profiles: BTreeMap<String, Profile>,
    pub limits: Limits,
}

/// What sessions need of the agent.
pub struct Host {
    /// The agent's own program, for session children.
    pub program: PathBuf,
    pub identity: Arc<Identity>,
    pub profiles: BTreeMap<String, Profile>,
    pub consents: Arc<Consents>,
    pub sessions: Arc<Sessions>,
    pub outbox: Arc<Outbox>,
    pub containment: Arc<Containment>,
    /// Session legs that were opened.
    pub legs: Arc<Legs>,
    backlog: Arc<Backlog>,
    /// For input of all sessions that waits.
    input: Arc<Budget>,
    lookups: Semaphore,
    studio: Arc<Studio>,
    ssh: Arc<russh::server::Config>,
}

impl Host {
    pub fn new(
        program: PathBuf,
        identity: Arc<Identity>,
        local: Local,
        consents: Arc<Consents>,
        sessions: Arc<Sessions>,
        studio: Arc<Studio>,
        containment: Arc<Containment>,
    ) -> Arc<Self> {
        let Local { profiles, limits } = local;
        let ssh = server::config(identity.host_key.clone());
        let outbox = Arc::clone(&studio.outbox);
        let (backlog, lookups) = (Backlog::new(Arc::clone(&outbox), limits), Semaphore::new(LOOKUPS));
        let (legs, input) = (Arc::default(), Arc::default());
        Arc::new(Self { program, identity, profiles, consents, sessions, outbox, containment, legs, backlog, input, lookups, studio, ssh })
    }

    /// Kills what the sessions of ended consents left running. Those that are still being put out see to their own. Blocking.
    pub fn reap_ended(&self) {
        for (consent, mut sessions) in self.consents.to_reap() {
            sessions.retain(|session| !self.sessions.is_live(*session));
            let killed = self.containment.kill(&sessions);
            if killed > 0 {
                tracing::warn!(consent.id = %consent, killed, "processes that were left running under a consent were killed at its end");
            }
            // What could not be killed is tried again.
            for session in sessions.into_iter().filter(|session| self.containment.forget_if_empty(*session)) {
                self.consents.left(consent, session);
            }
        }
    }

    /// Where recordings go.
    pub fn studio(&self) -> &Arc<Studio> {
        &self.studio
    }
}

/// Whether a connection to the centre carries the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    Up(Instant),
    Cut,
}

/// What the channels of one session share.
pub struct Scope {
    pub host: Arc<Host>,
    pub id: SessionId,
    pub live: Live,
    pub recorder: Arc<Recorder>,
    pub stop: watch::Receiver<Option<Ending>>,
    pub notes: watch::Receiver<Option<String>>,
    /// What every child joins.
    pub group: Option<Group>,
    pub spare: Arc<Spare>,
    /// SFTP channels.
    sftp: Arc<AtomicUsize>,
    pub reach: watch::Receiver<Reach>,
    /// Output that waits for the client.
    pub answers: Arc<Answers>,
    /// Refusals that SSH has no words for.
    unsaid: Mutex<Vec<String>>,
}

impl Scope {
    /// Until input may go on.
    pub async fn input_open(&self) {
        self.recorder.pace().input_open().await;
    }

    pub fn berth(&self) -> Berth {
        Berth { session: self.id, group: self.group.as_ref().map(|group| group.dir().to_owned()) }
    }

    /// An SFTP child runs until the guard goes.
    pub fn sftp_begins(&self) -> SftpRuns<'_> {
        self.sftp.fetch_add(1, Ordering::Relaxed);
        SftpRuns(self)
    }

    /// To be said on the next channel.
    fn say(&self, text: String) {
        let mut unsaid = self.unsaid.lock().unwrap_or_else(PoisonError::into_inner);
        if unsaid.len() < UNSAID {
            unsaid.push(text);
        }
    }

    /// What nobody was told yet.
    fn unsaid(&self) -> Vec<String> {
        std::mem::take(&mut *self.unsaid.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counts an SFTP child.
pub struct SftpRuns<'a>(&'a Scope);

impl Drop for SftpRuns<'_> {
    fn drop(&mut self) {
        self.0.sftp.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves SSH on a stream until it ends. `leg` carries the stream, and says how it ended.
///
/// Returns why the session ended, or `None` when nobody got in.
pub async fn serve<S>(host: Arc<Host>, stream: S, leg: impl Future<Output = LegEnd>) -> Option<EndReason>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    serve_leg(host, stream, leg, None, ()).await
}

/// As [`serve`], with what happens to the leg meanwhile; `waits` is dropped when somebody has entered.
pub async fn serve_leg<S, W>(
    host: Arc<Host>,
    stream: S,
    leg: impl Future<Output = LegEnd>,
    listening: impl Into<Option<Listening>>,
    waits: W,
) -> Option<EndReason>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let listening = listening.into();
    let (heard, mut hearing) = mpsc::channel(16);
    let doorkeeper = Doorkeeper::new(Arc::clone(&host), heard);
    let visit = async {
        let starting = run_stream(Arc::clone(&host.ssh), stream, doorkeeper);
        let mut ssh = match timeout(ENTRY_TIMEOUT, starting).await {
            Ok(Ok(ssh)) => ssh,
            Ok(Err(error)) => {
                tracing::info!(%error, "a session leg brought no SSH client");
                return None;
            }
            Err(_) => return None,
        };
        let entered = tokio::select! {
            entered = hearing.recv() => entered,
            _ = &mut ssh => None,
            () = sleep(ENTRY_TIMEOUT) => None,
        };
        let Some(Heard::Entered { live, key, ready }) = entered else { return None };
        match Visit::begin(&host, *live, key).await {
            Ok(visit) => {
                let _ = ready.send(Ok(()));
                Some((visit, ssh, hearing))
            }
            Err(reason) => {
                tracing::error!(%reason, "a session can't begin");
                let _ = ready.send(Err(reason));
                let _ = timeout(FAREWELL, ssh).await;
                None
            }
        }
    };
    tokio::pin!(leg);
    let (visit, ssh, hearing) = tokio::select! {
        visit = visit => visit?,
        _ = &mut leg => return None,
    };
    drop(waits);
    Some(visit.run(ssh, hearing, leg, listening).await)
}
