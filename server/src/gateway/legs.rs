//! The centre's ends of session legs: known by name and secret, joined to the connections that devices dial, one after the other.
//!
//! Each leg has a task that carries it. A newer connection of the same leg fences the older one off: nothing that still comes there is
//! heard. A leg that no connection carries waits for [`GRACE`], and is forgotten then: its device is told so when it comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lineman_common::id::LegId;
use lineman_common::leg::{Carried, Carrier, GRACE, Greeting, Handle, Leg, Offer, Secret, Up, leg, refusal};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A device that said yes has this long to dial.
const DIAL_PATIENCE: Duration = Duration::from_secs(15);
/// When the centre stops, for the sessions to end, and for their people to read why.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a device dials with: TCP, or TLS on it.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

#[derive(Clone)]
pub struct Legs {
    seats: Arc<Mutex<HashMap<LegId, Seat>>>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A leg that is expected, or lives.
struct Seat {
    offer: Offer,
    /// The newest connection's number.
    attempt: u32,
    arrivals: mpsc::Sender<Arrival>,
}

struct Arrival {
    wire: Box<dyn Wire>,
    greeting: Greeting,
}

/// A leg that its device has still to dial. Forgotten when dropped.
pub struct Expected {
    pub offer: Offer,
    leg: Leg,
    handle: Handle,
}

impl Expected {
    /// When its device is there.
    pub async fn up(self) -> Option<Self> {
        let mut up = self.handle.up();
        let arrived = timeout(DIAL_PATIENCE, up.wait_for(|up| *up != Up::NotYet)).await;
        matches!(arrived, Ok(Ok(_))).then_some(self)
    }

    /// Is its device there now?
    pub fn is_up(&self) -> bool {
        *self.handle.up().borrow() == Up::Now
    }

    pub fn leg(self) -> Leg {
        self.leg
    }
}

impl Legs {
    pub fn new(stop: CancellationToken, tasks: TaskTracker) -> Self {
        Self { seats: Arc::default(), stop, tasks }
    }

    /// No operation leaves the map half-changed, so a poisoned lock is safe.
    fn seats(&self) -> MutexGuard<'_, HashMap<LegId, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn expect(&self) -> std::io::Result<Expected> {
        let mut secret = [0; 32];
        ssh_key::getrandom::fill(&mut secret).map_err(std::io::Error::other)?;
        let offer = Offer { id: LegId::new(), secret: Secret::new(secret) };
        let (leg, carrier, handle) = leg();
        let (arrivals, arriving) = mpsc::channel(1);
        self.seats().insert(offer.id, Seat { offer: offer.clone(), attempt: 0, arrivals });
        let carrying = Carrying { offer: offer.clone(), carrier, handle: handle.clone(), arriving };
        let legs = self.clone();
        self.tasks.spawn(async move {
            let id = carrying.offer.id;
            carrying.until_stopped(&legs.stop).await;
            legs.seats().remove(&id);
        });
        Ok(Expected { offer, leg, handle })
    }

    /// A connection that greets as a leg.
    pub async fn arrived(&self, mut wire: impl Wire + 'static, greeting: Greeting) {
        match self.admit(&greeting) {
            // Its task may have ended just now: then the connection closes, and the next one is refused in words.
            Ok(arrivals) => drop(arrivals.send(Arrival { wire: Box::new(wire), greeting }).await),
            Err(reason) => {
                let _ = wire.write_all(refusal(reason).as_bytes()).await;
                let _ = wire.shutdown().await;
            }
        }
    }

    fn admit(&self, greeting: &Greeting) -> Result<mpsc::Sender<Arrival>, &'static str> {
        let mut seats = self.seats();
        let seat = seats.get_mut(&greeting.leg).filter(|seat| seat.offer.is_from_the_device(greeting));
        let seat = seat.ok_or("the centre does not know this leg: it was restarted since, or had given the leg up")?;
        if greeting.attempt <= seat.attempt {
            return Err("this was said before: a leg's attempts count up");
        }
        seat.attempt = greeting.attempt;
        Ok(seat.arrivals.clone())
    }
}

struct Carrying {
    offer: Offer,
    carrier: Carrier,
    handle: Handle,
    arriving: mpsc::Receiver<Arrival>,
}

impl Carrying {
    async fn until_stopped(self, stop: &CancellationToken) {
        let handle = self.handle.clone();
        let stopped = async {
            stop.cancelled().await;
            handle.ask_end("the support centre stops");
            sleep(FAREWELL).await;
        };
        // A device that does not end what nobody reads any more can't hold it for ever.
        let overdue = async {
            handle.abandoned().await;
            sleep(GRACE).await;
        };
        tokio::select! {
            () = self.run() => {}
            () = stopped => {}
            () = overdue => {}
        }
    }

    async fn run(mut self) {
        let Some(mut arrival) = self.first().await else { return };
        loop {
            let Arrival { mut wire, greeting } = arrival;
            let reply = self.offer.reply(greeting.attempt, self.carrier.arrived());
            let carried = async {
                if let Err(error) = async {
                    wire.write_all(reply.as_bytes()).await?;
                    wire.flush().await
                }
                .await
                {
                    return Carried::Broken(error);
                }
                self.carrier.over(wire, greeting.taken).await
            };
            let next = tokio::select! {
                carried = carried => match carried {
                    Carried::Finished => return,
                    Carried::Broken(error) => {
                        tracing::debug!(leg.id = %self.offer.id, %error, "a leg was cut");
                        timeout(GRACE, self.arriving.recv()).await.ok().flatten()
                    }
                },
                // The older connection is dropped, and with it whatever was still to be read there.
                newer = self.arriving.recv() => newer,
            };
            let Some(next) = next else {
                return tracing::info!(leg.id = %self.offer.id, "a leg's device did not come back: it is given up");
            };
            arrival = next;
        }
    }

