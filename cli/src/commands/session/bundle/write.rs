//! Writing a bundle, as a tar file or as a folder.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lineman_common::id::SessionId;
use lineman_common::recording::Chunk;
use lineman_common::statement::{DeviceStatement, Signed};

use super::papers::Papers;
use super::{
    ANCHORS, CHUNKS, DEVICE, README, README_FILE, RECORDERS, RECORDING, REQUEST, ROSTER, SCRIPT, SCRIPT_FILE, SIGNERS, VENDOR_ROOT,
    chunk_file, chunk_signature, recorders, signature_of,
};
use crate::exit::{Exit, Failure};

/// Takes the files of a bundle, one by one.
pub trait Sink {
    fn add(&mut self, name: &str, bytes: &[u8], executable: bool) -> io::Result<()>;
}

/// A tar file with one folder, named for the session, so that unpacking it litters nothing.
pub struct Tar<W: Write> {
    builder: tar::Builder<W>,
    top: String,
    at: u64,
}

impl<W: Write> Tar<W> {
    pub fn new(to: W, session: SessionId, at: Timestamp) -> Self {
        Self { builder: tar::Builder::new(to), top: session.to_string(), at: u64::try_from(at.as_second()).unwrap_or(0) }
    }

    pub fn finish(self) -> io::Result<()> {
        self.builder.into_inner()?.flush()
    }
}

impl Tar<Vec<u8>> {
    pub fn into_bytes(self) -> io::Result<Vec<u8>> {
        self.builder.into_inner()
    }
}

impl<W: Write> Sink for Tar<W> {
    fn add(&mut self, name: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(if executable { 0o755 } else { 0o644 });
        header.set_mtime(self.at);
        header.set_size(bytes.len() as u64);
        self.builder.append_data(&mut header, Path::new(&self.top).join(name), bytes)
    }
}

/// A folder that was empty, or not there.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: &Path) -> Result<Self, Failure> {
        let failed = |e: io::Error| Failure::failed(format!("can't write into {}: {e}", path.display()));
        std::fs::create_dir_all(path).map_err(failed)?;
        if std::fs::read_dir(path).map_err(failed)?.next().is_some() {
            return Err(Failure::usage(format!("{} is not empty", path.display())).hint("a bundle gets a folder of its own"));
        }
        std::fs::create_dir(path.join(CHUNKS)).map_err(failed)?;
        Ok(Self(path.to_owned()))
    }
}

impl Sink for Folder {
    fn add(&mut self, name: &str, bytes: &[u8], executable: bool) -> io::Result<()> {
        let path = self.0.join(name);
        std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(bytes)?;
        if executable {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }
}

/// Writes all of it; answers the number of chunks.
pub fn write(recording: &str, papers: &Papers, to: &mut impl Sink) -> Result<u64, Failure> {
    let statement = DeviceStatement::read_unverified(&papers.device_statement.text)?;
    let chunks = chunks(recording)?;
    let put = |to: &mut _, name: &str, bytes: &str| add(to, name, bytes, false);
    put(to, README_FILE, README)?;
    add(to, SCRIPT_FILE, SCRIPT, true)?;
    put(to, RECORDERS, &recorders(&statement.host_key))?;
    for (name, text) in [(SIGNERS, &papers.signers), (VENDOR_ROOT, &papers.vendor_root)] {
        if let Some(text) = text {
            put(to, name, text)?;
        }
    }
    let fixed = [(DEVICE, Some(&papers.device_statement)), (ANCHORS, papers.anchors.as_ref()), (ROSTER, Some(&papers.roster))];
    for (name, signed) in fixed.into_iter().chain([(REQUEST, Some(&papers.request))]) {
        if let Some(signed) = signed {
            pair(to, name, signed)?;
        }
    }
    for (index, (grant, signed)) in papers.grants.iter().enumerate() {
        let number = papers.grants[..index].iter().filter(|(other, _)| other == grant).count() + 1;
        pair(to, &grant.file(number), signed)?;
    }
    put(to, RECORDING, &chunks.iter().map(line).collect::<Result<String, _>>()?)?;
    for (number, chunk) in (0..).zip(&chunks) {
        put(to, &chunk_file(number), &chunk.text)?;
        put(to, &chunk_signature(number), &chunk.signature)?;
    }
    Ok(chunks.len() as u64)
}

fn add(to: &mut impl Sink, name: &str, text: &str, executable: bool) -> Result<(), Failure> {
    to.add(name, text.as_bytes(), executable).map_err(|e| Failure::failed(format!("can't write {name} of the bundle: {e}")))
}

fn pair(to: &mut impl Sink, name: &str, signed: &Signed) -> Result<(), Failure> {
    add(to, name, &signed.text, false)?;
    add(to, &signature_of(name), &signed.signature, false)
}

fn chunks(recording: &str) -> Result<Vec<Chunk>, Failure> {
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|_| Failure::new(Exit::CheckFailed, format!("chunk {number}: the line is not a chunk")))
    };
    recording.lines().enumerate().map(read).collect()
}

/// A chunk's line, always written the same way, so that the script can rebuild it from the two files.
pub fn line(chunk: &Chunk) -> Result<String, Failure> {
    serde_json::to_string(chunk).map(|line| line + "\n").map_err(|e| Failure::failed(e.to_string()))
}
