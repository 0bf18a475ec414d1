//! The device's end of a session leg: it dials, proves itself, and dials again after a cut.
//!
//! See [`lineman_common::leg`] for the protocol, and for the stream that SSH runs on. Here is the road under it: a task that lives as
//! long as the leg, and ends it when the centre refuses it or could not be reached for [`GRACE`].

use std::time::Duration;

use lineman_common::leg::{Carried, Carrier, GRACE, Handle, Leg, LegError, MAX_GREETING_BYTES, Offer, Up, leg};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::dial::jitter;

/// The centre answers a greeting when it has found the leg.
const GREETING_PATIENCE: Duration = Duration::from_secs(5);
/// Between two dials, at least, and as much again at most: a short wait, so that a person notices a pause and nothing else.
const BETWEEN_DIALS: Duration = Duration::from_millis(500);

#[derive(Debug, thiserror::Error)]
pub enum GreetError {
    #[error("the centre did not answer in time")]
    Silent,
    #[error("the session leg broke: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Protocol(#[from] LegError),
}

/// How a leg ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// Both sides said that they are done.
    Finished,
    /// It was cut, for good, for this reason.
    Cut(String),
}

/// What a session hears of its leg.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    Cut,
    /// It goes on, after so long.
    Back(Duration),
    /// The centre wants the session to end, and says why.
    End(String),
}

/// A leg that its own task carries.
pub struct Road {
    pub leg: Leg,
    pub handle: Handle,
    pub end: watch::Receiver<Option<LegEnd>>,
}

/// The road's work.
pub struct Carrying {
    offer: Offer,
    carrier: Carrier,
    handle: Handle,
    attempt: u32,
    end: watch::Sender<Option<LegEnd>>,
}

pub fn road(offer: Offer) -> (Road, Carrying) {
    let (leg, carrier, handle) = leg();
    let (end, ended) = watch::channel(None);
    (Road { leg, handle: handle.clone(), end: ended }, Carrying { offer, carrier, handle, attempt: 0, end })
}

impl Road {
    /// Until the leg has ended.
    pub async fn ended(mut end: watch::Receiver<Option<LegEnd>>) -> LegEnd {
        let end = end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        end.unwrap_or_else(|| LegEnd::Cut("the agent stops".to_owned()))
    }
}

/// What happens to a leg, as a session hears it.
pub struct Listening {
    handle: Handle,
    up: watch::Receiver<Up>,
    cut: Option<Instant>,
    asked: bool,
}

impl Listening {
    pub fn new(handle: &Handle) -> Self {
        let mut up = handle.up();
        let cut = if let Up::Cut(at) = *up.borrow_and_update() { Some(at) } else { None };
        Self { handle: handle.clone(), up, cut, asked: false }
    }

    /// The next news. Dropping this in the middle loses none.
    pub async fn next(&mut self) -> News {
        loop {
            tokio::select! {
                reason = self.handle.asked_end(), if !self.asked => {
                    self.asked = true;
                    return News::End(reason);
                }
                changed = self.up.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                    let up = *self.up.borrow_and_update();
                    match (up, self.cut) {
                        (Up::Cut(at), None) => { self.cut = Some(at); return News::Cut }
                        (Up::Now, Some(at)) => { self.cut = None; return News::Back(at.elapsed()) }
                        (Up::NotYet, _) | (Up::Now, None) | (Up::Cut(_), Some(_)) => {}
                    }
                }
            }
        }
    }
}

impl Carrying {
    /// Carries the leg over this connection, and over those that follow it.
    pub async fn run<S, E, D>(mut self, first: S, dial: impl Fn() -> D)
    where
        S: AsyncRead + AsyncWrite + Unpin,
        E: std::fmt::Display,
        D: Future<Output = Result<S, E>>,
    {
        let handle = self.handle.clone();
        // A centre that does not end what nobody reads any more can't hold it for ever.
        let overdue = async {
            handle.abandoned().await;
            sleep(GRACE).await;
        };
        let end = tokio::select! {
            end = self.carry(first, dial) => end,
            () = overdue => LegEnd::Finished,
        };
        if let LegEnd::Cut(why) = &end {
            tracing::info!(leg.id = %self.offer.id, why, "a session leg is over");
        }
        // Told before the stream breaks: whoever hears of that can ask why.
        self.end.send_replace(Some(end));
    }

