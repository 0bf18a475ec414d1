//! The job: delivers what is due, tells again what nobody has taken on, and tidies up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use lineman_common::id::NoticeId;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::channels::{Channels, Outcome};
use super::{Error, outbox, repeats};
use crate::config::{Mail, Notices};
use crate::store::Store;

/// Deliveries at a time, each to another target.
const AT_ONCE: usize = 16;
/// How often the queue is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Done notices are tidied away this often.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// Brings notices to their targets.
pub struct Courier {
    channels: Channels,
    repeat_every: SignedDuration,
}

impl Courier {
    /// `centre` is this server's name and port, for links.
    pub fn new(mail: Option<&Mail>, notices: &Notices, centre: String) -> anyhow::Result<Self> {
        Ok(Self { channels: Channels::new(mail, notices.networks.clone(), centre)?, repeat_every: notices.repeat_every })
    }
}

/// What is on its way.
#[derive(Default)]
struct Rounds {
    under_way: JoinSet<Outcome>,
    notices: HashMap<Id, NoticeId>,
}

pub async fn run(store: Store, courier: Courier, stop: CancellationToken) {
    let courier = Arc::new(courier);
    let (mut look, mut tidy) = (tokio::time::interval(LOOK_EVERY), tokio::time::interval(TIDY_EVERY));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut rounds = Rounds::default();
    if let Err(error) = store.write(outbox::recover).await {
        tracing::error!(%error, "notices that were on their way at the last stop are not tried again before the next start");
    }
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            Some(joined) = rounds.under_way.join_next_with_id() => finish(&store, &courier, &mut rounds, joined).await,
            _ = look.tick() => look_around(&store, &courier, &mut rounds).await,
            _ = tidy.tick() => store.write(|tx| outbox::tidy(tx).map_err(Error::from)).await,
        };
        if let Err(error) = done {
            tracing::error!(%error, "notices could not be delivered");
        }
    }
}

async fn look_around(store: &Store, courier: &Arc<Courier>, rounds: &mut Rounds) -> Result<(), Error> {
    let every = courier.repeat_every;
    if store.read(move |db| repeats::is_anything_due(db, every)).await? {
        store.write(move |tx| repeats::tell(tx, every)).await?;
    }
    begin(store, courier, rounds).await
}

async fn begin(store: &Store, courier: &Arc<Courier>, rounds: &mut Rounds) -> Result<(), Error> {
    let free = AT_ONCE.saturating_sub(rounds.notices.len());
    if free == 0 || !store.read(outbox::is_anything_due).await? {
        return Ok(());
    }
    let most = u32::try_from(free).unwrap_or(u32::MAX);
    for due in store.write(move |tx| outbox::begin(tx, most)).await? {
        let (id, courier) = (due.id, Arc::clone(courier));
        let task = rounds.under_way.spawn(async move { courier.channels.deliver(&due).await });
        rounds.notices.insert(task.id(), id);
    }
    Ok(())
}

/// Writes down how it went, and goes on at once: a target with more to come need not wait for the next look.
async fn finish(store: &Store, courier: &Arc<Courier>, rounds: &mut Rounds, joined: Result<(Id, Outcome), JoinError>) -> Result<(), Error> {
    let (task, outcome) = match joined {
        Ok((task, outcome)) => (task, Some(outcome)),
        Err(error) => (error.id(), None),
    };
    let Some(id) = rounds.notices.remove(&task) else { return Ok(()) };
    let chance = *uuid::Uuid::new_v4().as_bytes().first().unwrap_or(&0);
    let write = move |tx: &mut crate::store::Tx<'_>| match outcome {
        Some(outcome) => outbox::finish(tx, id, &outcome, chance),
        None => Ok(outbox::lost(tx, id)?),
    };
    store.write(write).await?;
    begin(store, courier, rounds).await
}
