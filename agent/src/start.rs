//! The agent's life, from its files to its last end record.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use lineman_common::session::EndReason;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Agent, LinkState};
use crate::checks::{Checks, Roots};
use crate::config::Settings;
use crate::consents::clock::SystemClock;
use crate::consents::{Consents, Pinned};
use crate::dial::Dialer;
use crate::identity::Identity;
use crate::log::LogLevelHandle;
use crate::outbox::Outbox;
use crate::session::account::Account;
use crate::session::chain::{Studio, end_unfinished};
use crate::session::contain::Containment;
use crate::session::reap;
use crate::session::registry::{Ending, Sessions};
use crate::session::{Host, Local};
use crate::sink::Sink;
use crate::spool::Spool;
use crate::watch::Nudges;
use crate::{control, link, watch};

/// For sessions to write their end records, and for the link to send what it can.
const GRACE: Duration = Duration::from_secs(8);
/// Of these, for the sink to take the last entries of the journal.
const LAST_ENTRIES: Duration = Duration::from_secs(2);

/// Runs until SIGTERM or SIGINT. A second one ends it at once.
pub async fn run(state: &Path, config: Option<&Path>, log_level: LogLevelHandle) -> anyhow::Result<()> {
    raise_open_files();
    let settings = Settings::find(config, state)?;
    let identity = Arc::new(Identity::load(state)?);
    let dialer = Dialer::new(&identity, &settings.link)?;
    let outbox = Outbox::new(Spool::open(&state.join("spool"), settings.spool_max_bytes)?);
    let checks = Checks::open(settings.checks.clone(), Roots::default(), state)?;
    let studio = Studio::open(state, Arc::clone(&outbox), identity.host_key.clone()).context("reading the journals of sessions")?;
    let sink = Sink::open(&settings.sink, state, Arc::clone(studio.witness()), identity.device.clone()).context("opening the sink")?;
    let sink = Arc::new(sink);
    close_what_was_cut(&studio);
    warn_of_accounts(&settings);
    let clock = SystemClock::new();
    let boot_id = clock.boot_id().to_owned();
    let consents = Consents::open(state, Pinned::of(&identity), settings.policy.clone(), Arc::new(clock));
    let consents = Arc::new(consents.with_context(|| format!("reading the consents in {}", state.display()))?);
    let sessions = Arc::new(Sessions::default());
    let host = Host::new(
        PathBuf::from("/proc/self/exe"),
        Arc::clone(&identity),
        Local { profiles: settings.profiles.clone(), limits: settings.limits },
        Arc::clone(&consents),
        Arc::clone(&sessions),
        studio,
        Containment::find(),
    );
    let listener = control::bind(state)?;
    let agent = Arc::new(Agent {
        runner: checks.runner(),
        nudges: Nudges::new(settings.interval),
        link: Mutex::new(LinkState { connected: false, since: Timestamp::now(), problem: None }),
        legs: TaskTracker::new(),
        stop: CancellationToken::new(),
        settings,
        identity,
        dialer,
        boot_id,
        outbox,
        consents,
        sessions,
        host,
        sink: Arc::clone(&sink),
        log_level,
    });
    if let Err(error) = agent.tell_ended_consents() {
        tracing::error!(%error, "the end of a consent can't be told now; it will be tried again");
    }
    agent.end_unfounded();
    agent.reap_ended();
    tracing::info!(device = %agent.identity.device, server = %agent.identity.server, way = %agent.dialer.way, "the agent runs");

    let loops = TaskTracker::new();
    let link_stop = CancellationToken::new();
    loops.spawn(control::run(Arc::clone(&agent), listener));
    loops.spawn(Arc::clone(&agent).keep_time());
    loops.spawn(Arc::clone(&agent.host.containment).wait_for_adopted(agent.stop.clone()));
    loops.spawn({
        let (agent, stop) = (Arc::clone(&agent), agent.stop.clone());
        async move { watch::run(checks, Arc::clone(&agent.outbox), &agent.nudges, stop).await }
    });
    let link = TaskTracker::new();
    link.spawn(link::run(Arc::clone(&agent), link_stop.clone()));
    link.spawn({
        let (sink, stop) = (Arc::clone(&sink), link_stop.clone());
        async move { sink.run(stop).await }
    });

    let mut stopping = Signals::new()?;
    stopping.next().await;
    tracing::info!("the agent stops");
    let ending = async {
        agent.stop.cancel();
        agent.sessions.end_every(&Ending::new(EndReason::AgentStopped));
        agent.legs.close();
        agent.legs.wait().await;
        loops.close();
        loops.wait().await;
        // What the journal says of these ends; the next start sends what can't be sent now.
        let _ = sink.deliver_now(LAST_ENTRIES).await;
        // Last, so that the end records have a chance to be sent; what is not goes with the next start.
        link_stop.cancel();
        link.close();
        link.wait().await;
    };
    tokio::select! {
        () = ending => {}
        () = tokio::time::sleep(GRACE) => tracing::warn!("not everything ended in time"),
        () = stopping.next() => tracing::warn!("stopped a second time: ending now"),
    }
    Ok(())
}

