//! The agent's life, from its files to its last end record.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use lineman_common::link::ALPN;
use lineman_common::session::EndReason;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Agent, LinkState};
use crate::checks::{Checks, Roots};
use crate::config::Settings;
use crate::consents::clock::SystemClock;
use crate::consents::{Consents, Pinned};
use crate::identity::Identity;
use crate::log::LogLevelHandle;
use crate::outbox::Outbox;
use crate::session::Host;
use crate::session::chain::{Studio, end_unfinished};
use crate::session::reap;
use crate::session::registry::{Ending, Sessions};
use crate::spool::Spool;
use crate::watch::Nudges;
use crate::{control, link, tls, watch};

/// For sessions to write their end records, and for the link to send what it can.
const GRACE: Duration = Duration::from_secs(8);

/// Runs until SIGTERM or SIGINT. A second one ends it at once.
pub async fn run(state: &Path, config: Option<&Path>, log_level: LogLevelHandle) -> anyhow::Result<()> {
    let settings = Settings::find(config, state)?;
    let identity = Arc::new(Identity::load(state)?);
    let tls = tls::link_config(&identity, ALPN)?;
    let outbox = Outbox::new(Spool::open(&state.join("spool"), settings.spool_max_bytes)?);
    let checks = Checks::open(settings.checks.clone(), Roots::default(), state)?;
    let studio = studio(state, &identity, &outbox)?;
    for session in end_unfinished(&studio).context("ending the recordings that were cut off")? {
        // Its shells died with the agent that recorded them; what they had started goes now.
        let killed = reap::kill_all(session);
        tracing::warn!(session.id = %session, killed, "the agent was stopped in the middle of this session; its recording is closed now");
    }
    let clock = SystemClock::new();
    let boot_id = clock.boot_id().to_owned();
    let consents = Consents::open(state, Pinned::of(&identity), settings.policy.clone(), Arc::new(clock));
    let consents = Arc::new(consents.with_context(|| format!("reading the consents in {}", state.display()))?);
    let sessions = Arc::new(Sessions::default());
    let host = Host::new(
        PathBuf::from("/proc/self/exe"),
        Arc::clone(&identity),
        settings.profiles.clone(),
        Arc::clone(&consents),
        Arc::clone(&sessions),
        studio,
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
        boot_id,
        outbox,
        consents,
        sessions,
        host,
        log_level,
    });
    agent.tell_ended_consents()?;
    tracing::info!(device = %agent.identity.device, server = %agent.identity.server, "the agent runs");

    let loops = TaskTracker::new();
    let link_stop = CancellationToken::new();
    loops.spawn(control::run(Arc::clone(&agent), listener));
    loops.spawn(Arc::clone(&agent).keep_time());
    loops.spawn({
        let (agent, stop) = (Arc::clone(&agent), agent.stop.clone());
        async move { watch::run(checks, Arc::clone(&agent.outbox), &agent.nudges, stop).await }
    });
    let link = TaskTracker::new();
    link.spawn(link::run(Arc::clone(&agent), tls, link_stop.clone()));

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

fn studio(state: &Path, identity: &Identity, outbox: &Arc<Outbox>) -> anyhow::Result<Arc<Studio>> {
    let journals = state.join("sessions");
    std::fs::create_dir_all(&journals).with_context(|| format!("making {}", journals.display()))?;
    Ok(Arc::new(Studio { outbox: Arc::clone(outbox), host_key: identity.host_key.clone(), journals }))
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
