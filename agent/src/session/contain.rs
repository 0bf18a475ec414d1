//! What holds a session's processes together, so that a kill leaves none.
//!
//! Where the agent is root and there is a cgroup v2, each session has a control group of its own ([`super::cgroup`]): nothing that it
//! starts leaves it; what the system's services start for the account (cron, at, systemd --user) was never in it. Where there is none, the agent is the *sub-reaper* of what it starts: a process that lost its parents becomes the agent's child
//! instead of init's, and can be told by that. Which of the two it was is said in the recording's end and by `lineman-agent sessions`.
//!
//! A session is forgotten only when it is proven that nothing of it is left: an answer that could not be had is an error, not "nothing".
//!
//! An adopted process that carries no mark belongs to no session for certain. It is killed with a session when it runs as that
//! session's account, began after it, and belongs to no other session that is known: where two sessions of one account run at
//! once, hiding from the second one's kill takes the first one's mark, and lasts as long as that.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lineman_common::id::SessionId;
use lineman_common::words;
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::cgroup::{self, Group, Hierarchy};
use super::reap::{self, Process, Stat, Table};

const LOOK_EVERY: Duration = Duration::from_secs(1);

words! {
    /// What holds a session's processes together.
    pub enum Hold {
        Cgroup = "cgroup",
        SubReaper = "sub-reaper",
    }
}