    /// The first connection, unless nobody waits for it any more.
    async fn first(&mut self) -> Option<Arrival> {
        tokio::select! {
            arrival = timeout(DIAL_PATIENCE, self.arriving.recv()) => arrival.ok().flatten(),
            () = self.handle.abandoned() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use lineman_common::leg::{HEADER_BYTES, Header, LegError};
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::super::first_line;
    use super::*;

    fn legs() -> Legs {
        Legs::new(CancellationToken::new(), TaskTracker::new())
    }

    /// A device's connection that has greeted, and what it was answered.
    async fn dial(legs: &Legs, offer: &Offer, attempt: u32, taken: u64) -> (DuplexStream, Result<u64, LegError>) {
        let (mut device, centre) = duplex(1024 * 1024);
        let greeting = offer.greeting(attempt, taken);
        legs.arrived(centre, greeting.trim_end().parse().unwrap()).await;
        let reply = first_line(&mut device).await.unwrap();
        (device, offer.read_reply(attempt, &reply))
    }

    fn data(text: &str) -> Vec<u8> {
        [&Header::Data(text.len()).encode()[..], text.as_bytes()].concat()
    }

    async fn heard(leg: &mut Leg, length: usize) -> String {
        let mut text = vec![0; length];
        leg.read_exact(&mut text).await.unwrap();
        String::from_utf8(text).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_connection_fences_the_older_one_off() {
        let legs = legs();
        let expected = legs.expect().unwrap();
        let offer = expected.offer.clone();
        let (mut old, taken) = dial(&legs, &offer, 1, 0).await;
        assert_eq!(taken, Ok(0));
        let mut leg = expected.up().await.unwrap().leg();
        old.write_all(&data("one ")).await.unwrap();
        assert_eq!(heard(&mut leg, 4).await, "one ");
        // In the middle of a frame.
        old.write_all(&data("two ")[..HEADER_BYTES + 2]).await.unwrap();
        assert_eq!(heard(&mut leg, 2).await, "tw");
        let (mut new, taken) = dial(&legs, &offer, 2, 0).await;
        assert_eq!(taken, Ok(6));
        let _ = old.write_all(b"FORGED").await;
        new.write_all(&data("o three")).await.unwrap();
        assert_eq!(heard(&mut leg, 7).await, "o three");
        let mut rest = Vec::new();
        old.read_to_end(&mut rest).await.unwrap();
        assert!(old.write_all(b"x").await.is_err(), "the older connection is closed");
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_said_once_or_by_somebody_else_opens_nothing() {
        let legs = legs();
        let expected = legs.expect().unwrap();
        let offer = expected.offer.clone();
        let (_wire, taken) = dial(&legs, &offer, 2, 0).await;
        assert_eq!(taken, Ok(0));
        for attempt in [1, 2] {
            let (_, refused) = dial(&legs, &offer, attempt, 0).await;
            assert!(matches!(&refused, Err(LegError::Refused(why)) if why.contains("said before")), "{refused:?}");
        }
        let stranger = Offer { secret: Secret::new([9; 32]), ..offer };
        let (_, refused) = dial(&legs, &stranger, 3, 0).await;
        assert!(matches!(&refused, Err(LegError::Refused(why)) if why.contains("does not know this leg")), "{refused:?}");
        assert!(expected.is_up(), "the leg is where it was");
    }

    #[tokio::test(start_paused = true)]
    async fn a_leg_waits_for_its_device_for_the_grace_and_no_longer() {
        let legs = legs();
        let expected = legs.expect().unwrap();
        let offer = expected.offer.clone();
        let (wire, _) = dial(&legs, &offer, 1, 0).await;
        let mut leg = expected.up().await.unwrap().leg();
        drop(wire);
        sleep(GRACE.mul_f64(0.9)).await;
        let (wire, taken) = dial(&legs, &offer, 2, 0).await;
        assert_eq!(taken, Ok(0));
        drop(wire);
        assert!(leg.read(&mut [0; 1]).await.is_err(), "broken after the grace");
        let (_, refused) = dial(&legs, &offer, 3, 0).await;
        assert!(matches!(refused, Err(LegError::Refused(_))));
        assert!(legs.seats().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_leg_that_nobody_waits_for_is_forgotten() {
        let legs = legs();
        drop(legs.expect().unwrap());
        let silent = legs.expect().unwrap();
        assert!(silent.up().await.is_none(), "its device did not dial");
        legs.tasks.close();
        legs.tasks.wait().await;
        assert!(legs.seats().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_centre_stops_devices_are_told_why_and_have_time_to_say_goodbye() {
        let legs = legs();
        let expected = legs.expect().unwrap();
        let (mut wire, _) = dial(&legs, &expected.offer.clone(), 1, 0).await;
        let mut leg = expected.up().await.unwrap().leg();
        legs.stop.cancel();
        let mut header = [0; HEADER_BYTES];
        wire.read_exact(&mut header).await.unwrap();
        let Ok(Header::End(length)) = Header::decode(header) else { panic!("{header:?}") };
        let mut reason = vec![0; length];
        wire.read_exact(&mut reason).await.unwrap();
        assert_eq!(reason, b"the support centre stops");
        wire.write_all(&data("bye")).await.unwrap();
        assert_eq!(heard(&mut leg, 3).await, "bye");
        legs.tasks.close();
        legs.tasks.wait().await;
        assert!(leg.read(&mut [0; 1]).await.is_err());
    }
}
