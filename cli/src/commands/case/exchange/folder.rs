//! A folder with the library in it, a Markdown file for each case, as git keeps it.
//!
//! `.lineman-library.tsv` says which version of each case was the same on both sides last, and the hash of its file then. So it is
//! known what was changed here, what was changed there, and what was deleted here and not only never fetched. What was changed here is
//! never written over, and nothing that is missing here is taken out of the library unless that is asked for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use lineman_common::api::{CaseItem, ExchangeForm, HeldBack, ImportVerdict, PlannedCase, Pruned};
use lineman_common::exchange;
use lineman_common::id::CaseId;
use lineman_common::name::CaseNumber;
use lineman_common::statement::sha256_hex;
use serde::Serialize;

use super::parts::{Entry, Import};
use super::{MOST_CASES, read_text};
use crate::exit::Failure;

const MANIFEST: &str = ".lineman-library.tsv";
const HEAD: &str = "# What was the same here and in the library last. Kept by `lineman case export` and `import`; belongs into git.
# number\tid\tversion\tsha256\tfile\n";
const DEEPEST: usize = 8;

/// Both sides agreed on it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Agreed {
    number: CaseNumber,
    version: u32,
    sha256: String,
    /// Within the folder.
    file: PathBuf,
}

struct Found {
    /// Within the folder.
    file: PathBuf,
    /// Of its case.
    line: usize,
    text: String,
    item: Result<CaseItem, String>,
}

pub struct Folder {
    dir: PathBuf,
    agreed: BTreeMap<CaseId, Agreed>,
    found: Vec<Found>,
    /// The first file of each case.
    by_id: HashMap<CaseId, usize>,
}

/// A case whose file was deleted here.
pub struct Missing {
    pub pruned: Pruned,
    pub number: CaseNumber,
    pub file: PathBuf,
}

/// What an export did with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrote {
    New,
    Updated,
    Same,
    /// Changed here, not there: kept.
    Edited,
    /// Changed on both sides: kept.
    Conflict,
    /// Deleted here: not written again.
    Deleted,
    /// Out of use there: removed here.
    Removed,
}

#[derive(Clone, Debug, Serialize)]
pub struct Written {
    pub number: CaseNumber,
    pub file: PathBuf,
    pub what: Wrote,
    pub why: &'static str,
}

impl Written {
    pub fn is_trouble(&self) -> bool {
        self.what == Wrote::Conflict
    }
}

fn failed(path: &Path, what: &str, error: &std::io::Error) -> Failure {
    Failure::failed(format!("can't {what} {}: {error}", path.display()))
}

/// Writes a whole file, or leaves the old one.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".lineman-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| failed(path, "write", &error))
}

