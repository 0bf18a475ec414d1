//! Walls of the monitoring centre: one picture of everything that is open, and the tokens with which a screen may show it.
//!
//! The picture is made from a [`board`](board::Board) that is held in memory and follows the log, because the clocks of all open
//! faults have to be known to say which of them is the most urgent, and a clock is computed from its fault's whole log. The board is a
//! cache and never the truth: it is built from the store whenever it is empty.

mod board;
pub mod http;
mod picture;
mod sql;
#[cfg(test)]
mod tests;
pub mod tokens;

use std::sync::Arc;
use std::time::Duration;

use lineman_common::Printable;
use lineman_common::api::Wall as Picture;
use lineman_common::name::CustomerCode;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;

use self::board::Board;
use crate::events;
use crate::store::{Db, Store, StoreError};
use crate::web::{ApiError, Viewer};

pub use picture::Asked;

/// How often the job looks whether there is something to do.
const TICK: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a wall's name has 1 to 100 characters, and no control characters")]
    BadName,
    #[error("there is a wall named {0} already: revoke its token first, or choose another name")]
    NameTaken(Printable),
    #[error("there is no customer {0}")]
    NoCustomer(CustomerCode),
    #[error("no such wall token")]
    NoWall,
    #[error("{} is not a time zone: expected a name like Asia/Shanghai", lineman_common::printable::escape(.0))]
    BadZone(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Events(#[from] events::Error),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::BadName | Error::BadZone(_) => Self::invalid(error.to_string()),
            Error::NameTaken(_) => Self::conflict(error.to_string()),
            Error::NoCustomer(_) => Self::not_found("customer"),
            Error::NoWall => Self::not_found("wall token"),
            Error::Store(error) => error.into(),
            Error::Events(error) => error.into(),
        }
    }
}

/// The walls' own state; clones share it.
#[derive(Clone, Default)]
pub struct Walls {
    board: Arc<Mutex<Board>>,
}

/// A board on its way through a reader thread, and what was asked of it.
type Round<T> = (OwnedMutexGuard<Board>, Option<T>);

impl Walls {
    /// What a wall shows now.
    pub async fn picture(&self, store: &Store, viewer: &Viewer, asked: Asked) -> Result<Picture, ApiError> {
        let viewer = viewer.clone();
        self.with_board(store, move |board, db| {
            board.is_wanted(db.now());
            picture::of(board, db, &viewer, &asked)
        })
        .await
    }

    /// Brings the board up to the log, in as many short reads as it takes, and uses it in the last of them: board and store are of one
    /// moment then.
    async fn with_board<T, F>(&self, store: &Store, make: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Board, &Db<'_>) -> Result<T, Error> + Clone + Send + 'static,
    {
        loop {
            let (mut board, make) = (Arc::clone(&self.board).lock_owned().await, make.clone());
            let read = move |db: &Db<'_>| -> Result<Round<T>, ApiError> {
                let made = match board.catch_up(db) {
                    Ok(true) => Some(make(&mut board, db)?),
                    Ok(false) => None,
                    Err(error) => {
                        // Half of a change must not stay on it.
                        *board = Board::default();
                        return Err(error.into());
                    }
                };
                Ok((board, made))
            };
            if let (_, Some(made)) = store.read(read).await? {
                return Ok(made);
            }
        }
    }
}

/// The job: keeps the board near the log while somebody looks at a wall.
pub async fn run(store: Store, walls: Walls, stop: CancellationToken) {
    let mut every = tokio::time::interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let wanted = walls.board.lock().await.has_work(jiff::Timestamp::now());
        if wanted && let Err(error) = walls.with_board(&store, board::Board::refresh).await {
            tracing::error!(?error, "the walls' board could not be brought up to date");
        }
    }
}
