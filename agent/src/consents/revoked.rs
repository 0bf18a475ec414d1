//! Standing statements that ended before their time.
//!
//! A standing statement is valid for months and its text stays with the centre, so the device must not forget an end while the
//! statement could still be believed. It never forgets one for want of room: when all places are taken by statements that are still
//! valid, a further end is refused, and says so. Only a statement that a carrier signer made can take a place, and what the device's
//! own administrator ends by its name.
//!
//! Ends of statements whose time has passed are forgotten only when their place is needed. What was forgotten is remembered as a
//! whole: no standing statement that ends before the latest of them is believed again, whatever the clock says later.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::id::ConsentId;
use lineman_common::session::EndReason;
use serde::{Deserialize, Serialize};

use crate::durable;

/// Ends that are remembered.
pub const MAX_REVOKED: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    pub id: ConsentId,
    pub valid_before: Timestamp,
    pub reason: EndReason,
    pub at: Timestamp,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Revocations {
    revoked: Vec<Revoked>,
    /// Ends of statements valid before this have been forgotten.
    forgotten_before: Option<Timestamp>,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    most: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum NotRemembered {
    #[error("there is no room")]
    Full,
    #[error(transparent)]
    Store(#[from] io::Error),
}

impl Revocations {
    pub fn load(path: &Path, most: usize) -> io::Result<Self> {
        let kept: Self = match durable::read(path)? {
            Some(text) => serde_json::from_str(&text).map_err(io::Error::other)?,
            None => Self::default(),
        };
        Ok(Self { path: path.to_owned(), most, ..kept })
    }

    pub fn get(&self, id: ConsentId) -> Option<&Revoked> {
        self.revoked.iter().find(|revoked| revoked.id == id)
    }

    /// Statements that end before this time are not believed: an end among them may have been forgotten.
    pub fn forgotten_before(&self) -> Option<Timestamp> {
        self.forgotten_before
    }

    /// Remembers an end. In force from here on also when this can't be written down; then it must be asked for again.
    pub fn add(&mut self, revoked: Revoked, now: Timestamp) -> Result<(), NotRemembered> {
        if let Some(known) = self.revoked.iter_mut().find(|other| other.id == revoked.id) {
            // Statements of one id are one permission: the longest counts.
            known.valid_before = known.valid_before.max(revoked.valid_before);
        } else {
            if self.revoked.len() >= self.most {
                self.forget(now);
            }
            if self.revoked.len() >= self.most {
                return Err(NotRemembered::Full);
            }
            self.revoked.push(revoked);
        }
        durable::write(&self.path, &serde_json::to_vec(self).map_err(io::Error::other)?, durable::PRIVATE)?;
        Ok(())
    }

    fn forget(&mut self, now: Timestamp) {
        let over = |revoked: &Revoked| revoked.valid_before <= now;
        let latest = self.revoked.iter().filter(|revoked| over(revoked)).map(|revoked| revoked.valid_before).max();
        self.forgotten_before = self.forgotten_before.max(latest);
        self.revoked.retain(|revoked| !over(revoked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revoked(valid_before: &str) -> Revoked {
        let at = "2026-11-22T08:00:00Z".parse().unwrap();
        Revoked { id: ConsentId::new(), valid_before: valid_before.parse().unwrap(), reason: EndReason::Revoked, at }
    }

    #[test]
    fn what_is_still_valid_is_never_forgotten_and_what_was_forgotten_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Revocations::load(&dir.path().join("revoked"), 2).unwrap();
        let now = "2026-11-22T08:00:00Z".parse().unwrap();
        let (short, long) = (revoked("2026-12-01T00:00:00Z"), revoked("2027-06-01T00:00:00Z"));
        let mut kept = open();
        kept.add(short.clone(), now).unwrap();
        kept.add(long.clone(), now).unwrap();
        assert!(matches!(kept.add(revoked("2027-01-01T00:00:00Z"), now), Err(NotRemembered::Full)));
        kept.add(Revoked { valid_before: "2026-12-31T00:00:00Z".parse().unwrap(), ..short.clone() }, now).unwrap();
        assert_eq!(open().revoked.len(), 2, "the same permission takes one place");
        // A clock that runs ahead makes room, and costs nothing when it is set right again.
        let ahead = "2027-02-01T00:00:00Z".parse().unwrap();
        kept.add(revoked("2028-01-01T00:00:00Z"), ahead).unwrap();
        let kept = open();
        assert!(kept.get(short.id).is_none() && kept.get(long.id).is_some());
        assert_eq!(kept.forgotten_before().unwrap().to_string(), "2026-12-31T00:00:00Z");
    }
}