impl Folder {
    pub fn open(dir: &Path, make: bool) -> Result<Self, Failure> {
        if make {
            fs::create_dir_all(dir).map_err(|error| failed(dir, "make", &error))?;
        }
        let manifest = dir.join(MANIFEST);
        let agreed = match fs::read_to_string(&manifest) {
            Ok(text) => {
                read_manifest(&text).map_err(|line| Failure::failed(format!("{}: line {line} can't be read", manifest.display())))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(failed(&manifest, "read", &error)),
        };
        let mut files = Vec::new();
        walk(dir, Path::new(""), 0, &mut files)?;
        files.sort();
        if files.len() > MOST_CASES {
            return Err(Failure::usage(format!("{} has {} Markdown files: at most {MOST_CASES}", dir.display(), files.len())));
        }
        let found: Vec<_> = files.into_iter().map(|file| found(dir, file)).collect();
        let mut by_id = HashMap::new();
        for (at, found) in found.iter().enumerate() {
            if let Some(id) = found.item.as_ref().ok().and_then(|item| item.id) {
                by_id.entry(id).or_insert(at);
            }
        }
        Ok(Self { dir: dir.to_owned(), agreed, found, by_id })
    }

    fn place(&self, found: &Found) -> String {
        let path = self.dir.join(&found.file).display().to_string();
        format!("{}:{}", lineman_common::printable::escape(&path), found.line)
    }

    pub fn entries(&self) -> Result<Vec<Entry>, Failure> {
        if self.found.is_empty() && self.agreed.is_empty() {
            return Err(
                Failure::usage(format!("{} has no Markdown files", self.dir.display())).hint("lineman case export --dir DIR makes them")
            );
        }
        Ok(self.found.iter().map(|found| Entry { place: self.place(found), item: found.item.clone() }).collect())
    }

    /// Cases that were here once and are not any more.
    pub fn missing(&self) -> Vec<Missing> {
        let files: HashSet<&Path> = self.found.iter().map(|found| found.file.as_path()).collect();
        let gone = self.agreed.iter().filter(|(id, agreed)| !self.by_id.contains_key(id) && !files.contains(agreed.file.as_path()));
        let missing = |(id, agreed): (&CaseId, &Agreed)| Missing {
            pruned: Pruned { id: *id, version: agreed.version },
            number: agreed.number,
            file: agreed.file.clone(),
        };
        gone.map(missing).collect()
    }

    // ---- After an import --------------------------------------------------------------------------------------------

    /// Both sides are the same now: the files say which version that is.
    pub fn agree(&mut self, cases: &[PlannedCase], parts: &Import) -> Result<(), Failure> {
        let files: HashMap<String, usize> = self.found.iter().enumerate().map(|(at, found)| (self.place(found), at)).collect();
        for case in cases {
            let (Some(id), Some(number), Some(version)) = (case.id, case.number, case.version) else { continue };
            if case.verdict == ImportVerdict::Archived {
                self.agreed.remove(&id);
            }
            let is_agreed = matches!(case.verdict, ImportVerdict::New | ImportVerdict::Changed | ImportVerdict::Same);
            let (Some(at), Some(item), true) = (files.get(&case.place), parts.item(&case.place), is_agreed) else { continue };
            let told = CaseItem { id: Some(id), number: Some(number), version: Some(version), ..item.clone() };
            let found = &mut self.found[*at];
            // A file that says all of it already stays as its writer formatted it.
            if told != *item {
                found.text = exchange::markdown(&CaseItem { state: case.state, ..told.clone() });
                replace(&self.dir.join(&found.file), found.text.as_bytes())?;
                found.item = Ok(told);
            }
            self.agreed.insert(id, Agreed { number, version, sha256: sha256_hex(&found.text), file: found.file.clone() });
        }
        self.save()
    }

    fn save(&self) -> Result<(), Failure> {
        let text = manifest(&self.agreed);
        let path = self.dir.join(MANIFEST);
        if fs::read_to_string(&path).is_ok_and(|before| before == text) { Ok(()) } else { replace(&path, text.as_bytes()) }
    }

    // ---- Export -----------------------------------------------------------------------------------------------------

    /// Takes the library's cases into the folder. `whole`: these are all of them.
    pub fn take(&mut self, items: &[CaseItem], held_back: &[HeldBack], whole: bool, restore: bool) -> Result<Vec<Written>, Failure> {
        let mut written = Vec::new();
        for item in items {
            let (Some(id), Some(number), Some(version)) = (item.id, item.number, item.version) else { continue };
            let (file, what, why) = self.judge(item, id, number, version, restore);
            let text = exchange::markdown(item);
            if matches!(what, Wrote::New | Wrote::Updated) {
                replace(&self.dir.join(&file), text.as_bytes())?;
            }
            if matches!(what, Wrote::New | Wrote::Updated | Wrote::Same) {
                self.agreed.insert(id, Agreed { number, version, sha256: sha256_hex(&text), file: file.clone() });
            }
            written.push(Written { number, file, what, why });
        }
        if whole {
            let kept: HashSet<CaseNumber> =
                items.iter().filter_map(|item| item.number).chain(held_back.iter().map(|held| held.number)).collect();
            written.extend(self.out_of_use(&kept)?);
        }
        self.save()?;
        Ok(written)
    }

    fn of(&self, id: CaseId) -> Option<&Found> {
        self.found.get(*self.by_id.get(&id)?)
    }

    /// As it was when both sides agreed last?
    fn is_untouched(&self, id: CaseId, found: &Found) -> bool {
        self.agreed.get(&id).is_some_and(|agreed| agreed.sha256 == sha256_hex(&found.text))
    }

    fn judge(&self, item: &CaseItem, id: CaseId, number: CaseNumber, version: u32, restore: bool) -> (PathBuf, Wrote, &'static str) {
        let own = PathBuf::from(format!("{number}.md"));
        let Some(found) = self.of(id) else {
            let file = self.agreed.get(&id).map_or(own, |agreed| agreed.file.clone());
            return match self.agreed.get(&id) {
                _ if self.dir.join(&file).symlink_metadata().is_ok() => {
                    (file, Wrote::Conflict, "another file has its name, or can't be read")
                }
                Some(agreed) if !restore && agreed.version == version => {
                    (file, Wrote::Deleted, "deleted here: import --prune archives it, --restore writes it again")
                }
                Some(_) if !restore => (file, Wrote::Conflict, "deleted here, changed in the library: --restore writes it again"),
                Some(_) | None => (file, Wrote::New, ""),
            };
        };
        let file = found.file.clone();
        let says_the_same = found.item.as_ref().is_ok_and(|here| here.body == item.body);
        if found.text == exchange::markdown(item) {
            (file, Wrote::Same, "")
        } else if says_the_same || self.is_untouched(id, found) {
            (file, Wrote::Updated, "")
        } else if found.item.as_ref().is_ok_and(|here| here.version == Some(version)) {
            (file, Wrote::Edited, "changed here: import takes it")
        } else {
            (file, Wrote::Conflict, "changed on both sides: import shows both texts")
        }
    }

    /// Files of cases that the library has no longer in use.
    fn out_of_use(&mut self, kept: &HashSet<CaseNumber>) -> Result<Vec<Written>, Failure> {
        let gone: Vec<_> =
            self.agreed.iter().filter(|(_, agreed)| !kept.contains(&agreed.number)).map(|(id, agreed)| (*id, agreed.clone())).collect();
        let mut written = Vec::new();
        for (id, Agreed { number, file, .. }) in gone {
            let found = self.of(id);
            let (what, why) = match found {
                Some(found) if !self.is_untouched(id, found) => (Wrote::Conflict, "out of use in the library, changed here"),
                Some(_) => (Wrote::Removed, "out of use in the library"),
                None => {
                    self.agreed.remove(&id);
                    continue;
                }
            };
            let file = found.map_or(file, |found| found.file.clone());
            if what == Wrote::Removed {
                let path = self.dir.join(&file);
                fs::remove_file(&path).map_err(|error| failed(&path, "remove", &error))?;
                self.agreed.remove(&id);
            }
            written.push(Written { number, file, what, why });
        }
        Ok(written)
    }
}

/// Markdown files, without following links, and without what git and others hide.
fn walk(dir: &Path, inner: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let folder = dir.join(inner);
    let entries = fs::read_dir(&folder).map_err(|error| failed(&folder, "read", &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| failed(&folder, "read", &error))?;
        let kind = entry.file_type().map_err(|error| failed(&folder, "read", &error))?;
        let name = entry.file_name();
        let Some(shown) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let is_case = shown.to_ascii_lowercase().ends_with(".md") && !shown.eq_ignore_ascii_case("README.md");
        if kind.is_dir() && depth < DEEPEST {
            walk(dir, &inner.join(&name), depth + 1, files)?;
        } else if kind.is_file() && is_case {
            files.push(inner.join(&name));
        }
    }
    Ok(())
}

fn found(dir: &Path, file: PathBuf) -> Found {
    let path = dir.join(&file);
    let unread = |why: String, file: PathBuf| Found { file, line: 1, text: String::new(), item: Err(why) };
    let text = match read_text(&path) {
        Ok(text) => text,
        // One wrong file costs its case, not the folder.
        Err(failure) => return unread(failure.what, file),
    };
    let read = exchange::read(ExchangeForm::Markdown, &text).pop();
    match read {
        Some(read) => Found { file, line: read.line, text, item: read.item },
        None => unread("it holds no case".to_owned(), file),
    }
}

fn read_manifest(text: &str) -> Result<BTreeMap<CaseId, Agreed>, usize> {
    let mut agreed = BTreeMap::new();
    for (number, line) in (1_usize..).zip(text.lines()).filter(|(_, line)| !line.starts_with('#') && !line.is_empty()) {
        let (id, row) = row(line).ok_or(number)?;
        agreed.insert(id, row);
    }
    Ok(agreed)
}

fn row(line: &str) -> Option<(CaseId, Agreed)> {
    let [number, id, version, sha256, file] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    // It is joined to the folder: no way out of it.
    let is_inside = Path::new(file).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let agreed =
        Agreed { number: number.parse().ok()?, version: version.parse().ok()?, sha256: sha256.to_owned(), file: PathBuf::from(file) };
    is_inside.then_some(Some((id.parse().ok()?, agreed)))?
}

fn manifest(agreed: &BTreeMap<CaseId, Agreed>) -> String {
    let mut rows: Vec<_> = agreed.iter().collect();
    rows.sort_by_key(|(_, agreed)| agreed.number);
    let line = |(id, agreed): (&CaseId, &Agreed)| {
        let Agreed { number, version, sha256, file } = agreed;
        format!("{number}\t{id}\t{version}\t{sha256}\t{}\n", file.display())
    };
    HEAD.to_owned() + &rows.into_iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests;
