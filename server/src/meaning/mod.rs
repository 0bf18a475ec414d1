//! What texts mean, as vectors: a question finds a case that says the same in other words, or in the other language.
//!
//! An optional part. Vectors come from a model on this machine ([`component`], installed by `lineman-server semantics install`, run by
//! [`model`]), or from an embeddings endpoint that the configuration names ([`endpoint`]). Without either [`Meaning`] is off: every function
//! answers at once with nothing, and search goes by words alone.
//!
//! - The worker ([`run`]) makes the vectors of cases in the background, from what the database has marked, and keeps them both there and
//!   in memory ([`shelves`]). It notices by itself that a model was installed, removed or exchanged.
//! - A question gets its vector within a limit or not at all ([`ask`]): search waits for nobody.
//!
//! The room knows no cases: what of a case's body is to be found by meaning comes from the room that calls [`run`].

mod ask;
pub mod component;
mod endpoint;
pub mod install;
mod kernels;
mod model;
mod shelves;
mod sql;
#[cfg(test)]
mod tests;
mod wheel;
mod worker;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use self::ask::Questions;
use self::component::Folder;
use self::shelves::Shelves;
use crate::config::Semantics;

pub use sql::progress;
pub use worker::run;

/// Of a question. More than a model looks at is not handed to it.
const MOST_QUESTION_CHARS: usize = 2_000;

/// What a text means: a direction, of length one.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector(Box<[f32]>);

/// Which cases are compared with a question. Kept apart, as the index's two halves are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// All that are not archived: for the support centre.
    All,
    /// What is published for customers.
    Published,
}

/// A handle; clones share it. Off is a valid state, and it may change while the server runs.
#[derive(Clone, Debug)]
pub struct Meaning(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Semantics,
    folder: Folder,
    engine: RwLock<Option<Arc<Engine>>>,
}

/// A provider at work, with the vectors that it made.
#[derive(Debug)]
struct Engine {
    /// Which model: vectors of two models can't be compared.
    identity: String,
    questions: Questions,
    shelves: RwLock<Shelves>,
}

impl Meaning {
    /// Off; [`run`] turns it on when there is a model.
    pub fn open(settings: &Semantics, dir: &Path) -> Self {
        Self(Arc::new(Inner { settings: settings.clone(), folder: Folder::in_dir(dir), engine: RwLock::default() }))
    }

    /// Of a server that has no model.
    #[cfg(test)]
    pub fn off() -> Self {
        Self::open(&Semantics::default(), Path::new("/nonexistent"))
    }

    pub fn is_on(&self) -> bool {
        self.engine().is_some()
    }

    /// How long the configuration lets a question wait.
    pub fn within(&self) -> Duration {
        self.0.settings.within
    }

    /// The question's vector. None when it did not come in time, or when there is no model. Blocks for as long: not for async code.
    pub fn ask(&self, text: &str, within: Duration) -> Option<Vector> {
        let text: String = text.trim().chars().take(MOST_QUESTION_CHARS).collect();
        if text.is_empty() {
            return None;
        }
        self.engine()?.questions.ask(&text, within)
    }

    /// The nearest cases by their numbers with the cosine, best first.
    pub fn nearest(&self, shelf: Shelf, question: &Vector, want: usize) -> Vec<(u32, f32)> {
        self.engine().map_or_else(Vec::new, |engine| engine.shelves().nearest(shelf, question, want))
    }

    /// How near one case is. None when it has no vector yet.
    pub fn similarity(&self, key: u32, question: &Vector) -> Option<f32> {
        self.engine()?.shelves().similarity(key, question)
    }

    fn engine(&self) -> Option<Arc<Engine>> {
        self.0.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_engine(&self, engine: Option<Arc<Engine>>) {
        *self.0.engine.write().unwrap_or_else(PoisonError::into_inner) = engine;
    }
}

impl Engine {
    fn shelves(&self) -> RwLockReadGuard<'_, Shelves> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelves_mut(&self) -> RwLockWriteGuard<'_, Shelves> {
        self.shelves.write().unwrap_or_else(PoisonError::into_inner)
    }
}
