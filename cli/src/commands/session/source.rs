//! Where a recording comes from: the centre, a raw file, or a bundle.

use std::path::Path;

use lineman_common::api::RecordingReply;
use lineman_common::recording::{self, Recording};

use super::bundle::files::{Files, is_raw};
use crate::commands::App;
use crate::exit::{Exit, Failure};

/// A recording, with what it takes to believe it.
pub struct Source {
    pub text: String,
    /// From the centre: the session it is said to be, and the device's statement.
    pub reply: Option<RecordingReply>,
}

pub async fn source(app: &App, what: &str) -> Result<Source, Failure> {
    if what.starts_with("ses_") && !Path::new(what).exists() {
        let mut reply = app.client()?.recording(what).await?;
        return Ok(Source { text: std::mem::take(&mut reply.recording), reply: Some(reply) });
    }
    if let Some(files) = bundle(what)? {
        return Ok(Source { text: files.recording()?, reply: None });
    }
    let text = std::fs::read_to_string(what).map_err(|e| {
        Failure::new(Exit::NotFound, format!("can't read the recording {what}: {e}"))
            .hint("give a session's id (ses_...), or a file that `lineman session export --format raw` or `--format bundle` wrote")
    })?;
    Ok(Source { text, reply: None })
}

/// Opens a bundle; `None` when this is a raw recording, or nothing at all.
pub fn bundle(what: &str) -> Result<Option<Files>, Failure> {
    let path = Path::new(what);
    if !path.exists() || (path.is_file() && is_raw(path)) {
        return Ok(None);
    }
    Ok(Some(Files::open(path)?))
}

/// Reads a recording for showing. A broken chain stops nobody from looking, but it is an error.
pub fn readable(text: &str) -> Result<Recording, Failure> {
    recording::read_unverified(text).map_err(|broken| {
        Failure::new(Exit::CheckFailed, format!("the recording is broken: {broken}")).hint("lineman session verify names the place")
    })
}

/// The channel that is meant.
pub fn channel(recording: &Recording, asked: Option<u32>) -> Result<u32, Failure> {
    let number =
        asked.or_else(|| recording.main_channel()).ok_or_else(|| Failure::new(Exit::NotFound, "the recording holds no channel"))?;
    if recording.channels().any(|(known, _)| known == number) {
        return Ok(number);
    }
    let channels: Vec<_> = recording.channels().map(|(number, opened)| format!("{number} ({})", opened.door)).collect();
    Err(Failure::new(Exit::NotFound, format!("there is no channel {number}")).hint(format!("there is {}", channels.join(", "))))
}
