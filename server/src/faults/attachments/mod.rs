//! Files of faults.
//!
//! The bytes lie outside the database, in `attachments/` beside it, each under the SHA-256 of its content ([`files`]); a row is
//! committed only when they are on disk under that name. What no row names (a server was killed in between) is collected at the next
//! start. What a file is, is found in its content ([`sniff`]), never believed from whoever sent it; and it is always handed out as a
//! download that no browser shows or runs.
//!
//! An attachment can be internal, and then no carrier sees it, counts it, or is told of it. Support's people may delete one, with a
//! reason: the content goes, the event stays.

mod files;
pub mod http;
mod sniff;
mod sql;

use lineman_common::Printable;
use lineman_common::api::{Attachment, Fault};
use lineman_common::id::{AttachmentId, FaultId};
use serde_json::json;

use super::{LONGEST_TEXT, Reference, append, get, text_of};
use crate::events::{Kind, New};
use crate::store::{Db, Store, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

pub use files::{Files, Taken};

/// The largest file.
pub const LARGEST_BYTES: u64 = 20 * 1024 * 1024;
/// All files of one fault together.
const MOST_BYTES: u64 = 200 * 1024 * 1024;
const MOST_FILES: u32 = 500;
const LONGEST_NAME: usize = 200;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such attachment")]
    NotFound,
    #[error("the file is too large: {} MiB at most", LARGEST_BYTES >> 20)]
    TooLarge,
    #[error("the file is empty")]
    EmptyFile,
    #[error("the fault's files have no room for it: {} MiB together at most, and {MOST_FILES} files", MOST_BYTES >> 20)]
    NoRoom,
    #[error("the file could not be received")]
    CutOff,
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Faults(#[from] super::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        use lineman_common::error::ErrorCode;
        match error {
            Error::NotFound => Self::not_found("attachment"),
            Error::TooLarge => Self::new(ErrorCode::TooLarge, error.to_string()),
            Error::EmptyFile => Self::invalid(error.to_string()),
            Error::NoRoom => Self::conflict(error.to_string()).hint("delete what is not needed any more"),
            Error::CutOff => Self::new(ErrorCode::BadRequest, error.to_string()),
            Error::File(error) => Self::internal(format!("an attachment's file: {error}")),
            Error::Faults(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// What comes with a file.
#[derive(Clone, Debug)]
pub struct About {
    pub name: Printable,
    pub internal: bool,
}

/// A fault's files, and those of faults that were merged into it. The caller has found the fault under the scope.
pub fn of_fault(db: &Db<'_>, scope: &Scope, fault: FaultId) -> Result<Vec<Attachment>, StoreError> {
    sql::of_fault(db, scope, fault)
}

pub fn find(db: &Db<'_>, scope: &Scope, reference: &Reference, id: &str) -> Result<Attachment, Error> {
    let fault = get(db, scope, reference)?;
    let id: AttachmentId = id.parse().map_err(|_| Error::NotFound)?;
    sql::of_fault(db, scope, fault.id)?.into_iter().find(|attachment| attachment.id == id).ok_or(Error::NotFound)
}

/// Before the bytes are taken in: is there a fault, and room?
pub fn check(db: &Db<'_>, actor: &Actor, reference: &Reference, size_bytes: u64) -> Result<Fault, Error> {
    let fault = get(db, &actor.scope(), reference)?;
    if fault.status.is_over() {
        return Err(super::Error::IsOver(fault.number).into());
    }
    let (files, bytes) = sql::sum(db, fault.id)?;
    if files >= MOST_FILES || bytes.saturating_add(size_bytes) > MOST_BYTES {
        return Err(Error::NoRoom);
    }
    Ok(fault)
}

/// The bytes are on disk: gives them their name, and the fault its attachment.
pub fn add(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, about: &About, taken: Taken) -> Result<Attachment, Error> {
    text_of("name", &about.name, LONGEST_NAME)?;
    let fault = check(tx, actor, reference, taken.size_bytes)?;
    if taken.size_bytes == 0 {
        return Err(Error::EmptyFile);
    }
    let attachment = Attachment {
        id: AttachmentId::new(),
        fault: fault.number.clone(),
        name: about.name.clone(),
        size_bytes: taken.size_bytes,
        sha256: taken.sha256.clone(),
        media_type: sniff::media_type(&taken.head).to_owned(),
        internal: about.internal && actor.scope().sees_internal(),
        by: actor.to_string(),
        at: tx.now(),
    };
    taken.place()?;
    sql::insert(tx, fault.id, &attachment)?;
    let text = format!("attached {} ({} bytes, {})", attachment.name, attachment.size_bytes, attachment.media_type);
    let data =
        json!({"attachment": attachment.id, "name": attachment.name, "size_bytes": attachment.size_bytes, "sha256": attachment.sha256});
    append(tx, &fault, New::of(Kind::FaultAttachmentAdded, actor, text).internal(attachment.internal).data(data))?;
    Ok(attachment)
}

/// Takes a file away; the event says who and why.
pub fn delete(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, id: &str, reason: &Printable) -> Result<Attachment, Error> {
    text_of("reason", reason, LONGEST_TEXT)?;
    let attachment = find(tx, &actor.scope(), reference, id)?;
    sql::delete(tx, attachment.id)?;
    let fault = get(tx, &Scope::All, &Reference::Number(attachment.fault.clone()))?;
    let text = format!("deleted the attachment {}: {reason}", attachment.name);
    let event = New::of(Kind::FaultAttachmentDeleted, actor, text).internal(attachment.internal);
    append(tx, &fault, event.data(json!({"attachment": attachment.id, "sha256": attachment.sha256})))?;
    Ok(attachment)
}

/// Removes a content that no row names any more. On the writer's thread, like the naming of files: neither sees the other half done.
pub fn forget(tx: &Tx<'_>, files: &Files, sha256: &str) -> Result<(), Error> {
    if !sql::is_named(tx, sha256)? {
        files.remove(sha256)?;
    }
    Ok(())
}

/// At the start, before anybody is let in: what no row names goes.
pub async fn collect(store: &Store) -> Result<(), StoreError> {
    let files = Files::of(store);
    let named = store.read(sql::named).await?;
    let gone = files.collect(&named)?;
    if gone > 0 {
        tracing::info!(files = gone, "attachments that belong to nothing were removed");
    }
    Ok(())
}
