//! Parked legs: dialled before anybody comes, so that whoever does need not wait for it.
//!
//! A device with a live consent holds one. Which devices that are is looked up whenever something was stored that may have changed it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use lineman_common::id::EquipmentId;
use lineman_common::link::Order;
use tokio::sync::Notify;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;

use super::Jump;
use super::legs::Expected;
use crate::consents;
use crate::store::Nudge;

/// Events come in bursts.
const BREATH: Duration = Duration::from_millis(300);
/// A device that could not be asked, or refused, is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// The parked legs, by device.
#[derive(Clone, Default)]
pub struct Parking {
    legs: Arc<Mutex<HashMap<EquipmentId, Expected>>>,
    /// One was taken.
    taken: Arc<Notify>,
}

impl Parking {
    /// No operation leaves the map half-changed, so a poisoned lock is safe.
    fn legs(&self) -> MutexGuard<'_, HashMap<EquipmentId, Expected>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The leg that waits at this device, if it can be used now.
    pub fn take(&self, device: EquipmentId) -> Option<Expected> {
        let parked = self.legs().remove(&device).filter(Expected::is_up)?;
        self.taken.notify_one();
        Some(parked)
    }

    /// It was not used.
    pub fn put_back(&self, device: EquipmentId, leg: Expected) {
        self.legs().entry(device).or_insert(leg);
    }
}

/// Parks legs until the server stops.
pub async fn run(jump: Jump) {
    let mut nudges = jump.store.nudges();
    loop {
        park(&jump).await;
        tokio::select! {
            () = jump.stop.cancelled() => return,
            () = jump.parking.taken.notified() => {}
            () = sleep(AGAIN) => {}
            nudge = nudges.recv() => match nudge {
                Ok(Nudge::Events) | Err(RecvError::Lagged(_)) => {}
                Ok(Nudge::Orders(_) | Nudge::Recorded(_) | Nudge::SignedOut) => continue,
                Err(RecvError::Closed) => return,
            },
        }
        sleep(BREATH).await;
    }
}

async fn park(jump: &Jump) {
    let wanted: HashSet<EquipmentId> = match jump.store.read(consents::devices_with_live).await {
        Ok(devices) => devices.into_iter().filter(|device| jump.links.is_up(*device)).collect(),
        Err(error) => return tracing::warn!(%error, "which devices have a live consent can't be read: no legs are parked"),
    };
    let missing: Vec<_> = {
        let mut legs = jump.parking.legs();
        legs.retain(|device, leg| wanted.contains(device) && leg.is_up());
        wanted.into_iter().filter(|device| !legs.contains_key(device)).collect()
    };
    join_all(missing.into_iter().map(|device| park_one(jump, device))).await;
}

/// Asks one device for a leg. One that refuses is left alone: it only means that the next engineer waits for the dialling.
async fn park_one(jump: &Jump, device: EquipmentId) {
    let parked = async {
        let expected = jump.legs.expect().map_err(|error| error.to_string())?;
        jump.links.ask(device, Order::Park { leg: expected.offer.clone() }).await.map_err(|error| error.to_string())?;
        expected.up().await.ok_or_else(|| "it agreed, but did not dial".to_owned())
    };
    match parked.await {
        Ok(leg) => jump.parking.put_back(device, leg),
        Err(reason) => tracing::debug!(equipment.id = %device, %reason, "no leg is parked"),
    }
}
