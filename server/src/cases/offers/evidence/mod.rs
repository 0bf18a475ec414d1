//! Evidence of a case: files of faults, and stretches of sessions' recordings.
//!
//! A file is copied into the database when it is put on the case, so that the case keeps it when the fault's own is deleted (a case's
//! copy is removed on its own). A clip is a reference to a recording with a channel and a time range; what it shows is cut from the
//! recording whenever somebody looks ([`clip`]), and looking is told on the fault's timeline like any look at a recording.
//!
//! Evidence is for the support centre's people. Somebody else than who put it there may release it, after a look; then a file shows to
//! everybody who sees the case, and a clip to its own customer only: **no customer ever gets another customer's recording**.

mod clip;
pub mod http;
mod sql;
#[cfg(test)]
mod tests;

use lineman_common::Printable;
use lineman_common::api::{Attachment, Case, Evidence, EvidenceClip, EvidenceFile, EvidenceKind, NewClip, NewFile, Release};
use lineman_common::id::{EvidenceId, FaultId};
use lineman_common::people::Role;
use lineman_common::recording::Recording;
use serde_json::json;

use super::super::{self as cases, Reference};
use crate::events::{Kind, New};
use crate::faults::{self, Reference as FaultReference};
use crate::sessions;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

const MOST: usize = 30;
/// All files of one case together.
const MOST_BYTES: u64 = 64 << 20;
const LONGEST_TITLE: usize = 200;
const LONGEST_REASON: usize = 2_000;
/// Of a recording.
const LONGEST_CLIP_S: f64 = 3_600.0;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such evidence")]
    NotFound,
    #[error("a case has {MOST} pieces of evidence at most, and {} MiB of files together", MOST_BYTES >> 20)]
    NoRoom,
    #[error("a title has {LONGEST_TITLE} characters at most")]
    LongTitle,
    #[error("say why, in 1 to {LONGEST_REASON} characters")]
    NoReason,
    #[error("a clip begins at 0 s or later, ends later than it begins, and is {LONGEST_CLIP_S} s long at most")]
    BadRange,
    #[error("the recording is {length_s:.1} s long: a clip can't end at {to_s:.1} s")]
    BeyondTheEnd { length_s: f64, to_s: f64 },
    #[error("the recording has no channel {0}")]
    NoChannel(u32),
    #[error("nothing of the recording is stored")]
    NothingRecorded,
    #[error("the stored recording can't be read there: {0}")]
    Broken(#[from] lineman_common::recording::Broken),
    #[error("so much was printed in this stretch that it can't be cut: take a shorter one")]
    TooMuch,
    #[error("who put it there can't release it: somebody else has to look at it first")]
    OwnRelease,
    #[error("it is released already")]
    Released,
    #[error(transparent)]
    Cases(#[from] cases::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Sessions(#[from] sessions::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found("evidence"),
            Error::LongTitle | Error::NoReason | Error::BadRange | Error::BeyondTheEnd { .. } | Error::NoChannel(_) | Error::TooMuch => {
                Self::invalid(error.to_string())
            }
            Error::NoRoom | Error::Released | Error::NothingRecorded | Error::Broken(_) => Self::conflict(error.to_string()),
            Error::OwnRelease => Self::forbidden(error.to_string()),
            Error::Cases(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Sessions(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// A case's evidence that the scope may see, oldest first; also that of cases that are the same.
pub fn list(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Vec<Evidence>, Error> {
    let case = cases::get(db, scope, reference)?;
    Ok(sql::of_case(db, scope, case.number)?)
}

fn find(db: &Db<'_>, scope: &Scope, reference: &Reference, id: &str) -> Result<(Case, Evidence), Error> {
    let case = cases::get(db, scope, reference)?;
    let id: EvidenceId = id.parse().map_err(|_| Error::NotFound)?;
    let found = sql::of_case(db, scope, case.number)?.into_iter().find(|evidence| evidence.id == id);
    Ok((case, found.ok_or(Error::NotFound)?))
}

/// Puts a copy of a fault's file on a case. The caller has read its content.
pub fn add_file(
    tx: &mut Tx<'_>,
    actor: &Actor,
    reference: &Reference,
    new: &NewFile,
    attachment: &Attachment,
    content: &[u8],
) -> Result<Evidence, Error> {
    let case = has_room(tx, actor, reference, content.len() as u64)?;
    let fault = faults::get(tx, &actor.scope(), &FaultReference::Number(new.fault.clone()))?;
    let title = title(new.title.as_ref(), || attachment.name.raw().to_owned())?;
    let file = EvidenceFile {
        name: attachment.name.clone(),
        size_bytes: content.len() as u64,
        sha256: attachment.sha256.clone(),
        media_type: attachment.media_type.clone(),
    };
    let id = EvidenceId::new();
    sql::insert(
        tx,
        &sql::NewRow { id, case: case.number, fault: fault.id, title: &title, file: Some(&file), clip: None, by: &actor.name },
    )?;
    sql::put_content(tx, id, content)?;
    added(tx, actor, &case, fault.id, id)
}

/// Puts a stretch of a recording on a case.
pub fn add_clip(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, new: &NewClip) -> Result<Evidence, Error> {
    let case = has_room(tx, actor, reference, 0)?;
    let session = sessions::get(tx, &actor.scope(), new.session)?;
    let (from_s, to_s) = (new.from_s, new.to_s);
    let is_range = from_s.is_finite() && to_s.is_finite() && from_s >= 0.0 && to_s > from_s && to_s - from_s <= LONGEST_CLIP_S;
    if !is_range {
        return Err(Error::BadRange);
    }
    let length_s = clip::length_s(tx, &session)?;
    if to_s > length_s {
        return Err(Error::BeyondTheEnd { length_s, to_s });
    }
    let channel = clip::channel(tx, session.id, new.channel, to_s)?;
    let title = title(new.title.as_ref(), || format!("session on {}", session.started_at.strftime("%Y-%m-%d")))?;
    let clip = EvidenceClip { session: session.id, channel, from_s, to_s };
    // That it can be cut is known now, not when somebody wants to look.
    clip::cut(tx, &clip)?;
    let fault = faults::get(tx, &actor.scope(), &FaultReference::Number(session.fault))?;
    let id = EvidenceId::new();
    sql::insert(
        tx,
        &sql::NewRow { id, case: case.number, fault: fault.id, title: &title, file: None, clip: Some(&clip), by: &actor.name },
    )?;
    added(tx, actor, &case, fault.id, id)
}

fn has_room(db: &Db<'_>, actor: &Actor, reference: &Reference, more: u64) -> Result<Case, Error> {
    let case = cases::get(db, &actor.scope(), reference)?;
    let known = sql::of_case(db, &Scope::All, case.number)?;
    let bytes: u64 = known.iter().filter_map(|evidence| evidence.file.as_ref()).map(|file| file.size_bytes).sum();
    if known.len() >= MOST || bytes + more > MOST_BYTES { Err(Error::NoRoom) } else { Ok(case) }
}

fn title(given: Option<&Printable>, usual: impl Fn() -> String) -> Result<String, Error> {
    let title = given.map(|title| title.raw().trim().to_owned()).filter(|title| !title.is_empty()).unwrap_or_else(usual);
    if title.chars().count() > LONGEST_TITLE { Err(Error::LongTitle) } else { Ok(title) }
}

fn added(tx: &mut Tx<'_>, actor: &Actor, case: &Case, fault: FaultId, id: EvidenceId) -> Result<Evidence, Error> {
    tell(tx, actor, case, fault, id, Kind::CaseEvidenceAdded, "put on")?;
    sql::of_case(tx, &actor.scope(), case.number)?.into_iter().find(|evidence| evidence.id == id).ok_or(Error::NotFound)
}

fn tell(tx: &mut Tx<'_>, actor: &Actor, case: &Case, fault: FaultId, id: EvidenceId, kind: Kind, what: &str) -> Result<(), Error> {
    let text = format!("evidence of this fault was {what} case {}", case.number);
    faults::tell(tx, fault, New::of(kind, actor, text).internal(true).data(json!({"case": case.number, "evidence": id})))?;
    Ok(())
}

/// Somebody else has looked at it, and it may be seen outside.
pub fn release(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, id: &str, reason: &Printable) -> Result<Evidence, Error> {
    let reason = reason_of(reason)?;
    let (case, evidence) = find(tx, &actor.scope(), reference, id)?;
    if evidence.released.is_some() {
        return Err(Error::Released);
    }
    if evidence.by == actor.name && actor.role != Role::Admin {
        return Err(Error::OwnRelease);
    }
    sql::set_released(tx, evidence.id, &Release { by: actor.name.clone(), at: tx.now(), reason })?;
    tell(tx, actor, &case, sql::fault_of(tx, evidence.id)?, evidence.id, Kind::CaseEvidenceReleased, "released on")?;
    Ok(find(tx, &actor.scope(), reference, id)?.1)
}

/// Takes it off the case; a file's copy is gone then.
pub fn remove(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, id: &str, reason: &Printable) -> Result<Evidence, Error> {
    let reason = reason_of(reason)?;
    let (case, evidence) = find(tx, &actor.scope(), reference, id)?;
    let fault = sql::fault_of(tx, evidence.id)?;
    sql::delete(tx, evidence.id)?;
    tell(tx, actor, &case, fault, evidence.id, Kind::CaseEvidenceRemoved, &format!("removed ({reason}) from"))?;
    Ok(evidence)
}

fn reason_of(reason: &Printable) -> Result<Printable, Error> {
    let reason = Printable::new(reason.raw().trim());
    if (1..=LONGEST_REASON).contains(&reason.raw().chars().count()) { Ok(reason) } else { Err(Error::NoReason) }
}

/// What a piece of evidence shows.
#[derive(Debug)]
pub enum Content {
    File(EvidenceFile, Vec<u8>),
    Clip(EvidenceClip, Box<Recording>),
}

/// Tells that somebody looks at a recording, before anything of it is shown.
pub fn look(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, id: &str) -> Result<Evidence, Error> {
    let (_, evidence) = find(tx, &actor.scope(), reference, id)?;
    if let Some(clip) = &evidence.clip {
        // Under the actor's own scope: of another customer's session there is nothing to look at, whatever was released.
        sessions::look(tx, actor, clip.session, sessions::Look::Fetch)?;
    }
    Ok(evidence)
}

pub fn content(db: &Db<'_>, evidence: Evidence) -> Result<Content, Error> {
    match (evidence.kind, evidence.file, evidence.clip) {
        (EvidenceKind::Attachment, Some(file), _) => Ok(Content::File(file, sql::content(db, evidence.id)?)),
        (EvidenceKind::Clip, _, Some(clip)) => {
            let recording = clip::cut(db, &clip)?;
            Ok(Content::Clip(clip, Box::new(recording)))
        }
        (EvidenceKind::Attachment | EvidenceKind::Clip, _, _) => Err(Error::NotFound),
    }
}
