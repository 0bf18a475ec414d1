//! The links that are up, and questions to the agents at their other ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lineman_common::error::ErrorCode;
use lineman_common::id::EquipmentId;
use lineman_common::link::{Answer, Order, Outcome};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::web::ApiError;

/// Questions that wait for one link's attention; more than this and the agent is as good as gone.
const QUEUE: usize = 32;
/// An agent that is there answers within this time.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// A question for an agent.
pub struct Ask {
    pub order: Order,
    pub reply: oneshot::Sender<Outcome>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AskError {
    #[error("the device is not connected")]
    Offline,
    #[error("the device did not answer within {} seconds", PATIENCE.as_secs())]
    Silent,
    #[error("{0}")]
    Refused(String),
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        let code = match error {
            AskError::Offline => ErrorCode::AgentOffline,
            AskError::Silent => ErrorCode::AgentTimeout,
            AskError::Refused(_) => ErrorCode::AgentRefused,
        };
        Self::new(code, error.to_string())
    }
}

struct Up {
    generation: u64,
    asks: mpsc::Sender<Ask>,
    /// Ends this link: a newer one has taken its place.
    replaced: CancellationToken,
}

/// A handle to all links; clones share it.
#[derive(Clone, Default)]
pub struct Links {
    up: Arc<Mutex<HashMap<EquipmentId, Up>>>,
    generations: Arc<AtomicU64>,
}

/// A link's place among the others, until it is dropped.
pub struct Registration {
    links: Links,
    device: EquipmentId,
    generation: u64,
    pub asks: mpsc::Receiver<Ask>,
    pub replaced: CancellationToken,
}

impl Links {
    fn lock(&self) -> MutexGuard<'_, HashMap<EquipmentId, Up>> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new link is up; an older one of the same device ends: the newest wins.
    pub fn register(&self, device: EquipmentId) -> Registration {
        let (sender, asks) = mpsc::channel(QUEUE);
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        let replaced = CancellationToken::new();
        if let Some(older) = self.lock().insert(device, Up { generation, asks: sender, replaced: replaced.clone() }) {
            older.replaced.cancel();
        }
        Registration { links: self.clone(), device, generation, asks, replaced }
    }

    pub fn count(&self) -> usize {
        self.lock().len()
    }

    pub fn is_up(&self, device: EquipmentId) -> bool {
        self.lock().contains_key(&device)
    }

    /// Asks a connected agent, and waits for what it says.
    pub async fn ask(&self, device: EquipmentId, order: Order) -> Result<Answer, AskError> {
        let asks = self.lock().get(&device).map(|up| up.asks.clone()).ok_or(AskError::Offline)?;
        let (reply, answer) = oneshot::channel();
        let asking = async {
            asks.send(Ask { order, reply }).await.map_err(|_| AskError::Offline)?;
            answer.await.map_err(|_| AskError::Offline)
        };
        match tokio::time::timeout(PATIENCE, asking).await.map_err(|_| AskError::Silent)?? {
            Outcome::Done { answer } => Ok(answer),
            Outcome::Refused { reason } => Err(AskError::Refused(reason)),
        }
    }
}

impl Registration {
    /// Is this still the device's link?
    pub fn is_current(&self) -> bool {
        self.links.lock().get(&self.device).is_some_and(|up| up.generation == self.generation)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut up = self.links.lock();
        if up.get(&self.device).is_some_and(|up| up.generation == self.generation) {
            up.remove(&self.device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_link_wins_and_is_asked() {
        let links = Links::default();
        let device = EquipmentId::new();
        assert_eq!(links.ask(device, Order::ReportNow).await.unwrap_err(), AskError::Offline);
        let older = links.register(device);
        let mut newer = links.register(device);
        assert!(older.replaced.is_cancelled() && !older.is_current());
        drop(older);
        assert!(newer.is_current());
        let answering = async {
            let ask = newer.asks.recv().await.unwrap();
            ask.reply.send(Outcome::Refused { reason: "no".into() }).unwrap();
        };
        let (answer, ()) = tokio::join!(links.ask(device, Order::ReportNow), answering);
        assert_eq!(answer.unwrap_err(), AskError::Refused("no".into()));
    }
}