/// Descriptors that the agent may have. Each session takes a few dozen at most; what init gave is often 1024.
const OPEN_FILES: u64 = 65_536;

/// As many descriptors as this process may give itself. Running out of them must stay far away: then nobody gets in any more.
fn raise_open_files() {
    let now = getrlimit(Resource::Nofile);
    let Some(wanted) = open_files(now) else { return };
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..now }) {
        Ok(()) => tracing::debug!(from = now.current, to = wanted, "more files may be open"),
        Err(error) => tracing::warn!(%error, limit = now.current, wanted, "the limit of open files can't be raised"),
    }
}

/// `None` where there is nothing to raise. A limit of `None` is none.
fn open_files(now: Rlimit) -> Option<u64> {
    let wanted = now.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    now.current.filter(|current| *current < wanted).map(|_| wanted)
}

/// Sessions that the last agent did not end: their shells died with it; what these had started goes now. A recording that
/// can't be ended now stops nobody: it is tried again while the agent runs.
fn close_what_was_cut(studio: &Arc<Studio>) {
    let cut = studio.unfinished();
    let killed = reap::kill_every(&cut);
    if !cut.is_empty() {
        let closed = end_unfinished(studio).len();
        tracing::warn!(
            sessions = cut.len(),
            closed,
            killed,
            "the agent was stopped in the middle of sessions; their recordings are closed now"
        );
    }
}

fn warn_of_accounts(settings: &Settings) {
    for (name, profile) in &settings.profiles {
        match Account::of(profile) {
            Ok(account) if account.is_own() => tracing::warn!(
                account = %name,
                "UNSAFE: sessions of this account profile run as the agent itself (unsafe_self): whoever is let in can read the \
                 device's keys and change who may enter"
            ),
            Ok(_) => {}
            Err(error) => tracing::error!(account = %name, %error, "no session is possible with this account profile"),
        }
    }
}

struct Signals {
    term: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_goes_up_to_what_is_allowed_and_never_down() {
        let limit = |current, maximum| open_files(Rlimit { current, maximum });
        assert_eq!(limit(Some(1024), Some(4096)), Some(4096));
        assert_eq!(limit(Some(1024), Some(1 << 20)), Some(OPEN_FILES));
        assert_eq!(limit(Some(1024), None), Some(OPEN_FILES));
        assert_eq!(limit(Some(4096), Some(4096)), None);
        assert_eq!(limit(Some(1 << 20), Some(1 << 20)), None);
        assert_eq!(limit(None, None), None);

        let before = getrlimit(Resource::Nofile);
        let least = before.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
        setrlimit(Resource::Nofile, Rlimit { current: Some(least - 1), ..before }).unwrap();
        raise_open_files();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(least));
    }
}
