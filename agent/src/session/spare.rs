//! A session child that waits for the next command.
//!
//! To start one takes longer than most commands do: the agent runs itself again, and the kernel takes up to 20 ms to move a process into
//! a control group. An engineer's tools give many short commands on one connection, so when one has ended, a child is made ready for the next.
//! It has joined the session's group and does nothing until it has its orders; when none come for a while, it goes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::child::Berth;
use super::contain::Containment;
use super::spawn::Waiting;

/// Without a command in between.
const KEPT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Spare {
    /// A command has ended.
    wanted: Notify,
    waiting: Mutex<Option<Waiting>>,
}

impl Spare {
    /// The child that waits, if it does.
    pub fn take(&self) -> Option<Waiting> {
        self.waiting().take().and_then(|mut child| child.is_there().then_some(child))
    }

    /// Another command may follow.
    pub fn want(&self) {
        self.wanted.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes children ready, for as long as this is polled.
    pub async fn keep(self: Arc<Self>, program: PathBuf, berth: Berth, containment: Arc<Containment>) {
        loop {
            match timeout(KEPT, self.wanted.notified()).await {
                Ok(()) if self.waiting().as_mut().is_some_and(Waiting::is_there) => {}
                Ok(()) => match Waiting::start(&program, &berth, None, &containment).await {
                    Ok(child) => *self.waiting() = Some(child),
                    // The next command starts its own, and says what is wrong.
                    Err(error) => tracing::debug!(%error, session.id = %berth.session, "no child can be made ready"),
                },
                Err(_) => drop(self.waiting().take()),
            }
        }
    }
}