impl Hold {
    /// For the recording.
    pub const fn note(self) -> &'static str {
        match self {
            Self::Cgroup => {
                "the processes of this session were held by a control group of its own, which is killed as a whole; what the system's \
                 services (cron, at, systemd --user) start for the account is outside of it"
            }
            Self::SubReaper => {
                "the processes of this session were held together by marks and a sub-reaper, because no control group could be made"
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the device can't hold a session's processes together: {0}")]
pub struct NoHold(#[source] io::Error);

/// The sessions that may have processes, and what holds them.
#[derive(Default)]
pub struct Containment {
    hierarchy: Option<Hierarchy>,
    /// This process is the sub-reaper.
    adopts: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashMap<SessionId, Held>,
    /// The agent's own children: they are not adopted, and waited for elsewhere.
    children: HashMap<i32, SessionId>,
}

#[derive(Clone)]
struct Held {
    group: Option<Group>,
    uid: u32,
    /// Ticks since the machine's start.
    since: u64,
}

impl Containment {
    /// The best that this machine has.
    pub fn find() -> Arc<Self> {
        let hierarchy = Hierarchy::find();
        if hierarchy.is_none() {
            tracing::warn!(
                "sessions get no control group here (it takes root and a writable cgroup v2): a sub-reaper holds their processes"
            );
        }
        Arc::new(Self { hierarchy, ..Self::default() })
    }

    /// As where no control group can be made.
    pub fn without_groups() -> Arc<Self> {
        Arc::default()
    }

    /// No operation leaves the maps half-changed, so a poisoned lock is safe.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session of this account begins. Its children join the group that is returned, if there is one, before anything else.
    pub fn begin(&self, session: SessionId, uid: u32) -> Result<(Hold, Option<Group>), NoHold> {
        let made = self.hierarchy.as_ref().map(|hierarchy| hierarchy.make(session));
        let group = match made {
            Some(Ok(group)) => Some(group),
            Some(Err(error)) => {
                tracing::error!(%error, session.id = %session, "no control group can be made for a session: the sub-reaper holds its processes");
                None
            }
            None => None,
        };
        let hold = if group.is_some() { Hold::Cgroup } else { Hold::SubReaper };
        if hold == Hold::SubReaper {
            set_child_subreaper(Some(getpid())).map_err(|errno| NoHold(errno.into()))?;
            self.adopts.store(true, Ordering::Relaxed);
        }
        let since = ticks_now().map_err(NoHold)?;
        self.state().held.insert(session, Held { group: group.clone(), uid, since });
        Ok((hold, group))
    }

    /// A child of the agent, until the guard goes: it must be made before the child does anything.
    pub fn child(self: &Arc<Self>, pid: Option<u32>, session: SessionId) -> Option<ChildEntry> {
        let pid = pid.and_then(|pid| i32::try_from(pid).ok())?;
        self.state().children.insert(pid, session);
        Some(ChildEntry { containment: Arc::clone(self), pid })
    }

    /// Kills whatever belongs to these sessions. Blocking. Returns how many processes there were.
    pub fn kill(&self, sessions: &[SessionId]) -> usize {
        // First what can be killed without a new descriptor, whatever else fails.
        let held: usize = sessions.iter().filter_map(|session| self.group(*session)).map(|group| reap::kill_group(&group)).sum();
        let marked = reap::kill_every(sessions);
        let adopted = reap::kill_found(|| {
            Table::look_with(|table| sessions.iter().flat_map(|session| self.adopted(table, *session, sessions)).collect())
        });
        self.reap_zombies();
        held + marked + adopted
    }

    fn group(&self, session: SessionId) -> Option<Group> {
        self.state().held.get(&session).and_then(|held| held.group.clone())
    }

    /// What of a session is alive. Blocking. An error says that there may be more than can be seen.
    pub fn members(&self, session: SessionId) -> io::Result<Vec<Pid>> {
        let mut members = reap::members(session)?;
        members.extend(self.adopted(&Table::read()?, session, &[session]));
        members.sort_unstable_by_key(|pid| pid.as_raw_pid());
        members.dedup();
        Ok(members)
    }

    /// What runs on this machine, seen from a session. Blocking.
    pub fn others(&self, session: SessionId) -> io::Result<Others<'_>> {
        Ok(Others { containment: self, session, table: Table::read()? })
    }

    /// A session has nothing left. `false`, and nothing is forgotten, when its group can't be removed: then there is something in it.
    #[must_use]
    pub fn forget(&self, session: SessionId) -> bool {
        let empty = self.group(session).is_none_or(|group| group.dissolve());
        if empty {
            self.state().held.remove(&session);
        }
        empty
    }

    /// As [`Self::forget`], when it is proven that nothing is left. Blocking.
    pub fn forget_if_empty(&self, session: SessionId) -> bool {
        match self.members(session) {
            Ok(left) => left.is_empty() && self.forget(session),
            Err(error) => {
                tracing::error!(%error, session.id = %session, "whether a session has left anything running can't be seen: it is looked at again");
                false
            }
        }
    }

    /// Orphans of the session's account that fell to this agent and belong to no session outside of `wanted`.
    fn adopted(&self, table: &Table, session: SessionId, wanted: &[SessionId]) -> Vec<Pid> {
        let held = self.state().held.get(&session).cloned();
        let Some(held) = held.filter(|held| held.group.is_none()) else { return Vec::new() };
        let strangers = self.strangers();
        let found = table.iter().filter(|(pid, process)| {
            strangers(*pid, process.parent, process.leader)
                && process.uid == held.uid
                && process.started >= held.since
                && !self.belongs_elsewhere(table, *pid, wanted)
        });
        // With their descendants.
        let roots: Vec<_> = found.map(|(pid, _)| pid).collect();
        let below = table.iter().filter(|(pid, _)| roots.iter().any(|root| table.descends(*pid, *root)));
        below.filter_map(|(pid, _)| Pid::from_raw(pid)).collect()
    }

    /// A child of this process that it did not start itself. What the agent starts beside sessions stays in the agent's Unix session, and
    /// whatever a session started has left it: the session child does that first.
    fn strangers(&self) -> impl Fn(i32, i32, i32) -> bool + use<> {
        let own = getpid().as_raw_pid();
        // 0 where the leader is outside of this process's namespace, as in a container: what the kernel tells of all others, too.
        let own_leader = stat(own).map(|stat| stat.leader);
        let children: Vec<i32> = self.state().children.keys().copied().collect();
        move |pid, parent, leader| parent == own && own_leader.is_some_and(|own| own != leader) && !children.contains(&pid)
    }

    fn belongs_elsewhere(&self, table: &Table, pid: i32, wanted: &[SessionId]) -> bool {
        let state = self.state();
        table.belongs(pid, |mark| !wanted.contains(&mark) && state.held.contains_key(&mark))
            || state.children.iter().any(|(child, session)| !wanted.contains(session) && table.descends(pid, *child))
    }

    /// Waits for the adopted, for as long as the agent runs: a dead child of a process tells so by a signal.
    pub async fn wait_for_adopted(self: Arc<Self>, stop: CancellationToken) {
        let mut deaths = match signal(SignalKind::child()) {
            Ok(deaths) => deaths,
            Err(error) => return tracing::error!(%error, "adopted processes that died can't be noticed: they stay as zombies"),
        };
        loop {
            tokio::select! {
                _ = deaths.recv() => {}
                () = stop.cancelled() => return,
            }
            if self.adopts.load(Ordering::Relaxed) {
                // However fast they die, the list of processes is read once a second.
                tokio::select! { () = sleep(LOOK_EVERY) => {}, () = stop.cancelled() => return }
                let containment = Arc::clone(&self);
                let _ = tokio::task::spawn_blocking(move || containment.reap_zombies()).await;
            }
        }
    }

    /// Adopted processes that died: nobody else waits for them. The agent's own children are left to those who do.
    pub fn reap_zombies(&self) {
        if !self.adopts.load(Ordering::Relaxed) {
            return;
        }
        let strangers = self.strangers();
        let own = getpid().as_raw_pid();
        for pid in children_of(own) {
            let dead = stat(pid).is_some_and(|stat| stat.state == 'Z' && strangers(pid, stat.parent, stat.leader));
            if let (true, Some(pid)) = (dead, Pid::from_raw(pid)) {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
    }
}

/// The processes of this machine, some of which belong to other sessions than this one.
pub struct Others<'a> {
    containment: &'a Containment,
    session: SessionId,
    table: Table,
}

impl Others<'_> {
    /// Processes of an account, without those that belong to another session, as far as that is certain: by their control groups, or by
    /// the marks of sessions that are known.
    pub fn of_account(&self, uid: u32) -> impl Iterator<Item = (i32, &Process)> {
        self.table.iter().filter(move |(pid, process)| process.uid == uid && !self.is_of_another(*pid))
    }

    fn is_of_another(&self, pid: i32) -> bool {
        match cgroup::session_of(&pid.to_string()) {
            Some(other) => other != self.session,
            None => self.containment.belongs_elsewhere(&self.table, pid, &[self.session]),
        }
    }
}

/// Takes a child off the list when it goes.
pub struct ChildEntry {
    containment: Arc<Containment>,
    pid: i32,
}

impl Drop for ChildEntry {
    fn drop(&mut self) {
        self.containment.state().children.remove(&self.pid);
    }
}

fn children_of(parent: i32) -> Vec<i32> {
    let pids = reap::pids().unwrap_or_default().into_iter();
    pids.filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == parent)).collect()
}

/// For zombies, which harm nobody until they are looked for again.
fn stat(pid: i32) -> Option<Stat> {
    Stat::read(pid).ok().flatten()
}

/// The machine's age in the unit of `/proc/PID/stat`, a hundredth of a second on every Linux.
fn ticks_now() -> io::Result<u64> {
    let uptime = fs::read_to_string(Path::new("/proc/uptime"))?;
    let first = uptime.split(' ').next().unwrap_or_default().replace('.', "");
    first.parse().map_err(|_| io::Error::other(format!("/proc/uptime can't be read: {}", uptime.trim_end())))
}
