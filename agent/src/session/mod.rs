//! Sessions: SSH, end to end between engineer and device, on a stream that the device dialled.
//!
//! One task per SSH connection ([`serve`]) owns everything about it: the SSH protocol's task, the channels' tasks, the
//! recorder, the clock of the consent. The centre only carries bytes; whoever holds no key that a live consent names gets
//! no further than the key exchange.
//!
//! | file | is |
//! |---|---|
//! | `leg` | the dialled stream under SSH |
//! | `server`, `ask`, `channel` | callbacks, what a channel asks for, a channel's life |
//! | `child`, `spawn`, `account`, `pty`, `sftp` | the re-executed child: the privilege boundary |
//! | `chain`, `recorder` | the recording: signed chunks, and what feeds them |
//! | `heads` | the log of chain heads that stays on the device |
//! | `registry`, `reap` | who is in, and how they are put out |

pub mod account;
pub mod ask;
pub mod chain;
pub mod channel;
pub mod child;
pub mod heads;
pub mod leg;
pub mod pty;
pub mod reap;
pub mod recorder;
pub mod registry;
mod server;
pub mod sftp;
pub mod spawn;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::SessionId;
use lineman_common::link::{Report, SessionOpened};
use lineman_common::recording::{Bind, What};
use lineman_common::session::{EndReason, Grade};
use lineman_common::statement::sha256_hex;
use russh::Disconnect;
use russh::server::{Handle, RunningSession, run_stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::account::{Account, Profile};
use self::chain::{Chain, Studio};
use self::leg::LegEnd;
use self::recorder::Recorder;
use self::registry::{Ending, SessionInfo, Sessions};
use self::server::{Doorkeeper, Heard};
use crate::consents::{Consents, Live};
use crate::identity::Identity;
use crate::outbox::Outbox;

/// From the first byte to the proven key.
const ENTRY_TIMEOUT: Duration = Duration::from_secs(120);
/// For channels to say their last word.
const LAST_WORD: Duration = Duration::from_millis(100);
/// For channels to end, and for SSH to say goodbye.
const FAREWELL: Duration = Duration::from_millis(800);
/// Time left at which terminals are warned.
const WARNINGS: [(Duration, &str); 2] = [
    (Duration::from_secs(300), "lineman: 5 minutes left: more time needs a new consent"),
    (Duration::from_secs(60), "lineman: 1 minute left: the session will be closed"),
];

/// What sessions need of the agent.
pub struct Host {
    /// The agent's own program, for session children.
    pub program: PathBuf,
    pub identity: Arc<Identity>,
    pub profiles: BTreeMap<String, Profile>,
    pub consents: Arc<Consents>,
    pub sessions: Arc<Sessions>,
    pub outbox: Arc<Outbox>,
    studio: Arc<Studio>,
    ssh: Arc<russh::server::Config>,
}

impl Host {
    pub fn new(
        program: PathBuf,
        identity: Arc<Identity>,
        profiles: BTreeMap<String, Profile>,
        consents: Arc<Consents>,
        sessions: Arc<Sessions>,
        studio: Arc<Studio>,
    ) -> Arc<Self> {
        let ssh = server::config(identity.host_key.clone());
        let outbox = Arc::clone(&studio.outbox);
        Arc::new(Self { program, identity, profiles, consents, sessions, outbox, studio, ssh })
    }

    /// Kills what the sessions of ended consents left running. Those that are still being put out see to their own. Blocking.
    pub fn reap_ended(&self) {
        for (consent, mut sessions) in self.consents.to_reap() {
            sessions.retain(|session| !self.sessions.is_live(*session));
            let killed = reap::kill_every(&sessions);
            if killed > 0 {
                tracing::warn!(consent.id = %consent, killed, "processes that were left running under a consent were killed at its end");
            }
            // What could not be killed is tried again.
            for session in sessions.into_iter().filter(|session| reap::members(*session).is_empty()) {
                self.consents.left(consent, session);
            }
        }
    }

    /// Where recordings go.
    pub fn studio(&self) -> &Arc<Studio> {
        &self.studio
    }
}

/// What the channels of one session share.
pub struct Scope {
    pub host: Arc<Host>,
    pub id: SessionId,
    pub live: Live,
    pub recorder: Arc<Recorder>,
    pub stop: watch::Receiver<Option<Ending>>,
    pub notes: watch::Receiver<Option<String>>,
}

/// Serves SSH on a stream until it ends. `leg` carries the stream, and says how it ended.
///
/// Returns why the session ended, or `None` when nobody got in.
pub async fn serve<S>(host: Arc<Host>, stream: S, leg: impl Future<Output = LegEnd>) -> Option<EndReason>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
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
        match Visit::begin(&host, *live, key) {
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
    Some(visit.run(ssh, hearing, leg).await)
}

/// An engineer inside.
struct Visit {
    scope: Arc<Scope>,
    recorder: Arc<Recorder>,
    notes: watch::Sender<Option<String>>,
    /// The recorder's writing half.
    writer: JoinSet<()>,
    channels: JoinSet<Result<(), recorder::RecorderFailed>>,
    next_channel: u32,
    _listed: registry::Listed,
}

impl Visit {
    /// Opens the recording and tells the centre. When this fails, nobody gets in.
    fn begin(host: &Arc<Host>, live: Live, key: String) -> Result<Self, String> {
        let id = SessionId::new();
        let profile = host.profiles.get(&live.account).ok_or_else(|| format!("no account profile `{}`", live.account))?;
        let account = Account::of(profile).map_err(|e| e.to_string())?.shown().to_owned();
        host.consents.entered(live.id, id).map_err(|e| e.to_string())?;
        let started = Timestamp::now();
        let opened = SessionOpened {
            at: started,
            session: id,
            consent: live.id,
            engineer: live.engineer.clone(),
            engineer_key: key.clone(),
            account: account.clone(),
        };
        host.outbox.send(&Report::SessionOpened(opened)).map_err(|e| format!("the device can't report: {e}"))?;
        let bind = Bind {
            device: host.identity.device.clone(),
            consent: live.id,
            request_sha256: sha256_hex(&live.request.text),
            grade: Grade::EndToEnd,
            consents_sha256: vec![sha256_hex(&live.consent.text)],
            engineer: live.engineer.clone(),
            engineer_key: key,
            host_key: host.identity.host_key_line(),
            account: account.clone(),
            started,
        };
        let chain = Chain::begin(Arc::clone(&host.studio), id, bind).map_err(|e| format!("the device can't record: {e}"))?;
        let (recorder, writing) = Recorder::new(chain, Arc::clone(&host.outbox));
        let mut writer = JoinSet::new();
        writer.spawn(writing);
        let info = SessionInfo { session: id, consent: live.id, engineer: live.engineer.clone(), account, started };
        let (listed, stop) = host.sessions.enter(info);
        let (notes, heard_notes) = watch::channel(None);
        tracing::info!(session.id = %id, consent.id = %live.id, engineer = %live.engineer, "a session begins");
        let scope = Scope { host: Arc::clone(host), id, live, recorder: Arc::clone(&recorder), stop, notes: heard_notes };
        Ok(Self { scope: Arc::new(scope), recorder, notes, writer, channels: JoinSet::new(), next_channel: 0, _listed: listed })
    }

    async fn run(
        mut self,
        mut ssh: RunningSession<Doorkeeper>,
        mut hearing: mpsc::Receiver<Heard>,
        leg: std::pin::Pin<&mut impl Future<Output = LegEnd>>,
    ) -> EndReason {
        let handle = ssh.handle();
        let mut leg = Leg { work: leg, end: None };
        let reason = self.live(&mut ssh, &handle, &mut hearing, &mut leg).await;
        let forced = reason != EndReason::Client && reason != EndReason::LinkLost;
        if forced {
            leg.beside(self.put_out(&handle, &mut ssh, reason)).await;
        }
        // The channels notice by themselves that the client is gone.
        drop(hearing);
        let closing = async { while self.channels.join_next().await.is_some() {} };
        let _ = timeout(2 * FAREWELL, closing).await;
        self.channels.shutdown().await;
        self.tell_leftovers(forced).await;
        self.recorder.end(reason).await;
        while self.writer.join_next().await.is_some() {}
        tracing::info!(session.id = %self.scope.id, %reason, "a session ended");
        reason
    }

    /// Until there is a reason to end.
    async fn live(
        &mut self,
        ssh: &mut RunningSession<Doorkeeper>,
        handle: &Handle,
        hearing: &mut mpsc::Receiver<Heard>,
        leg: &mut Leg<'_, impl Future<Output = LegEnd>>,
    ) -> EndReason {
        let mut stop = self.scope.stop.clone();
        let failed = self.recorder.failed().clone();
        let mut warnings = self.warnings();
        loop {
            let warning = warnings.last().copied();
            let due = async move {
                match warning {
                    Some((at, _)) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ending = registry::ending(&mut stop) => return ending.reason,
                () = failed.cancelled() => return EndReason::RecorderFailed,
                heard = hearing.recv() => match heard {
                    Some(Heard::Channel(channel)) => self.open(channel, handle.clone()),
                    Some(Heard::Entered { .. }) => return EndReason::Error,
                    // The protocol's task is gone.
                    None => return leg.reason(),
                },
                _ = &mut *ssh => return leg.reason(),
                () = leg.ended() => {}
                Some(done) = self.channels.join_next() => {
                    if !matches!(done, Ok(Ok(()))) && failed.is_cancelled() {
                        return EndReason::RecorderFailed;
                    }
                }
                () = due => {
                    if let Some((_, text)) = warnings.pop() {
                        self.notes.send_replace(Some(text.to_owned()));
                    }
                }
            }
        }
    }

    fn open(&mut self, channel: russh::Channel<russh::server::Msg>, handle: Handle) {
        let number = self.next_channel;
        self.next_channel += 1;
        self.channels.spawn(channel::run(Arc::clone(&self.scope), number, channel, handle));
    }

    /// Warnings that are still to come, the next one last.
    fn warnings(&self) -> Vec<(Instant, &'static str)> {
        let left = self.scope.host.consents.remaining(self.scope.live.id).unwrap_or_default();
        let at = |before: Duration| left.checked_sub(before).map(|wait| Instant::now() + wait);
        let mut warnings: Vec<_> = WARNINGS.iter().filter_map(|(before, text)| at(*before).map(|at| (at, *text))).collect();
        warnings.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        warnings
    }

    /// Ends it against the engineer's will: everything is killed at once, and SSH says why.
    async fn put_out(&mut self, handle: &Handle, ssh: &mut RunningSession<Doorkeeper>, reason: EndReason) {
        let session = self.scope.id;
        let stopped = self.scope.stop.borrow().clone().unwrap_or_else(|| Ending::new(reason));
        let killing = async {
            // The channels' last word goes first.
            sleep(LAST_WORD).await;
            tokio::task::spawn_blocking(move || reap::kill_all(session)).await
        };
        let closing = async { while self.channels.join_next().await.is_some() {} };
        let (killed, _) = tokio::join!(killing, timeout(FAREWELL, closing));
        let goodbye = async {
            let _ = handle.disconnect(Disconnect::ByApplication, stopped.text, "en".into()).await;
            let _ = ssh.await;
        };
        let _ = timeout(FAREWELL, goodbye).await;
        if let Ok(killed @ 1..) = killed {
            tracing::info!(session.id = %session, killed, "processes of a session were killed");
        }
    }

    /// A command that an engineer left running on purpose (a restarted daemon) is not killed when they leave; it is told, and
    /// killed when the consent ends, if that has not happened meanwhile.
    async fn tell_leftovers(&self, forced: bool) {
        let (session, consents) = (self.scope.id, &self.scope.host.consents);
        let over = consents.remaining(self.scope.live.id).is_none();
        let look = move || {
            if over {
                reap::kill_all(session);
            }
            reap::members(session)
        };
        let left = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        if left.is_empty() {
            consents.left(self.scope.live.id, session);
        }
        if !left.is_empty() {
            let pids = left.iter().map(|pid| pid.as_raw_pid().to_string()).collect::<Vec<_>>().join(" ");
            let word = if forced || over { "could not be killed" } else { "were left running" };
            let note = format!("{} processes of this session {word}: {pids}", left.len());
            let _ = self.recorder.event(0, What::Note(note)).await;
        }
    }
}

/// The work that carries the stream: it must go on while anything is said over it.
struct Leg<'a, F> {
    work: std::pin::Pin<&'a mut F>,
    end: Option<LegEnd>,
}

impl<F: Future<Output = LegEnd>> Leg<'_, F> {
    /// Until the leg ends; for ever when it has.
    async fn ended(&mut self) {
        match self.end {
            None => self.end = Some(self.work.as_mut().await),
            Some(_) => std::future::pending().await,
        }
    }

    /// Does something that needs the leg.
    async fn beside<T>(&mut self, job: impl Future<Output = T>) -> T {
        tokio::pin!(job);
        tokio::select! {
            biased;
            done = &mut job => return done,
            () = self.ended() => {}
        }
        job.await
    }

    /// When SSH ended by itself: was it the client, or the network?
    fn reason(&self) -> EndReason {
        if self.end == Some(LegEnd::Cut) { EndReason::LinkLost } else { EndReason::Client }
    }
}
