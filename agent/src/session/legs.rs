//! How many session legs there may be: each costs the device descriptors and tasks before anybody has proven a key.
//!
//! The centre asks for legs, and the centre's word must not be enough to use the device up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lineman_common::id::ConsentId;

/// Legs that nobody has signed in on, on the whole device.
pub const MAX_WAITING: usize = 16;
/// Legs under one consent, with somebody inside or not.
pub const MAX_PER_CONSENT: usize = 64;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("{MAX_WAITING} connections to the device wait for somebody to sign in, and no more may: try again when one has, or was closed")]
    Waiting,
    #[error("{0} has {MAX_PER_CONSENT} connections to the device, and no more may be had under it: close one first")]
    Consent(ConsentId),
}

#[derive(Default)]
pub struct Legs(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    waiting: usize,
    under: HashMap<ConsentId, usize>,
}

impl Legs {
    /// No operation leaves the counts half-changed, so a poisoned lock is safe.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A leg's place for as long as it lives, and its place among those that wait, to be dropped when somebody has entered.
    pub fn take(self: &Arc<Self>, consent: ConsentId) -> Result<(Place, Waiting), Full> {
        let mut counts = self.counts();
        if counts.waiting >= MAX_WAITING {
            return Err(Full::Waiting);
        }
        let under = counts.under.entry(consent).or_default();
        if *under >= MAX_PER_CONSENT {
            return Err(Full::Consent(consent));
        }
        *under += 1;
        counts.waiting += 1;
        Ok((Place(Arc::clone(self), consent), Waiting(Arc::clone(self))))
    }
}

/// A leg that lives.
pub struct Place(Arc<Legs>, ConsentId);

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.0.counts();
        if let Some(under) = counts.under.get_mut(&self.1) {
            *under -= 1;
            if *under == 0 {
                counts.under.remove(&self.1);
            }
        }
    }
}

/// A leg that nobody has entered on.
pub struct Waiting(Arc<Legs>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.counts().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_run_out_and_come_back() {
        let legs = Arc::new(Legs::default());
        let (one, other) = (ConsentId::new(), ConsentId::new());
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| legs.take(one).unwrap()).collect();
        assert_eq!(legs.take(other).err(), Some(Full::Waiting));
        drop(waiting.pop());
        let entered = legs.take(other).unwrap().0;
        let mut inside: Vec<_> = waiting.into_iter().map(|(place, _)| place).collect();
        while inside.len() < MAX_PER_CONSENT {
            inside.push(legs.take(one).unwrap().0);
        }
        assert_eq!(legs.take(one).err(), Some(Full::Consent(one)));
        assert!(legs.take(other).is_ok());
        inside.pop();
        assert!(legs.take(one).is_ok());
        drop((inside, entered));
        let counts = legs.counts();
        assert!(counts.waiting == 0 && counts.under.is_empty());
    }
}
