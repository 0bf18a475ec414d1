//! Requests that wait for their answer: verified when they came, kept so that the device's administrator can look at them and, with
//! the centre out of reach, approve one here.
//!
//! They let nobody in. A request waits as long as its challenge does; the file is no part of the ledger, which is written every few
//! seconds.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::id::ConsentId;
use lineman_common::statement::Signed;
use serde::{Deserialize, Serialize};

use crate::durable;

/// Requests that wait at one time. The oldest goes first: a centre that sends more only harms its own.
pub const MAX_REQUESTS: usize = 32;

/// A request that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub id: ConsentId,
    pub request: Signed,
    pub arrived: Timestamp,
}

#[derive(Debug, Default)]
pub struct Requests {
    waiting: Vec<Waiting>,
    path: PathBuf,
}

impl Requests {
    pub fn load(path: &Path) -> io::Result<Self> {
        let waiting = match durable::read(path)? {
            Some(text) => serde_json::from_str(&text).map_err(io::Error::other)?,
            None => Vec::new(),
        };
        Ok(Self { waiting, path: path.to_owned() })
    }

    pub fn get(&self, id: ConsentId) -> Option<&Waiting> {
        self.waiting.iter().find(|waiting| waiting.id == id)
    }

    pub fn all(&self) -> &[Waiting] {
        &self.waiting
    }

    /// Keeps one, and writes all down.
    pub fn add(&mut self, waiting: Waiting) -> io::Result<()> {
        self.waiting.retain(|other| other.id != waiting.id);
        self.waiting.push(waiting);
        if self.waiting.len() > MAX_REQUESTS {
            self.waiting.remove(0);
        }
        self.save()
    }

    /// Forgets those that wait for nothing any more.
    pub fn retain(&mut self, keep: impl Fn(&Waiting) -> bool) -> io::Result<()> {
        let before = self.waiting.len();
        self.waiting.retain(keep);
        if self.waiting.len() == before { Ok(()) } else { self.save() }
    }

    fn save(&self) -> io::Result<()> {
        durable::write(&self.path, &serde_json::to_vec(&self.waiting)?, durable::PRIVATE)
    }
}
