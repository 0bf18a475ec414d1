//! `lineman session verify`: does a recording hold, chunk by chunk, from the device's key on?

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use lineman_common::api::SessionState;
use lineman_common::id::SessionId;
use lineman_common::recording::{self, Recording};
use lineman_common::statement::device::openssh;
use lineman_common::statement::{DeviceStatement, Signed, sha256_hex, sig};
use serde_json::json;
use ssh_key::PublicKey;

use super::{Source, source};
use crate::client::Client;
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::keys;
use crate::output::{Cell, Sheet, Tone, text};
use crate::trust::Trust;

/// Prove a recording: every chunk signed by the device, none changed, dropped, added or reordered
///
/// With a session's id, the recording comes from the centre, and the device's key from a statement that is checked under your own
/// signers or the published anchors. With files nothing but the files is needed. Exit code 8 when something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman session verify ses_0123456789abcdef0123456789abcdef
  lineman session verify session.rec --host-key ne-1.pub
  lineman session verify session.rec --statement session.rec.statement --signers signers")]
pub struct Verify {
    /// Sessions' ids, or files with raw recordings
    #[arg(required = true, value_name = "ID|FILE")]
    what: Vec<String>,
    /// The device's public host key, if you have it from elsewhere
    #[arg(long, value_name = "FILE", conflicts_with = "statement")]
    host_key: Option<PathBuf>,
    /// The device's statement (its signature in FILE.sig) [default: FILE.statement beside the recording]
    #[arg(long, value_name = "FILE")]
    statement: Option<PathBuf>,
    /// Your signers file [default: `signers` in the trust directory]
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
    /// Your vendor root [default: `vendor-root` in the trust directory]
    #[arg(long, value_name = "FILE")]
    vendor_root: Option<PathBuf>,
}

