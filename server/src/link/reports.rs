//! Where reports go: each into its room, together with its sequence number.

use lineman_common::Printable;
use lineman_common::id::SpoolEpoch;
use lineman_common::link::{Report, Stream};

use super::Door;
use crate::agents;
use crate::alarms;
use crate::consents;
use crate::equipment::Known;
use crate::events::{self, Kind, New};
use crate::health::Sample;
use crate::sessions;
use crate::store::{Store, Tx};
use crate::web::ApiError;

/// Health: first into the day file (where the key makes it count once), then the mark.
pub async fn health(door: &Door, device: &Known, epoch: SpoolEpoch, seq: u64, report: Report) -> Result<(), ApiError> {
    if let Report::Health(report) = report {
        door.samples.store(Sample { device: device.id, epoch, seq, report }).await?;
    }
    let id = device.id;
    door.store.write(move |tx| agents::advance(tx, id, epoch, Stream::Health, seq).map(drop).map_err(ApiError::from)).await
}

pub async fn recording(store: &Store, device: &Known, epoch: SpoolEpoch, seq: u64, line: Vec<u8>) -> Result<(), ApiError> {
    let device = device.clone();
    let job = move |tx: &mut Tx<'_>| -> Result<(), ApiError> {
        if !agents::advance(tx, device.id, epoch, Stream::Recording, seq)? {
            return Ok(());
        }
        match sessions::store_chunk(tx, &device, &line) {
            Err(error @ (sessions::Error::BadChunk | sessions::Error::TooMuch)) => {
                tracing::warn!(agent.id = %device.name, seq, %error, "a recording chunk is not kept");
                Ok(())
            }
            other => Ok(other?),
        }
    };
    store.write(job).await
}

pub async fn event(store: &Store, device: &Known, epoch: SpoolEpoch, seq: u64, report: Report) -> Result<(), ApiError> {
    let device = device.clone();
    let job = move |tx: &mut Tx<'_>| -> Result<(), ApiError> {
        if agents::advance(tx, device.id, epoch, Stream::Events, seq)? { take(tx, &device, report) } else { Ok(()) }
    };
    store.write(job).await
}

fn take(tx: &mut Tx<'_>, device: &Known, report: Report) -> Result<(), ApiError> {
    match report {
        Report::Alarm(report) => alarms::report(tx, device, &report)?,
        Report::ActiveAlarms { at, alarms } => alarms::resynchronise(tx, device, at, &alarms)?,
        Report::ConsentEnded { at, consent, reason } => consents::device_ended(tx, device, at, consent, reason)?,
        Report::SessionOpened(opened) => sessions::opened(tx, device, &opened)?,
        Report::SessionFirstByte { at, session } => sessions::first_byte(tx, device, session, at)?,
        Report::SessionEnded(ended) => sessions::ended(tx, device, &ended)?,
        Report::Dropped { at, stream, count } => {
            let text = format!("the spool of {} was full: {count} {stream} reports were dropped, the oldest first", device.name);
            let event = New::of(Kind::AgentDropped, format!("agent:{}", device.name), Printable::new(text).to_string()).at(at);
            events::append(tx, event.customer(device.customer).equipment(device.id))?;
        }
        Report::Health(_) | Report::Receipt { .. } | Report::Local { .. } => {}
    }
    Ok(())
}
