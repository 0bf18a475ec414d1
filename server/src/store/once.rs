//! Requests that take effect once, however often they arrive.
//!
//! A client that did not hear the answer to a POST can't know whether it was carried out. It sends the same `Idempotency-Key` again,
//! and the key's row says what became of the first arrival. The row is written **inside the transaction of the effect**: either both
//! are on disk, or none. Routes that answer with the value of their one change ([`super::Store::answer`]) have the answer in the same
//! commit too; of the others it follows in a second one, and a server that is killed in between knows that the effect is there and
//! its answer was lost, and says so. Why it is built like this: ADR 18.
//!
//! The `api` door names the arrival ([`Arrival::scope`]); every change that the request's own task hands to the store enters under
//! it. Handlers know nothing of it.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::value::At;
use super::{Db, Store, StoreError, Tx};

/// How long a key is known.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Forgotten in one go, with every new one: more than one, so that they become fewer.
const FORGOTTEN_AT_ONCE: u32 = 20;

tokio::task_local! {
    static ARRIVAL: Arc<Arrival>;
}

pub fn current() -> Option<Arc<Arrival>> {
    ARRIVAL.try_with(Arc::clone).ok()
}

/// What a change answers with.
pub trait Answer: Serialize {
    /// Its version, for `ETag`.
    fn etag(&self) -> Option<String> {
        None
    }
}

/// One arrival of a request with an idempotency key.
#[derive(Debug)]
pub struct Arrival {
    person: String,
    key: String,
    route: String,
    body_sha256: OnceLock<String>,
    id: String,
}

/// What is known of a key.
#[derive(Debug)]
pub struct Kept {
    pub route: String,
    pub body_sha256: String,
    arrival: String,
    /// Absent: the request was carried out, and its answer was lost or holds a secret.
    pub reply: Option<Reply>,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    pub body: Vec<u8>,
}

impl Arrival {
    pub fn new(person: String, key: String, route: String) -> Arc<Self> {
        let id = uuid::Uuid::new_v4().simple().to_string();
        Arc::new(Self { person, key, route, body_sha256: OnceLock::new(), id })
    }

    /// Of an upload it is known when the last byte is there, by whoever took it in.
    pub fn set_body(&self, sha256: String) {
        let _ = self.body_sha256.set(sha256);
    }

    /// Empty until it is known.
    pub fn body_sha256(&self) -> &str {
        self.body_sha256.get().map_or("", String::as_str)
    }

    /// Tells the arrival that this task belongs to, if there is one.
    pub fn set_body_of_current(sha256: &str) {
        if let Some(arrival) = current() {
            arrival.set_body(sha256.to_owned());
        }
    }

    /// Runs a request; what its task writes belongs to this arrival.
    pub async fn scope<F: Future>(self: Arc<Self>, request: F) -> F::Output {
        ARRIVAL.scope(self, request).await
    }

    /// What is known of the key, whoever brought it.
    pub async fn look(self: &Arc<Self>, store: &Store) -> Result<Option<Kept>, StoreError> {
        let own = Arc::clone(self);
        store.read(move |db| own.kept(db)).await
    }

    pub fn is_of(&self, kept: &Kept) -> bool {
        self.id == kept.arrival
    }

    fn kept(&self, db: &Db<'_>) -> Result<Option<Kept>, StoreError> {
        let sql = "SELECT route, body_sha256, arrival, status, content_type, etag, reply FROM idempotency
                   WHERE person = ?1 AND key = ?2 AND at > ?3";
        let mut statement = db.sql().prepare_cached(sql)?;
        let kept = statement.query_row(params![self.person, self.key, At(oldest(db.now()))], |row| {
            let reply = match (row.get::<_, Option<u16>>(3)?, row.get::<_, Option<Vec<u8>>>(6)?) {
                (Some(status), Some(body)) => Some(Reply { status, content_type: row.get(4)?, etag: row.get(5)?, body }),
                _ => None,
            };
            Ok(Kept { route: row.get(0)?, body_sha256: row.get(1)?, arrival: row.get(2)?, reply })
        });
        Ok(kept.optional()?)
    }