    async fn carry<S, E, D>(&mut self, first: S, dial: impl Fn() -> D) -> LegEnd
    where
        S: AsyncRead + AsyncWrite + Unpin,
        E: std::fmt::Display,
        D: Future<Output = Result<S, E>>,
    {
        let (mut next, mut cut) = (Some(first), Instant::now());
        let mut why;
        loop {
            let dialled = match next.take() {
                Some(stream) => Ok(stream),
                None => dial().await,
            };
            match dialled {
                Ok(mut stream) => match self.greet(&mut stream).await {
                    Ok(arrived) => match self.carrier.over(stream, arrived).await {
                        Carried::Finished => return LegEnd::Finished,
                        Carried::Broken(error) => {
                            tracing::info!(leg.id = %self.offer.id, %error, "a session leg was cut: it is dialled again");
                            cut = Instant::now();
                            // At once: often only this connection broke.
                            continue;
                        }
                    },
                    Err(GreetError::Protocol(LegError::Refused(reason))) => return LegEnd::Cut(reason),
                    Err(error) => why = error.to_string(),
                },
                Err(error) => why = error.to_string(),
            }
            if cut.elapsed() >= GRACE {
                return LegEnd::Cut(format!("the centre could not be reached for {} s: {why}", GRACE.as_secs()));
            }
            sleep(BETWEEN_DIALS + jitter(BETWEEN_DIALS)).await;
        }
    }

