//! Where reports go: each into its room, together with its sequence number.

use lineman_common::Printable;
use lineman_common::id::SpoolEpoch;
use lineman_common::link::{Report, Stream};

use super::Door;
use crate::agents;
use crate::alarms;
use crate::consents;
use crate::equipment::Known;
use crate::events::{self as log, Kind, New};
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

/// Stores a chunk of a recording. False when there is no room for it: then it is not to be acknowledged, and nothing after it either.
pub async fn recording(store: &Store, device: &Known, epoch: SpoolEpoch, seq: u64, line: Vec<u8>) -> Result<bool, ApiError> {
    let sender = device.clone();
    let job = move |tx: &mut Tx<'_>| -> Result<(), sessions::Error> {
        if !agents::advance(tx, sender.id, epoch, Stream::Recording, seq)? {
            return Ok(());
        }
        match sessions::store_chunk(tx, &sender, &line) {
            Err(error @ sessions::Error::BadChunk) => {
                tracing::warn!(agent.id = %sender.name, seq, %error, "a recording chunk is not kept");
                Ok(())
            }
            other => other,
        }
    };
    match store.write(job).await {
        Err(sessions::Error::Full(session)) => {
            let device = device.clone();
            tracing::warn!(agent.id = %device.name, %session, "no room for a recording: its chunks are not taken");
            store.write(move |tx| sessions::quota::tell_full(tx, &device, session).map_err(ApiError::from)).await?;
            Ok(false)
        }
        other => Ok(other.map(|()| true)?),
    }
}

/// Reports of one agent's events stream, in their order, as one job: what was stored before is passed over, and the others stand and
/// fall together.
pub async fn events(store: &Store, device: &Known, epoch: SpoolEpoch, reports: Vec<(u64, Report)>) -> Result<(), ApiError> {
    let device = device.clone();
    let job = move |tx: &mut Tx<'_>| -> Result<(), ApiError> {
        let stored = agents::stored(tx, device.id, epoch)?.get(&Stream::Events).copied().unwrap_or(0);
        let Some(last) = reports.iter().map(|(seq, _)| *seq).max().filter(|last| *last > stored) else { return Ok(()) };
        let mut intake = alarms::Intake::of(&device);
        let mut newest = stored;
        for (seq, report) in reports {
            if seq > newest {
                newest = seq;
                take(tx, &device, &mut intake, report)?;
            }
        }
        agents::advance(tx, device.id, epoch, Stream::Events, last)?;
        Ok(())
    };
    store.write(job).await
}

fn take(tx: &mut Tx<'_>, device: &Known, intake: &mut alarms::Intake<'_>, report: Report) -> Result<(), ApiError> {
    match report {
        Report::Alarm(report) => intake.take(tx, &report)?,
        Report::ActiveAlarms { at, alarms } => intake.resynchronise(tx, at, &alarms)?,
        Report::ConsentEnded { at, consent, reason } => consents::device_ended(tx, device, at, consent, reason)?,
        Report::SessionOpened(opened) => sessions::opened(tx, device, &opened)?,
        Report::SessionFirstByte { at, session } => sessions::first_byte(tx, device, session, at)?,
        Report::SessionEnded(ended) => sessions::ended(tx, device, &ended)?,
        Report::Dropped { at, stream, count } => {
            let text = format!("the spool of {} was full: {count} {stream} reports were dropped, the oldest first", device.name);
            let event = New::of(Kind::AgentDropped, format!("agent:{}", device.name), Printable::new(text).to_string()).at(at);
            log::append(tx, event.customer(device.customer).equipment(device.id))?;
        }
        Report::Receipt { signed } => agents::receipt(tx, device, &signed)?,
        Report::Local { signed, live } => consents::local(tx, device, &signed, live.as_ref())?,
        Report::Health(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::quota;
    use crate::sessions::testing::{Recorder, Running};
    use crate::trust::testing::World;

    /// The place in the stream stays where it was, so that the agent sends the chunk again; what was stored is acknowledged again.
    #[tokio::test]
    async fn a_chunk_without_room_is_not_counted_as_stored() {
        let centre = Running::new();
        let session = centre.session("ne-1.jw.ne").await;
        let (mut recorder, epoch, device) = (Recorder::new(session.id), SpoolEpoch::new(), session.device.clone());
        let chunks = [recorder.chunk(&[], None), recorder.chunk(&[], None)].map(String::into_bytes);
        let offer = |seq: u64, line: &[u8]| recording_of(&centre, &device, epoch, seq, line.to_vec());
        assert!(offer(1, &chunks[0]).await);
        centre.store.write(|tx| quota::set_default(tx, 10)).await.unwrap();
        assert!(!offer(2, &chunks[1]).await);
        assert!(offer(1, &chunks[0]).await, "it is stored already");
        let id = device.id;
        let stored = || centre.store.read(move |db| agents::stored(db, id, epoch));
        assert_eq!(stored().await.unwrap().get(&Stream::Recording), Some(&1));
        let customer = device.customer;
        assert!(centre.store.read(move |db| quota::is_full(db, customer)).await.unwrap());
        let code = device.name.customer.clone();
        centre.store.write(move |tx| quota::set(tx, &World::admin(), &code, 1 << 30)).await.unwrap();
        assert!(!centre.store.read(move |db| quota::is_full(db, customer)).await.unwrap());
        assert!(offer(2, &chunks[1]).await);
        assert_eq!(stored().await.unwrap().get(&Stream::Recording), Some(&2));
    }

    async fn recording_of(centre: &Running, device: &Known, epoch: SpoolEpoch, seq: u64, line: Vec<u8>) -> bool {
        recording(&centre.store, device, epoch, seq, line).await.unwrap()
    }
}
