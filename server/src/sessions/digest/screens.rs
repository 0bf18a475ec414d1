//! The screens of recordings that are being read, and how they are made again.

use std::collections::{BTreeMap, HashMap};

use lineman_common::recording::screen::{Camera, Frame};
use lineman_common::recording::{Event, Piece};

use super::{Digest, Key, MOST_SCREEN_BYTES, STEP_BYTES, STEP_CHUNKS, Shot, sql};
use crate::store::{Db, Store, StoreError};

/// What all screens in memory may take; those that were not used for longest go first, and are made again when they are needed.
const MOST_BYTES: usize = 128 << 20;
/// Of a column of a row, on both of a terminal's screens.
const CELL_BYTES: usize = 64;

/// The terminals of one session.
#[derive(Default)]
pub struct Cameras {
    channels: BTreeMap<u32, Camera>,
}

impl Cameras {
    pub fn begin(&mut self, channel: u32) {
        self.channels.insert(channel, Camera::new(80, 24));
    }

    fn resume(&mut self, channel: u32, frame: &Frame) {
        self.channels.insert(channel, Camera::resume(frame));
    }

    pub fn end(&mut self, channel: u32) {
        self.channels.remove(&channel);
    }

    pub fn feed(&mut self, event: &Event, chunks: u64, events: u32) -> Option<Frame> {
        self.channels.get_mut(&event.channel)?.feed(event, chunks, events)
    }

    fn bytes(&self) -> usize {
        let cells = |camera: &Camera| {
            let (cols, rows) = camera.screen().size();
            usize::from(cols) * usize::from(rows)
        };
        self.channels.values().map(cells).sum::<usize>() * CELL_BYTES
    }
}

struct Kept {
    /// The place in the recording that they show.
    chunks: u64,
    cameras: Cameras,
    bytes: usize,
    used: u64,
}

#[derive(Default)]
pub struct Screens {
    kept: HashMap<Key, Kept>,
    /// Counts uses.
    uses: u64,
}

impl Screens {
    /// Those of this place of the recording.
    pub fn take(&mut self, key: Key, chunks: u64) -> Option<Cameras> {
        self.kept.remove(&key).filter(|kept| kept.chunks == chunks).map(|kept| kept.cameras)
    }

    pub fn put(&mut self, key: Key, chunks: u64, cameras: Cameras) {
        self.uses += 1;
        // An open session without a terminal is cheaper to look up than to keep.
        if !cameras.channels.is_empty() {
            self.kept.insert(key, Kept { chunks, bytes: cameras.bytes(), cameras, used: self.uses });
        }
        while self.kept.len() > 1 && self.kept.values().map(|kept| kept.bytes).sum::<usize>() > MOST_BYTES {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key);
            oldest.and_then(|key| self.kept.remove(&key));
        }
    }
}

/// Makes a session's screens again: from each terminal's last keyframe, and what came since.
pub async fn again(store: &Store, key: Key, digest: &Digest) -> Result<Cameras, StoreError> {
    let terminals = digest.state.terminals.clone();
    let mut from = terminals.values().copied().min().unwrap_or(digest.chunks);
    let mut rebuilt = store.read(move |db| Rebuilt::begin(db, key, &terminals.into_keys().collect::<Vec<_>>())).await?;
    while from < digest.chunks {
        let page = store.read(move |db| super::super::sql::chunks(db, key.device, key.session, from, STEP_CHUNKS, STEP_BYTES)).await?;
        let Some((last, _)) = page.chunks.last() else { break };
        let (next, most) = (last + 1, digest.chunks);
        let work = tokio::task::spawn_blocking(move || {
            page.chunks.iter().filter(|(number, _)| *number < most).for_each(|(number, line)| rebuilt.read(*number, line));
            rebuilt
        });
        rebuilt = work.await.map_err(|_| StoreError::Corrupt("reading a recording panicked".into()))?;
        from = next;
    }
    Ok(rebuilt.cameras)
}

struct Rebuilt {
    cameras: Cameras,
    /// Up to where a channel's keyframe goes: chunks, and events of the last of them.
    covered: BTreeMap<u32, (u64, u32)>,
}

impl Rebuilt {
    fn begin(db: &Db<'_>, key: Key, channels: &[u32]) -> Result<Self, StoreError> {
        let (mut cameras, mut covered) = (Cameras::default(), BTreeMap::new());
        for channel in channels {
            match sql::newest_shots(db, key, Some(*channel), f64::MAX)?.pop() {
                Some(Shot { frame, screen, .. }) => {
                    covered.insert(*channel, (frame.chunks, frame.events));
                    cameras.resume(*channel, &Frame { screen: unpacked(&screen)?, ..frame });
                }
                None => cameras.begin(*channel),
            }
        }
        Ok(Self { cameras, covered })
    }

    fn read(&mut self, number: u64, line: &str) {
        let Ok(piece) = Piece::read(line, number, None) else { return };
        for (events, event) in (1u32..).zip(&piece.events) {
            let place = (number + 1, events);
            if self.covered.get(&event.channel).is_none_or(|covered| place > *covered) {
                // A keyframe that is due here was taken when this was read first.
                let _ = self.cameras.feed(event, number + 1, events);
            }
        }
    }
}

pub fn packed(screen: &str) -> Vec<u8> {
    zstd::bulk::compress(screen.as_bytes(), 1).unwrap_or_default()
}

pub fn unpacked(screen: &[u8]) -> Result<String, StoreError> {
    let bytes = zstd::bulk::decompress(screen, MOST_SCREEN_BYTES)?;
    String::from_utf8(bytes).map_err(|_| StoreError::Corrupt("a keyframe is no text".into()))
}
