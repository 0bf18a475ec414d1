//! Where attachments lie: `attachments/ab/ab12...` beside the database, by the SHA-256 of their content, and `attachments/incoming/` while
//! they come in. A file is synced before it gets its name, and the folder after.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use futures_util::StreamExt;
use lineman_common::statement::hex;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;

use super::{Error, LARGEST_BYTES};
use crate::store::{ATTACHMENTS, Store, attachment_place};

/// Taken in at a time; others wait their turn.
const AT_ONCE: usize = 8;
/// A sender that is silent for so long has gone.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// What the kind of a file is told by.
const HEAD_BYTES: usize = 4096;
const INCOMING: &str = "incoming";

/// The folder; clones share it.
#[derive(Clone)]
pub struct Files {
    dir: Arc<Path>,
    turns: Arc<Semaphore>,
}

/// Bytes that are on disk, and have no name yet: gone when this is dropped before they got one.
#[derive(Debug)]
pub struct Taken {
    path: PathBuf,
    place: PathBuf,
    pub sha256: String,
    pub size_bytes: u64,
    pub head: Vec<u8>,
}

impl Files {
    /// Those of this store.
    pub fn of(store: &Store) -> Self {
        Self::at(&store.path().with_file_name(ATTACHMENTS))
    }

    fn at(dir: &Path) -> Self {
        Self { dir: dir.into(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Takes a body in, as a stream.
    pub async fn take(&self, body: Body) -> Result<Taken, Error> {
        let _turn = self.turns.acquire().await.map_err(|_| Error::CutOff)?;
        let incoming = self.dir.join(INCOMING);
        make(&incoming)?;
        let path = incoming.join(uuid::Uuid::new_v4().simple().to_string());
        let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await?;
        // From here on, whatever goes wrong takes the file away.
        let mut taken = Taken { path, place: PathBuf::new(), sha256: String::new(), size_bytes: 0, head: Vec::new() };
        let (mut stream, mut hash) = (body.into_data_stream(), Sha256::new());
        while let Some(part) = tokio::time::timeout(PATIENCE, stream.next()).await.map_err(|_| Error::CutOff)? {
            let part = part.map_err(|_| Error::CutOff)?;
            taken.size_bytes += part.len() as u64;
            if taken.size_bytes > LARGEST_BYTES {
                return Err(Error::TooLarge);
            }
            let missing = HEAD_BYTES - taken.head.len();
            taken.head.extend_from_slice(&part[..part.len().min(missing)]);
            hash.update(&part);
            file.write_all(&part).await?;
        }
        file.sync_all().await?;
        taken.sha256 = hex(&hash.finalize());
        taken.place = attachment_place(&self.dir, &taken.sha256);
        Ok(taken)
    }

    pub async fn open(&self, sha256: &str) -> io::Result<tokio::fs::File> {
        tokio::fs::File::open(attachment_place(&self.dir, sha256)).await
    }

    pub fn remove(&self, sha256: &str) -> io::Result<()> {
        match fs::remove_file(attachment_place(&self.dir, sha256)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Removes what is not among these; answers how many files went.
    pub fn collect(&self, named: &HashSet<String>) -> io::Result<usize> {
        let mut gone = 0;
        for folder in entries(&self.dir)? {
            for file in entries(&folder)? {
                let known = file.file_name().and_then(|name| name.to_str()).is_some_and(|name| named.contains(name));
                if !known {
                    fs::remove_file(&file)?;
                    gone += 1;
                }
            }
        }
        Ok(gone)
    }
}

fn make(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// What is in a folder; nothing where there is none.
fn entries(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

impl Taken {
    /// Gives the bytes their name; a second file of the same content takes the first one's place.
    pub fn place(self) -> io::Result<()> {
        let folder = self.place.parent().ok_or(io::ErrorKind::NotFound)?;
        let is_new = !folder.exists();
        make(folder)?;
        fs::rename(&self.path, &self.place)?;
        fs::File::open(folder)?.sync_all()?;
        if let Some(above) = folder.parent().filter(|_| is_new) {
            fs::File::open(above)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // After `place` there is nothing under this name any more.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(parts: &[&[u8]]) -> Body {
        let parts: Vec<Result<Vec<u8>, io::Error>> = parts.iter().map(|part| Ok(part.to_vec())).collect();
        Body::from_stream(futures_util::stream::iter(parts))
    }

    fn left(dir: &Path) -> usize {
        entries(dir).unwrap().iter().map(|folder| entries(folder).unwrap().len()).sum()
    }

    #[tokio::test]
    async fn a_file_is_known_by_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::at(dir.path());
        let taken = files.take(body(&[b"hello ", b"world"])).await.unwrap();
        let sha256 = lineman_common::statement::sha256_hex("hello world");
        assert_eq!((taken.sha256.as_str(), taken.size_bytes, taken.head.as_slice()), (sha256.as_str(), 11, &b"hello world"[..]));
        taken.place().unwrap();
        files.take(body(&[b"hello world"])).await.unwrap().place().unwrap();
        assert_eq!(left(dir.path()), 1, "the same content is there once");
        // What got no name, and what no row names, goes.
        drop(files.take(body(&[b"unwanted"])).await.unwrap());
        assert_eq!(left(dir.path()), 1);
        fs::write(dir.path().join(INCOMING).join("half"), "x").unwrap();
        files.take(body(&[b"orphan"])).await.unwrap().place().unwrap();
        assert_eq!(files.collect(&HashSet::from([sha256.clone()])).unwrap(), 2);
        assert!(files.open(&sha256).await.is_ok());
        files.remove(&sha256).unwrap();
        files.remove(&sha256).unwrap();
        assert_eq!(left(dir.path()), 0);
    }

    #[tokio::test]
    async fn one_that_is_too_large_or_breaks_off_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::at(dir.path());
        let large = vec![0; usize::try_from(LARGEST_BYTES).unwrap()];
        assert!(matches!(files.take(body(&[&large, b"x"])).await, Err(Error::TooLarge)));
        let cut = Body::from_stream(futures_util::stream::iter([Ok(b"half".to_vec()), Err(io::Error::other("cut"))]));
        assert!(matches!(files.take(cut).await, Err(Error::CutOff)));
        assert_eq!(left(dir.path()), 0);
    }
}
