//! Lines: a device's SSH on a plain socket, for `lineman ssh`. The engineer asks over the API, where the token says who it is, and shows
//! the ticket on a connection of its own. SSH protects itself, and the device checks the key: the ticket only keeps strangers from
//! taking the leg away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lineman_common::leg::{Leg, line_reply};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::legs::Wire;
use super::relay::relay;

/// How long a ticket waits.
const TICKET: Duration = Duration::from_secs(15);

/// Legs that wait for their engineer, by ticket.
#[derive(Clone)]
pub struct Lines {
    waiting: Arc<Mutex<HashMap<String, Leg>>>,
    tasks: TaskTracker,
}

impl Lines {
    pub fn new(tasks: TaskTracker) -> Self {
        Self { waiting: Arc::default(), tasks }
    }

    /// No operation leaves the map half-changed, so a poisoned lock is safe.
    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Leg>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket for this leg, for once and not for long.
    pub fn offer(&self, leg: Leg) -> String {
        let ticket = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        self.waiting().insert(ticket.clone(), leg);
        let (lines, forgotten) = (self.clone(), ticket.clone());
        self.tasks.spawn(async move {
            sleep(TICKET).await;
            lines.waiting().remove(&forgotten);
        });
        ticket
    }

    /// A connection that shows a ticket.
    pub async fn arrived(&self, mut engineer: impl Wire, ticket: &str) {
        let leg = self.waiting().remove(ticket);
        let reply = line_reply(leg.as_ref().map(drop).ok_or("unknown, used or old ticket: ask for a new one"));
        if engineer.write_all(reply.as_bytes()).await.is_ok()
            && let Some(leg) = leg
            && let Err(error) = relay(engineer, leg).await
        {
            tracing::debug!(%error, "a line ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use lineman_common::leg::{leg, read_line_reply};
    use tokio::io::{AsyncReadExt, duplex};

    use super::super::first_line;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_for_once_and_not_for_long() {
        let tasks = TaskTracker::new();
        let lines = Lines::new(tasks.clone());
        let show = async |ticket: &str| {
            let (mut engineer, there) = duplex(1024);
            let (lines, ticket) = (lines.clone(), ticket.to_owned());
            tasks.spawn(async move { lines.arrived(there, &ticket).await });
            let reply = first_line(&mut engineer).await.unwrap();
            (engineer, read_line_reply(&reply))
        };
        let (device, _carrier, _) = leg();
        let ticket = lines.offer(device);
        assert!(show("").await.1.is_err() && show(&ticket[1..]).await.1.is_err());
        let (_engineer, yes) = show(&ticket).await;
        assert_eq!(yes, Ok(()));
        assert!(show(&ticket).await.1.is_err(), "used");
        let (device, _carrier, _) = leg();
        let old = lines.offer(device);
        sleep(TICKET * 2).await;
        assert!(show(&old).await.1.is_err(), "old");
        assert!(lines.waiting().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_whose_device_is_gone_closes() {
        let lines = Lines::new(TaskTracker::new());
        let (device, carrier, _) = leg();
        let ticket = lines.offer(device);
        let (mut engineer, there) = duplex(1024);
        drop(carrier);
        lines.arrived(there, &ticket).await;
        let mut all = String::new();
        engineer.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "LINEMAN-LINE/1 OK\n");
    }
}