    /// Proves that this is the leg's device. How much of its stream the centre has.
    async fn greet(&mut self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<u64, GreetError> {
        self.attempt += 1;
        let exchange = async {
            stream.write_all(self.offer.greeting(self.attempt, self.carrier.arrived()).as_bytes()).await?;
            stream.flush().await?;
            read_line(stream).await
        };
        let line = timeout(GREETING_PATIENCE, exchange).await.map_err(|_| GreetError::Silent)??;
        Ok(self.offer.read_reply(self.attempt, &line)?)
    }
}

/// Byte by byte: what follows the line belongs to the frames.
async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, GreetError> {
    let mut line = Vec::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return String::from_utf8(line).map_err(|_| LegError::Greeting.into()),
            byte => line.push(byte),
        }
        if line.len() > MAX_GREETING_BYTES {
            return Err(LegError::Greeting.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use lineman_common::id::LegId;
    use lineman_common::leg::{Greeting, Secret, refusal};
    use tokio::io::DuplexStream;
    use tokio::sync::mpsc;

    use super::*;

    fn offer() -> Offer {
        Offer { id: LegId::new(), secret: Secret::new([3; 32]) }
    }

    /// The centre's end, as far as a device sees it.
    struct Centre {
        offer: Offer,
        carrier: Carrier,
        leg: Option<Leg>,
        dialled: mpsc::UnboundedReceiver<DuplexStream>,
    }

    impl Centre {
        async fn next(&mut self) -> (DuplexStream, Greeting) {
            let mut stream = self.dialled.recv().await.unwrap();
            let line = read_line(&mut stream).await.unwrap();
            let greeting: Greeting = line.parse().unwrap();
            assert!(self.offer.is_from_the_device(&greeting));
            (stream, greeting)
        }

        async fn welcome(&mut self) -> (DuplexStream, Greeting) {
            let (mut stream, greeting) = self.next().await;
            stream.write_all(self.offer.reply(greeting.attempt, self.carrier.arrived()).as_bytes()).await.unwrap();
            (stream, greeting)
        }
    }

    /// A road whose dials the test takes, until `closed` says that nobody listens.
    fn start(offer: &Offer) -> (Road, impl Future<Output = ()> + use<>, Centre) {
        let (road, carrying) = road(offer.clone());
        let (dials, dialled) = mpsc::unbounded_channel();
        let (leg, carrier, _) = leg();
        let dial = move || {
            let (near, far) = tokio::io::duplex(4096);
            dials.send(far).map(|()| near).map_err(|_| "nobody listens")
        };
        let first = dial().unwrap();
        let run = carrying.run(first, move || std::future::ready(dial()));
        (road, run, Centre { offer: offer.clone(), carrier, leg: Some(leg), dialled })
    }

    #[tokio::test(start_paused = true)]
    async fn it_dials_again_and_the_stream_goes_on() {
        let (mut road, run, mut centre) = start(&offer());
        let mut listening = Listening::new(&road.handle);
        let story = async {
            let (stream, greeting) = centre.welcome().await;
            assert_eq!((greeting.attempt, greeting.taken), (1, 0));
            road.leg.write_all(b"one ").await.unwrap();
            let mut said = [0; 4];
            let mut leg = centre.leg.take().unwrap();
            tokio::select! {
                read = leg.read_exact(&mut said) => drop(read.unwrap()),
                _ = centre.carrier.over(stream, greeting.taken) => panic!("broke"),
            }
            assert_eq!(listening.next().await, News::Cut);
            road.leg.write_all(b"two").await.unwrap();
            drop(road.leg);
            let (stream, greeting) = centre.welcome().await;
            assert_eq!(greeting.attempt, 2);
            let mut rest = Vec::new();
            let listen = async {
                leg.read_to_end(&mut rest).await.unwrap();
                drop(leg);
            };
            let (carried, (), news) = tokio::join!(centre.carrier.over(stream, greeting.taken), listen, listening.next());
            assert!(matches!(carried, Carried::Finished));
            assert_eq!(rest, b"two");
            assert!(matches!(news, News::Back(_)));
            assert_eq!(Road::ended(road.end).await, LegEnd::Finished);
        };
        tokio::join!(run, story);
    }

    #[tokio::test(start_paused = true)]
    async fn a_leg_that_the_centre_refuses_is_over_with_its_reason() {
        let (road, run, mut centre) = start(&offer());
        let story = async {
            let (mut stream, _) = centre.next().await;
            stream.write_all(refusal("no such leg").as_bytes()).await.unwrap();
            assert_eq!(Road::ended(road.end).await, LegEnd::Cut("no such leg".into()));
        };
        tokio::join!(run, story);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_centre_it_is_over_after_the_grace_and_not_before() {
        let (mut road, run, mut centre) = start(&offer());
        let began = Instant::now();
        let story = async {
            let (stream, _) = centre.welcome().await;
            drop((stream, centre));
            let end = Road::ended(road.end).await;
            assert_eq!(end, LegEnd::Cut("the centre could not be reached for 120 s: nobody listens".into()));
            assert!(began.elapsed() >= GRACE);
            assert!(road.leg.read(&mut [0; 1]).await.is_err());
        };
        tokio::join!(run, story);
    }

    #[tokio::test(start_paused = true)]
    async fn a_centre_that_does_not_end_holds_a_leg_for_the_grace_and_no_longer() {
        let (road, run, mut centre) = start(&offer());
        let story = async {
            let (stream, greeting) = centre.welcome().await;
            drop(road.leg);
            let _held = centre.leg.take();
            tokio::select! {
                carried = centre.carrier.over(stream, greeting.taken) => assert!(matches!(carried, Carried::Broken(_)), "{carried:?}"),
                end = Road::ended(road.end) => assert_eq!(end, LegEnd::Finished),
            }
        };
        tokio::join!(run, story);
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_is_no_refusal() {
        let (road, run, mut centre) = start(&offer());
        let story = async {
            let (mut stream, _) = centre.next().await;
            stream.write_all(b"HTTP/1.1 503 busy\r\n").await.unwrap();
            // An answer to somebody else's attempt is none either.
            let (mut stream, greeting) = centre.next().await;
            stream.write_all(centre.offer.reply(greeting.attempt + 1, 0).as_bytes()).await.unwrap();
            let (_stream, greeting) = centre.welcome().await;
            assert_eq!(greeting.attempt, 3);
            assert!(road.end.borrow().is_none());
        };
        tokio::select! { () = run => panic!("over"), () = story => {} }
    }
}
