//! The chunks of a live session: verified one by one, asked for again when the connection breaks.

use std::time::Duration;

use lineman_common::api::Session;
use lineman_common::id::SessionId;
use lineman_common::name::NeName;
use lineman_common::recording::{Broken, Chain, Event, Piece};
use lineman_common::session::EndReason;
use lineman_common::statement::device::openssh;
use lineman_common::statement::sig;
use ssh_key::PublicKey;

use crate::client::{Client, ClientError, Watched, Watching};
use crate::exit::{Exit, Failure};

/// Longest pause between two tries to reach the server again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Checks each chunk before anything of it is shown.
pub struct Follower {
    session: SessionId,
    device: NeName,
    host_key: Option<PublicKey>,
    chain: Option<Chain>,
}

impl Follower {
    pub fn new(session: &Session, host_key: Option<PublicKey>) -> Self {
        Self { session: session.id, device: session.device.clone(), host_key, chain: None }
    }

    /// How many chunks were verified; also the number of the next one.
    pub fn chunks(&self) -> u64 {
        self.chain.as_ref().map_or(0, |chain| chain.chunks)
    }

    pub fn end(&self) -> Option<EndReason> {
        self.chain.as_ref().and_then(|chain| chain.end)
    }

    /// The events of a chunk that holds.
    fn take(&mut self, line: &str) -> Result<Vec<Event>, Failure> {
        let wrong =
            |why: String| Failure::new(Exit::CheckFailed, why).hint("nothing after it was shown; tell the carrier and the support centre");
        let broken = |broken: Broken| wrong(format!("the recording is broken at {broken}"));
        let piece = Piece::read(line, self.chunks(), self.host_key.as_ref()).map_err(broken)?;
        if let Some(chain) = &mut self.chain {
            chain.follow(&piece).map_err(broken)?;
        } else {
            self.check_first(&piece).map_err(wrong)?;
            self.chain = Some(Chain::begin(&piece).map_err(broken)?);
        }
        Ok(piece.events)
    }

    /// The first chunk says whose recording it is.
    fn check_first(&self, first: &Piece) -> Result<(), String> {
        let Some(bind) = &first.header.bind else { return Ok(()) };
        if first.header.session != self.session || bind.device != self.device {
            return Err(format!("chunk 0: it is the recording of {} on {}, not of {}", first.header.session, bind.device, self.session));
        }
        let named = |key: &PublicKey| bind.host_key == sig::fingerprint(key).to_string() || bind.host_key == openssh(key);
        match &self.host_key {
            Some(key) if !named(key) => Err(format!("chunk 0: it is bound to the host key {}, which is not the device's", bind.host_key)),
            Some(_) | None => Ok(()),
        }
    }
}

/// What comes of a watched session.
pub enum News {
    /// Verified events of chunk `number`.
    Events { number: u64, events: Vec<Event> },
    /// The connection broke; it is tried again.
    Lost(String),
    /// It is over.
    Ended(Box<Session>),
}

/// A stream that comes back.
pub struct Feed {
    client: Client,
    pub follower: Follower,
    stream: Option<Watching>,
    pause: Duration,
    /// Was it ever there? The first try tells of a wrong address or a session that isn't; later ones mean that it will be back.
    ever: bool,
}

impl Feed {
    pub fn new(client: Client, follower: Follower) -> Self {
        Self { client, follower, stream: None, pause: Duration::ZERO, ever: false }
    }

    /// Not safe to drop half way: keep the future until it is done.
    pub async fn next(&mut self) -> Result<News, Failure> {
        loop {
            let Some(stream) = &mut self.stream else {
                if let Some(lost) = self.connect().await? {
                    return Ok(News::Lost(lost));
                }
                continue;
            };
            match stream.next().await {
                // Seen before the connection broke.
                Ok(Some(Watched::Chunk { number, .. })) if number < self.follower.chunks() => {}
                Ok(Some(Watched::Chunk { number, line })) => {
                    let events = self.follower.take(&line)?;
                    self.pause = Duration::ZERO;
                    return Ok(News::Events { number, events });
                }
                Ok(Some(Watched::End(session))) => return Ok(News::Ended(session)),
                Ok(None) | Err(ClientError::Unreachable { .. }) => self.stream = None,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// One try; says why it did not succeed.
    async fn connect(&mut self) -> Result<Option<String>, Failure> {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE);
        let id = self.follower.session.to_string();
        match self.client.watch(&id, self.follower.chunks()).await {
            Ok(stream) => {
                (self.stream, self.ever) = (Some(stream), true);
                Ok(None)
            }
            Err(error @ ClientError::Unreachable { .. }) if self.ever => Ok(Some(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}
