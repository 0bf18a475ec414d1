//! One engineer inside: the task of one session, from the proven key to the signed end of the recording.

use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::id::SessionId;
use lineman_common::link::{Report, SessionOpened};
use lineman_common::recording::{Bind, What};
use lineman_common::session::EndReason;
use lineman_common::statement::sha256_hex;
use russh::Disconnect;
use russh::server::{Handle, RunningSession};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::account::Account;
use super::cgroup::Group;
use super::chain::{Chain, Prepared};
use super::contain::Hold;
use super::leftovers::Snapshot;
use super::leg::{LegEnd, Listening, News};
use super::pace::{Fill, Pace, State};
use super::recorder::{Recorder, RecorderFailed};
use super::registry::{Blow, Ending, LAST_OPERATIONS, Listed, SessionInfo};
use super::server::{Doorkeeper, Heard};
use super::{Host, Reach, Scope, channel, forward, registry};
use crate::consents::Live;

/// For clients to show the last words of their channels: they drop what they have not shown when they hear goodbye.
const LAST_WORD: Duration = Duration::from_millis(200);
/// For the recorder to take a note of the session's own: whatever the disk does, the session goes on hearing.
const NOTE: Duration = Duration::from_millis(200);
/// For the channels of a session that is put out to end, and then for SSH to say goodbye: by then all is dead already.
const FAREWELL: Duration = Duration::from_millis(400);
/// For channels whose client has gone.
const CLOSING: Duration = Duration::from_millis(1600);
/// Time left at which people are warned.
const WARNINGS: [(Duration, &str); 2] = [
    (Duration::from_secs(300), "lineman: 5 minutes left: more time needs a new consent"),
    (Duration::from_secs(60), "lineman: 1 minute left: the session will be closed"),
];

pub struct Visit {
    scope: Arc<Scope>,
    recorder: Arc<Recorder>,
    notes: watch::Sender<Option<String>>,
    reach: watch::Sender<Reach>,
    account: Account,
    /// The account before the session did anything.
    before: Snapshot,
    hold: Hold,
    blow: Blow,
    /// The recorder's writing half.
    writer: JoinSet<()>,
    /// What looks for acknowledgements.
    pacing: JoinSet<()>,
    /// What keeps a child ready.
    sparing: JoinSet<()>,
    channels: JoinSet<Result<(), RecorderFailed>>,
    next_channel: u32,
    _listed: Listed,
}

/// What is there before a session is.
struct Ready {
    id: SessionId,
    account: Account,
    before: Snapshot,
    hold: Hold,
    group: Option<Group>,
    pace: Arc<Pace>,
    prepared: Prepared,
    started: Timestamp,
}

impl Visit {
    /// Opens the recording and tells the centre. When this fails, nobody gets in.
    pub async fn begin(host: &Arc<Host>, live: Live, key: String) -> Result<Self, String> {
        let (id, started) = (SessionId::new(), Timestamp::now());
        let profile = host.profiles.get(&live.account).ok_or_else(|| format!("no account profile `{}`", live.account))?;
        let account = Account::of(profile).map_err(|e| e.to_string())?;
        let pace = Pace::new(Arc::clone(&host.backlog));
        // An engineer waits for each of these, and none needs another: a look around, and two files that are flushed to the disk.
        let look = {
            let (containment, account) = (Arc::clone(&host.containment), account.clone());
            spawn_blocking(move || containment.others(id).map(|others| Snapshot::take(&account, &others)))
        };
        let enter = {
            let (consents, consent) = (Arc::clone(&host.consents), live.id);
            spawn_blocking(move || consents.entered(consent, id))
        };
        let prepare = {
            let (studio, bind, pace) = (Arc::clone(&host.studio), bind(host, &live, &key, &account, started), Arc::clone(&pace));
            spawn_blocking(move || Chain::prepare(studio, id, bind, pace))
        };
        let (looked, entered, prepared) = tokio::join!(look, enter, prepare);
        let prepared = prepared.map_err(|e| e.to_string()).and_then(|prepared| prepared.map_err(|e| e.to_string()));
        let prepared = prepared.map_err(|e| format!("the device can't record: {e}"))?;
        let others = || {
            entered.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
            let before = looked.map_err(io::Error::other).flatten();
            let before = before.map_err(|e| format!("the device can't look at the account: {e}"))?;
            let (hold, group) = host.containment.begin(id, account.uid).map_err(|e| e.to_string())?;
            Ok::<_, String>((before, hold, group))
        };
        let (before, hold, group) = match others() {
            Ok(others) => others,
            Err(reason) => {
                prepared.give_up();
                return Err(reason);
            }
        };
        let begun = Self::open(host, live, key, Ready { id, account, before, hold, group, pace, prepared, started }).await;
        if begun.is_err() {
            // Nothing was started.
            let _ = host.containment.forget(id);
        }
        begun
    }

