//! The requests that wait for an answer, kept up to date.
//!
//! The event stream says *that* something changed; the list is then read again, so that what is shown is never a guess. A stream that
//! breaks is opened again, the pauses growing to a few seconds, and the list says meanwhile that it may be old.

use std::time::Duration;

use jiff::Timestamp;
use lineman_common::api::{ConsentState, ConsentView};
use tokio::sync::watch;

use crate::client::{Client, Events, Filter};
use crate::exit::{Exit, Failure};

/// The list is read at least so often: what the stream can't say shows then.
const REFRESH: Duration = Duration::from_secs(30);
/// A burst of events is one new picture.
const SETTLE: Duration = Duration::from_millis(150);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Is what is shown still true?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Connecting,
    Connected,
    /// Since when, and why.
    Lost(Timestamp, String),
}

#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Newest first.
    pub requests: Vec<ConsentView>,
    pub link: Link,
    /// Grows with every change of the list.
    pub version: u64,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { requests: Vec::new(), link: Link::Connecting, version: 0 }
    }
}

/// Keeps `tell` up to date; returns only when going on makes no sense.
pub async fn follow(client: &Client, tell: &watch::Sender<Snapshot>) -> Failure {
    let mut pause = FIRST_PAUSE;
    loop {
        match connected(client, tell, &mut pause).await {
            // A server that restarts is waited for; a refusal is final.
            Ok(()) => lost(tell, "the centre ended the stream".to_owned()),
            Err(failure) if matches!(failure.exit, Exit::Unreachable | Exit::Failed) => lost(tell, failure.what),
            Err(failure) => return failure,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn lost(tell: &watch::Sender<Snapshot>, why: String) {
    tell.send_modify(|snapshot| {
        let since = match snapshot.link {
            Link::Lost(since, _) => since,
            Link::Connecting | Link::Connected => Timestamp::now(),
        };
        snapshot.link = Link::Lost(since, why);
    });
}

/// One stream, from its beginning to its end. It is opened before the list is read, so that nothing falls in between.
async fn connected(client: &Client, tell: &watch::Sender<Snapshot>, pause: &mut Duration) -> Result<(), Failure> {
    let mut events = client.events(&["consent".into()], None).await?;
    loop {
        let mut requests = client.consents(&Filter { state: Some(ConsentState::Requested.to_string()), ..Filter::default() }).await?.items;
        requests.retain(|request| request.state == ConsentState::Requested);
        requests.sort_by_key(|request| std::cmp::Reverse((request.requested_at, request.id)));
        show(tell, requests);
        *pause = FIRST_PAUSE;
        if !changed(&mut events).await? {
            return Ok(());
        }
    }
}

fn show(tell: &watch::Sender<Snapshot>, requests: Vec<ConsentView>) {
    tell.send_if_modified(|snapshot| {
        let state = |view: &ConsentView| (view.id, view.consents.len(), view.approvals_needed);
        let same = snapshot.requests.iter().map(state).eq(requests.iter().map(state));
        let changed = !same || snapshot.link != Link::Connected;
        if changed {
            snapshot.version += 1;
        }
        snapshot.requests = requests;
        snapshot.link = Link::Connected;
        changed
    });
}

/// Waits for a change, or for a while; `false` when the stream has ended.
async fn changed(events: &mut Events) -> Result<bool, Failure> {
    match tokio::time::timeout(REFRESH, events.next()).await {
        Err(_) => Ok(true),
        Ok(Ok(None)) => Ok(false),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(Some(_))) => {
            let settled = tokio::time::timeout(SETTLE, async { while matches!(events.next().await, Ok(Some(_))) {} }).await;
            // Ended while it settled: read the list once more, and find out then.
            Ok(settled.is_err())
        }
    }
}