    /// A change begins: nobody else has had this effect, and from now on it is ours.
    pub(super) fn enter(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        match self.kept(tx)? {
            Some(kept) if self.is_of(&kept) => return Ok(()),
            Some(_) => return Err(StoreError::Repeated),
            None => {}
        }
        let forget =
            "DELETE FROM idempotency WHERE (person, key) IN (SELECT person, key FROM idempotency WHERE at <= ?1 ORDER BY at LIMIT ?2)
                      OR (person = ?3 AND key = ?4)";
        tx.sql().prepare_cached(forget)?.execute(params![At(oldest(tx.now())), FORGOTTEN_AT_ONCE, self.person, self.key])?;
        let sql = "INSERT INTO idempotency(person, key, route, body_sha256, arrival, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        tx.sql().prepare_cached(sql)?.execute(params![self.person, self.key, self.route, self.body_sha256(), self.id, At(tx.now())])?;
        Ok(())
    }

    /// The answer of [`Store::answer`], in the change's own transaction.
    pub(super) fn keep_value<T: Answer>(&self, tx: &Tx<'_>, value: &T) -> Result<(), StoreError> {
        let body = serde_json::to_vec(value).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        self.put(tx, &Reply { status: 200, content_type: Some("application/json".into()), etag: value.etag(), body })
    }

    /// The answer of a request that had its effect already, or had none on the database.
    pub async fn keep(self: &Arc<Self>, store: &Store, reply: Reply) -> Result<(), StoreError> {
        let own = Arc::clone(self);
        Arc::clone(self).scope(store.write(move |tx| own.put(tx, &reply))).await
    }

    fn put(&self, db: &Db<'_>, reply: &Reply) -> Result<(), StoreError> {
        let sql =
            "UPDATE idempotency SET status = ?4, content_type = ?5, etag = ?6, reply = ?7 WHERE person = ?1 AND key = ?2 AND arrival = ?3";
        let Reply { status, content_type, etag, body } = reply;
        db.sql().prepare_cached(sql)?.execute(params![self.person, self.key, self.id, status, content_type, etag, body])?;
        Ok(())
    }
}

fn oldest(now: Timestamp) -> Timestamp {
    now - KNOWN_FOR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    fn arrival(key: &str) -> Arc<Arrival> {
        Arrival::new("per_1".into(), key.into(), "POST /x".into())
    }

    #[test]
    fn an_effect_is_had_once_and_forgotten_after_a_day() {
        let mut store = TestStore::new();
        let (first, second) = (arrival("a"), arrival("a"));
        store.write(|tx| first.enter(tx)).unwrap();
        store.write(|tx| first.enter(tx)).expect("a request may write twice");
        assert!(matches!(store.write(|tx| second.enter(tx)), Err(StoreError::Repeated)));
        store.write(|tx| arrival("b").enter(tx)).expect("another key is another request");
        assert!(store.read(|db| second.kept(db)).unwrap().is_some_and(|kept| kept.reply.is_none() && !second.is_of(&kept)));
        store.now += SignedDuration::from_hours(24);
        assert!(store.read(|db| second.kept(db)).unwrap().is_none());
        store.write(|tx| second.enter(tx)).unwrap();
        let rows: u32 = store.read(|db| db.sql().query_row("SELECT count(*) FROM idempotency", [], |row| row.get(0)).unwrap());
        assert_eq!(rows, 1, "what is over is not kept");
    }

    #[tokio::test]
    async fn effect_and_answer_lie_in_one_commit() {
        #[derive(Serialize)]
        struct Thing(u32);
        impl Answer for Thing {
            fn etag(&self) -> Option<String> {
                Some("\"7\"".into())
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("x.db"), &[]).unwrap();
        let add = |tx: &mut Tx<'_>| -> Result<Thing, StoreError> {
            tx.sql().execute("INSERT INTO tier(name, body) VALUES ('gold', '{}')", [])?;
            Ok(Thing(1))
        };
        let first = arrival("a");
        Arc::clone(&first).scope(store.answer(add)).await.unwrap();
        let kept = first.look(&store).await.unwrap().unwrap();
        let reply = kept.reply.as_ref().unwrap();
        assert_eq!((reply.status, reply.body.as_slice(), reply.etag.as_deref()), (200, &b"1"[..], Some("\"7\"")));
        let again = arrival("a").scope(store.answer(add)).await;
        assert!(matches!(again, Err(StoreError::Repeated)));
        // A change that fails leaves its key free.
        let failing = arrival("b").scope(store.answer(add)).await;
        assert!(matches!(failing, Err(StoreError::Sqlite(_))));
        assert!(arrival("b").look(&store).await.unwrap().is_none());
    }
}