    /// A consent that ends meanwhile finds the session on the list, or its end is found here.
    async fn open(host: &Arc<Host>, live: Live, key: String, ready: Ready) -> Result<Self, String> {
        let Ready { id, account, before, hold, group, pace, prepared, started } = ready;
        let shown = account.shown().to_owned();
        let opened = SessionOpened {
            at: started,
            session: id,
            consent: live.id,
            engineer: live.engineer.clone(),
            engineer_key: key,
            account: shown.clone(),
        };
        let outbox = Arc::clone(&host.outbox);
        let begin = spawn_blocking(move || match outbox.send(&Report::SessionOpened(opened)) {
            Ok(_) => prepared.begin().map_err(|e| format!("the device can't record: {e}")),
            Err(error) => {
                prepared.give_up();
                Err(format!("the device can't report: {error}"))
            }
        });
        let chain = begin.await.map_err(|e| e.to_string()).flatten()?;
        let (recorder, writing) = Recorder::new(chain, Arc::clone(&host.outbox), Arc::clone(&pace));
        let (mut writer, mut pacing) = (JoinSet::new(), JoinSet::new());
        writer.spawn(writing);
        pacing.spawn(pace.keep());
        let (engineer, doors) = (live.engineer.clone(), live.doors.clone());
        let info = SessionInfo { session: id, consent: live.id, engineer, account: shown, doors, containment: hold, started };
        let sftp = Arc::default();
        let blow = Blow { group: group.clone(), sftp: Arc::clone(&sftp) };
        let (listed, stop) = host.sessions.enter(info, blow.clone());
        if host.consents.remaining(live.id).is_none() {
            // It ended after it was entered and before the line that lists the session.
            host.sessions.end(id, &Ending::new(EndReason::Revoked));
        }
        let (notes, heard_notes) = watch::channel(None);
        let (reach, known_reach) = watch::channel(Reach::Up(Instant::now()));
        tracing::info!(session.id = %id, consent.id = %live.id, engineer = %live.engineer, containment = %hold, "a session begins");
        let scope = Arc::new(Scope {
            host: Arc::clone(host),
            id,
            live,
            recorder: Arc::clone(&recorder),
            stop,
            notes: heard_notes,
            reach: known_reach,
            group,
            spare: Arc::default(),
            sftp,
            answers: Arc::default(),
            unsaid: Mutex::default(),
        });
        let (channels, mut sparing) = (JoinSet::new(), JoinSet::new());
        sparing.spawn(Arc::clone(&scope.spare).keep(host.program.clone(), scope.berth(), Arc::clone(&host.containment)));
        Ok(Self {
            scope,
            recorder,
            notes,
            reach,
            account,
            before,
            hold,
            blow,
            writer,
            pacing,
            sparing,
            channels,
            next_channel: 0,
            _listed: listed,
        })
    }