/// Where `export --format raw` puts the statement and its signature.
pub fn statement_files(recording: &Path) -> (PathBuf, PathBuf) {
    let with = |suffix: &str| {
        let mut name = recording.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    (with(".statement"), with(".statement.sig"))
}

/// The key that must have signed, and why it is believed.
struct Key {
    key: PublicKey,
    believed: String,
}

impl Verify {
    pub async fn run(self, app: &App) -> Outcome {
        let mut worst = Exit::Done;
        for what in &self.what {
            let source = source(app, what).await?;
            let result = match self.key(app, what, &source).await {
                Ok(key) => match check(&source, &key) {
                    Ok(recording) => {
                        show(app, what, &recording, &key)?;
                        match self.against_consent(app, &source, &recording).await {
                            Ok(()) => has_end(&source, &recording),
                            wrong => wrong,
                        }
                    }
                    Err(why) => Err(why),
                },
                Err(failure) if failure.exit == Exit::CheckFailed => Err(failure),
                Err(failure) => return Err(failure),
            };
            if let Err(failure) = result {
                if self.what.len() == 1 {
                    return Err(failure);
                }
                app.say(format!("{what}: {}", failure.text()));
                worst = Exit::CheckFailed;
            }
        }
        Ok(worst)
    }

    async fn key(&self, app: &App, what: &str, source: &Source) -> Result<Key, Failure> {
        if let Some(path) = &self.host_key {
            let key = keys::public_key(path)?;
            return Ok(Key { believed: format!("named on the command line ({})", path.display()), key });
        }
        let statement = match (&self.statement, &source.reply) {
            (Some(path), _) => read_statement(path)?,
            (None, Some(reply)) => reply.device_statement.clone(),
            (None, None) => {
                let (path, _) = statement_files(Path::new(what));
                if !path.is_file() {
                    return Err(Failure::usage("which key the device has is not known").hint("add --host-key FILE or --statement FILE"));
                }
                read_statement(&path)?
            }
        };
        let device = DeviceStatement::read_unverified(&statement.text)?.device;
        // A statement counts if it held when the session began: a recording outlives the statement's own end.
        let at = recording::read_unverified(&source.text).map_or_else(|_| Timestamp::now(), |recording| recording.bind.started);
        let settings = app.settings();
        let folder = app.trust_folder()?;
        let vouchers = if let Some(path) = &self.signers {
            let text = std::fs::read_to_string(path).map_err(|e| Failure::failed(format!("can't read {}: {e}", path.display())))?;
            lineman_common::statement::CarrierSigners::parse(&text, &device.customer)?.list().clone()
        } else {
            let trust = Trust::open(&folder, self.vendor_root.as_deref(), None)?;
            // The anchors are asked for only where the carrier's own list isn't here: then the server is needed.
            let anchors = match (&settings, trust.has_signers()) {
                (Ok(settings), false) => Client::new(&settings.connect()?)?.trust(device.customer.as_str()).await?.anchors,
                _ => None,
            };
            trust.vouchers(&device.customer, anchors.as_ref(), at)?
        };
        let statement = DeviceStatement::verify(&statement, &vouchers, at)?;
        Ok(Key { believed: format!("{} vouches for {}", statement.vouched_by, statement.device), key: statement.host_key })
    }

    /// Online: the recording must be the session's, and of the consent whose papers the centre shows.
    async fn against_consent(&self, app: &App, source: &Source, recording: &Recording) -> Result<(), Failure> {
        let Some(reply) = &source.reply else { return Ok(()) };
        let wrong = |why: String| Failure::new(Exit::CheckFailed, why);
        let session: SessionId = reply.session.id;
        if recording.session != session || recording.bind.consent != reply.session.consent {
            return Err(wrong(format!("it is the recording of {}, not of {session}", recording.session)));
        }
        let consent = app.client()?.consent(&recording.bind.consent.to_string()).await?;
        let other = |what: &str| wrong(format!("the recording is bound to another {what} than the centre shows"));
        if consent.request.as_ref().is_some_and(|request| sha256_hex(&request.text) != recording.bind.request_sha256) {
            return Err(other("request"));
        }
        let shown: Vec<_> = consent.consents.iter().chain(&consent.local).map(|signed| sha256_hex(&signed.text)).collect();
        if recording.bind.consents_sha256.iter().any(|bound| !shown.contains(bound)) {
            return Err(other("consent"));
        }
        match reply.session.chunks {
            Some(chunks) if chunks != recording.chunks => {
                Err(wrong(format!("the device wrote {chunks} chunks, the centre has {}", recording.chunks))
                    .hint("the rest may still be on its way"))
            }
            _ => Ok(()),
        }
    }
}

/// Only a session that still goes on may lack its end record: from any other, chunks were taken away.
fn has_end(source: &Source, recording: &Recording) -> Result<(), Failure> {
    let live = source.reply.as_ref().is_some_and(|reply| reply.session.state == SessionState::Live);
    if recording.end.is_some() || live {
        return Ok(());
    }
    let last = recording.chunks.saturating_sub(1);
    Err(Failure::new(Exit::CheckFailed, format!("the recording is truncated: it ends after chunk {last}, without an end record")))
}

/// What the recording holds in full, and what it only counted.
fn content(recording: &Recording) -> String {
    let counted = recording.only_counted();
    if counted.is_empty() {
        return "complete".to_owned();
    }
    let flows = counted.iter().map(|(channel, flow)| format!("{} of channel {channel}", flow.name()));
    format!("not complete: only a beginning, the length and the hash of {}", flows.collect::<Vec<_>>().join(", "))
}

fn show(app: &App, what: &str, recording: &Recording, key: &Key) -> Result<(), Failure> {
    let Recording { session, bind, chunks, end, head_sha256, .. } = recording;
    let end_text = end.map_or_else(|| format!("no end record: truncated after chunk {}", chunks.saturating_sub(1)), |end| end.to_string());
    let value = json!({
        "good": end.is_some(), "content_complete": recording.only_counted().is_empty(), "what": what, "session": session, "chunks": chunks, "complete": end.is_some(), "end": end, "head_sha256": head_sha256,
        "bind": bind, "host_key": sig::fingerprint(&key.key).to_string(), "believed": key.believed,
    });
    app.out.sheet(&value, |_| Sheet {
        fields: vec![
            ("result", if end.is_some() { Cell::toned("good", Tone::Good) } else { Cell::toned("no end record", Tone::Warn) }),
            ("content", Cell::toned(content(recording), if recording.only_counted().is_empty() { Tone::Plain } else { Tone::Warn })),
            ("session", text(session)),
            ("device", text(&bind.device)),
            ("host key", text(sig::fingerprint(&key.key))),
            ("believed because", text(&key.believed)),
            ("engineer", text(format!("{} ({})", bind.engineer, bind.engineer_key))),
            ("account", text(&bind.account)),
            ("consent", text(bind.consent)),
            ("started", bind.started.into()),
            ("chunks", text(chunks)),
            ("end", Cell::toned(end_text, if end.is_some() { Tone::Plain } else { Tone::Warn })),
            ("head", text(head_sha256)),
        ],
        parts: Vec::new(),
    })
}

fn read_statement(path: &Path) -> Result<Signed, Failure> {
    let mut signature = path.as_os_str().to_owned();
    signature.push(".sig");
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| Failure::failed(format!("can't read {}: {e}", path.display())));
    Ok(Signed { text: read(path)?, signature: read(Path::new(&signature))? })
}

/// The chain, the signatures, and that the recording names the key that signed it.
fn check(source: &Source, key: &Key) -> Result<Recording, Failure> {
    let recording = recording::verify(&source.text, &key.key)
        .map_err(|broken| Failure::new(Exit::CheckFailed, format!("the recording is broken at {broken}")))?;
    let fingerprint = sig::fingerprint(&key.key).to_string();
    if recording.bind.host_key != fingerprint && recording.bind.host_key != openssh(&key.key) {
        return Err(Failure::new(
            Exit::CheckFailed,
            format!("the recording is bound to the host key {}, but {fingerprint} signed it", recording.bind.host_key),
        ));
    }
    Ok(recording)
}
