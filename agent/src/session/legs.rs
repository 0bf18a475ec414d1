//! How many session legs there may be, and those that wait: each costs the device descriptors and tasks before anybody has proven a key.
//!
//! The centre asks for legs, and the centre's word must not be enough to use the device up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lineman_common::id::{ConsentId, LegId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::leg::Road;

/// Legs that somebody comes on and has not signed in yet, on the whole device; more wait for their turn.
pub const MAX_WAITING: usize = 16;
/// For a turn.
const TURN: Duration = Duration::from_secs(10);
/// Legs under one consent, with somebody inside or not.
pub const MAX_PER_CONSENT: usize = 256;
/// Legs that nobody has come on.
pub const MAX_PARKED: usize = 16;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("{MAX_WAITING} connections to the device wait for somebody to sign in, and no more may: try again when one has, or was closed")]
    Waiting,
    #[error("{0} has {MAX_PER_CONSENT} connections to the device, and no more may be had under it: close one first")]
    Consent(ConsentId),
    #[error("{MAX_PARKED} legs are parked, and no more may be")]
    Parked,
}

pub struct Legs {
    waiting: Arc<Semaphore>,
    under: Mutex<HashMap<ConsentId, usize>>,
    parked: Mutex<HashMap<LegId, Road>>,
}

impl Default for Legs {
    fn default() -> Self {
        Self { waiting: Arc::new(Semaphore::new(MAX_WAITING)), under: Mutex::default(), parked: Mutex::default() }
    }
}

impl Legs {
    /// No operation leaves the counts half-changed, so a poisoned lock is safe.
    fn under(&self) -> MutexGuard<'_, HashMap<ConsentId, usize>> {
        self.under.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parked(&self) -> MutexGuard<'_, HashMap<LegId, Road>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A leg's place for as long as it lives, and its place among those that wait, to be dropped when somebody has entered.
    pub async fn take(self: &Arc<Self>, consent: ConsentId) -> Result<(Place, Waiting), Full> {
        let place = self.place(consent)?;
        let turn = timeout(TURN, Arc::clone(&self.waiting).acquire_owned()).await;
        Ok((place, Waiting { _turn: turn.ok().and_then(Result::ok).ok_or(Full::Waiting)? }))
    }

    fn place(self: &Arc<Self>, consent: ConsentId) -> Result<Place, Full> {
        let mut counts = self.under();
        let under = counts.entry(consent).or_default();
        if *under >= MAX_PER_CONSENT {
            return Err(Full::Consent(consent));
        }
        *under += 1;
        Ok(Place(Arc::clone(self), consent))
    }

    /// Keeps a leg for whoever comes next.
    pub fn park(&self, id: LegId, road: Road) -> Result<(), Full> {
        let mut parked = self.parked();
        if parked.len() >= MAX_PARKED {
            return Err(Full::Parked);
        }
        parked.insert(id, road);
        Ok(())
    }

    pub fn is_parked(&self, id: LegId) -> bool {
        self.parked().contains_key(&id)
    }

    /// Takes a parked leg, to use it or to let it go.
    pub fn unpark(&self, id: LegId) -> Option<Road> {
        self.parked().remove(&id)
    }
}

/// A leg that lives.
pub struct Place(Arc<Legs>, ConsentId);

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.0.under();
        if let Some(under) = counts.get_mut(&self.1) {
            *under -= 1;
            if *under == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// A leg that nobody has entered on.
pub struct Waiting {
    _turn: OwnedSemaphorePermit,
}

#[cfg(test)]
mod tests {
    use lineman_common::leg::{Offer, Secret};

    use super::super::leg::road;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn places_run_out_and_come_back() {
        let legs = Arc::new(Legs::default());
        let (one, other) = (ConsentId::new(), ConsentId::new());
        let mut waiting = Vec::new();
        while waiting.len() < MAX_WAITING {
            waiting.push(legs.take(one).await.unwrap());
        }
        assert_eq!(legs.take(other).await.err(), Some(Full::Waiting));
        let (turn, ()) = tokio::join!(legs.take(other), async { drop(waiting.pop()) });
        let entered = turn.unwrap().0;
        let mut inside: Vec<_> = waiting.into_iter().map(|(place, _)| place).collect();
        while inside.len() < MAX_PER_CONSENT {
            inside.push(legs.take(one).await.unwrap().0);
        }
        assert_eq!(legs.take(one).await.err(), Some(Full::Consent(one)));
        assert!(legs.take(other).await.is_ok());
        inside.pop();
        assert!(legs.take(one).await.is_ok());
        drop((inside, entered));
        assert!(legs.under().is_empty() && legs.waiting.available_permits() == MAX_WAITING);
    }

    #[test]
    fn a_few_legs_are_parked_and_each_is_used_once() {
        let legs = Legs::default();
        let park = || {
            let offer = Offer { id: LegId::new(), secret: Secret::new([0; 32]) };
            legs.park(offer.id, road(offer.clone()).0).map(|()| offer.id)
        };
        let parked: Vec<_> = (0..MAX_PARKED).map(|_| park().unwrap()).collect();
        assert_eq!(park().err(), Some(Full::Parked));
        assert!(legs.unpark(parked[0]).is_some() && legs.unpark(parked[0]).is_none());
        assert!(park().is_ok());
    }
}