    pub async fn run(
        mut self,
        mut ssh: RunningSession<Doorkeeper>,
        mut hearing: mpsc::Receiver<Heard>,
        leg: Pin<&mut impl Future<Output = LegEnd>>,
        listening: Option<Listening>,
    ) -> EndReason {
        let handle = ssh.handle();
        let mut leg = Leg { work: leg, end: None, listening };
        let reason = self.live(&mut ssh, &handle, &mut hearing, &mut leg).await;
        let forced = reason != EndReason::Client && reason != EndReason::LinkLost;
        if forced {
            leg.beside(self.put_out(&handle, &mut ssh, reason)).await;
        }
        // The channels notice by themselves that the client is gone.
        drop(hearing);
        let closing = async { while self.channels.join_next().await.is_some() {} };
        let _ = timeout(CLOSING, closing).await;
        self.channels.shutdown().await;
        self.sparing.shutdown().await;
        if let Some(spare) = self.scope.spare.take() {
            spare.dismiss().await;
        }
        let mut notes = self.leftovers(forced).await;
        if let Some(LegEnd::Cut(why)) = &leg.end {
            notes.push(format!("the connection to the centre was lost: {why}"));
        }
        self.recorder.end(reason, notes).await;
        while self.writer.join_next().await.is_some() {}
        self.pacing.shutdown().await;
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
        let mut pace = self.recorder.pace().watch();
        let mut told = *pace.borrow();
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
                Ok(()) = pace.changed() => {
                    let now = *pace.borrow_and_update();
                    self.paced(std::mem::replace(&mut told, now), now).await;
                }
                heard = hearing.recv() => match heard {
                    Some(Heard::Channel(channel, place)) => {
                        let running = channel::run(Arc::clone(&self.scope), self.number(), channel, handle.clone());
                        self.channels.spawn(async move {
                            let _place = place;
                            running.await
                        });
                    }
                    Some(Heard::Forward(asked)) => {
                        let number = self.number();
                        self.channels.spawn(forward::run(Arc::clone(&self.scope), number, asked, handle.clone()));
                    }
                    Some(Heard::Refused(text)) => {
                        self.note(format!("refused: {text}")).await;
                        self.scope.say(text);
                    }
                    Some(Heard::Entered { .. }) => return EndReason::Error,
                    // The protocol's task is gone.
                    None => return leg.reason(),
                },
                _ = &mut *ssh => return leg.reason(),
                news = leg.news() => if let Some(news) = news { self.told(news).await },
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

    /// Something happened to the leg.
    async fn told(&self, news: News) {
        match news {
            News::Cut => {
                self.reach.send_replace(Reach::Cut);
                self.note("the connection to the centre was cut: the session waits for it".to_owned()).await;
            }
            News::Back(after) => {
                self.reach.send_replace(Reach::Up(Instant::now()));
                self.note(format!("the connection to the centre is back after {} s", after.as_secs())).await;
            }
            News::End(why) => {
                let ending = Ending { reason: EndReason::CentreStopped, text: why };
                self.scope.host.sessions.end(self.scope.id, &ending);
            }
        }
    }

    fn number(&mut self) -> u32 {
        self.next_channel += 1;
        self.next_channel - 1
    }

    /// The recording runs behind, has caught up, or is about to be full.
    async fn paced(&self, before: State, now: State) {
        if now.input_held != before.input_held {
            let text = if now.input_held {
                "input waits: the centre has not acknowledged the recording in time"
            } else {
                "input goes on: the centre has the recording"
            };
            self.note(text.to_owned()).await;
        }
        let most = self.recorder.pace().limits().max_session_bytes;
        match now.fill {
            Fill::Nearly if before.fill == Fill::Room => {
                let text = format!(
                    "lineman: the recording of this session has reached nine tenths of {most} bytes: at that size the session ends"
                );
                self.notes.send_replace(Some(text));
            }
            Fill::Full => {
                self.scope.host.sessions.end(self.scope.id, &Ending::new(EndReason::Quota));
            }
            Fill::Room | Fill::Nearly => {}
        }
    }

    /// A note of the session's own, if the recorder takes it soon.
    async fn note(&self, text: String) {
        let _ = timeout(NOTE, self.recorder.event(0, What::Note(text))).await;
    }

    /// Warnings that are still to come, the next one last.
    fn warnings(&self) -> Vec<(Instant, &'static str)> {
        let left = self.scope.host.consents.remaining(self.scope.live.id).unwrap_or_default();
        let at = |before: Duration| left.checked_sub(before).map(|wait| Instant::now() + wait);
        let mut warnings: Vec<_> = WARNINGS.iter().filter_map(|(before, text)| at(*before).map(|at| (at, *text))).collect();
        warnings.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        warnings
    }

    /// Ends it against the engineer's will: everything is killed at once, and then SSH says why.
    async fn put_out(&mut self, handle: &Handle, ssh: &mut RunningSession<Doorkeeper>, reason: EndReason) {
        let session = self.scope.id;
        let stopped = self.scope.stop.borrow().clone().unwrap_or_else(|| Ending::new(reason));
        // For an end that came from inside, the channels don't know it yet.
        self.scope.host.sessions.end(session, &stopped);
        if self.scope.sftp.load(Ordering::Relaxed) > 0 {
            sleep(LAST_OPERATIONS).await;
        }
        self.blow.strike(session);
        let containment = Arc::clone(&self.scope.host.containment);
        let killing = spawn_blocking(move || containment.kill(&[session]));
        let closing = async { while self.channels.join_next().await.is_some() {} };
        let (killed, _) = tokio::join!(killing, timeout(FAREWELL, closing));
        if let Ok(killed @ 1..) = killed {
            tracing::info!(session.id = %session, killed, "processes of a session were killed");
        }
        if timeout(LAST_WORD, &mut *ssh).await.is_ok() {
            return;
        }
        let goodbye = async {
            let _ = handle.disconnect(Disconnect::ByApplication, stopped.text, "en".into()).await;
            let _ = ssh.await;
        };
        let _ = timeout(FAREWELL, goodbye).await;
    }

    /// What the session leaves behind, for the end of its recording.
    ///
    /// A command that an engineer left running on purpose (a restarted daemon) is not killed when they leave; it is told, and
    /// killed when the consent ends, if that has not happened meanwhile.
    async fn leftovers(&self, forced: bool) -> Vec<String> {
        let (session, host) = (self.scope.id, &self.scope.host);
        let over = host.consents.remaining(self.scope.live.id).is_none();
        let (containment, account) = (Arc::clone(&host.containment), self.account.clone());
        let look = move || {
            if over {
                containment.kill(&[session]);
            }
            let left = containment.members(session)?;
            let after = Snapshot::take(&account, &containment.others(session)?);
            // Else it is looked at again when the consent ends.
            let gone = left.is_empty() && containment.forget(session);
            Ok((left, after, gone))
        };
        let mut notes = Vec::new();
        match spawn_blocking(look).await.map_err(io::Error::other).flatten() {
            Ok((left, after, gone)) => {
                if gone {
                    host.consents.left(self.scope.live.id, session);
                }
                if !left.is_empty() {
                    let pids = left.iter().map(|pid| pid.as_raw_pid().to_string()).collect::<Vec<_>>().join(" ");
                    let word = if forced || over { "could not be killed" } else { "were left running" };
                    notes.push(format!("{} processes of this session {word}: {pids}", left.len()));
                }
                let changed = after.since(&self.before);
                self.recorder.leftovers(&changed);
                notes.extend(changed.into_iter().map(|change| format!("left behind on the device: {change}")));
            }
            Err(error) => {
                tracing::error!(%error, session.id = %session, "what a session left behind can't be looked at");
                notes.push(format!("what this session left behind could not be looked at: {error}"));
            }
        }
        notes.push(self.hold.note().to_owned());
        notes
    }
}

/// What a recording hangs on.
fn bind(host: &Host, live: &Live, key: &str, account: &Account, started: Timestamp) -> Bind {
    Bind {
        device: host.identity.device.clone(),
        consent: live.id,
        request_sha256: sha256_hex(&live.request.text),
        grade: live.grade,
        consents_sha256: live.papers_sha256(),
        engineer: live.engineer.clone(),
        engineer_key: key.to_owned(),
        host_key: host.identity.host_key_line(),
        account: account.shown().to_owned(),
        started,
    }
}

/// The work that carries the stream: it must go on while anything is said over it.
struct Leg<'a, F> {
    work: Pin<&'a mut F>,
    end: Option<LegEnd>,
    listening: Option<Listening>,
}

impl<F: Future<Output = LegEnd>> Leg<'_, F> {
    /// Until the leg ends; for ever when it has.
    async fn ended(&mut self) {
        match self.end {
            None => self.end = Some(self.work.as_mut().await),
            Some(_) => std::future::pending().await,
        }
    }

    /// The next thing that happens to it; `None` when it ended.
    async fn news(&mut self) -> Option<News> {
        let Self { work, end, listening } = self;
        let news = async {
            match listening {
                Some(listening) => listening.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = work.as_mut(), if end.is_none() => {
                *end = Some(ended);
                None
            }
            news = news => Some(news),
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
        if matches!(self.end, Some(LegEnd::Cut(_))) { EndReason::LinkLost } else { EndReason::Client }
    }
}
