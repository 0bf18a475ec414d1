//! `lineman session verify`: does a recording hold, chunk by chunk, from the device's key on?

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use lineman_common::api::SessionState;
use lineman_common::id::SessionId;
use lineman_common::recording::{self, CUT, Flow, Recording, What};
use lineman_common::statement::device::openssh;
use lineman_common::statement::{Signed, sha256_hex, sig};
use serde_json::json;

use super::bundle::check::{Content, Paper, Proof, Roots, check as check_bundle};
use super::bundle::files::Files;
use super::bundle::{SCRIPT, copies};
use super::key::{self, Key, Lists};
use super::source::{Source, bundle, source};
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::keys;
use crate::output::{Cell, Sheet, Table, Tone, text, write_out};
use crate::trust::Trust;

/// Prove a recording: every chunk signed by the device, none changed, dropped, added or reordered
///
/// With a session's id, the recording comes from the centre, and the device's key from a statement that is checked under your own
/// signers or the published anchors. With files nothing but the files is needed; a bundle also proves who asked, and who consented.
/// Exit code 8 when something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman session verify ses_0123456789abcdef0123456789abcdef
  lineman session verify session.tar --vendor-root vendor-root --signers signers
  lineman session verify session.rec --host-key ne-1.pub
  lineman session verify session.rec --statement session.rec.statement --signers signers
  lineman session verify --script > verify.sh")]
pub struct Verify {
    /// Sessions' ids, bundles (tar files or folders), or files with raw recordings
    #[arg(required_unless_present = "script", value_name = "ID|FILE|DIR")]
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
    /// Believe the copies of vendor root and signers in the bundle: proves only that its parts fit each other
    #[arg(long, conflicts_with_all = ["signers", "vendor_root"])]
    copies: bool,
    /// Print the shell script that does the same with ssh-keygen and sha256sum
    #[arg(long, conflicts_with = "what")]
    script: bool,
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

impl Verify {
    pub async fn run(self, app: &App) -> Outcome {
        if self.script {
            return write_out(SCRIPT).map(|()| Exit::Done);
        }
        let mut worst = Exit::Done;
        for what in &self.what {
            match self.one(app, what).await {
                Ok(()) => {}
                Err(failure) if self.what.len() > 1 && failure.exit == Exit::CheckFailed => {
                    app.say(format!("{what}: {}", failure.text()));
                    worst = Exit::CheckFailed;
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(worst)
    }

    async fn one(&self, app: &App, what: &str) -> Result<(), Failure> {
        if !what.starts_with("ses_")
            && let Some(files) = bundle(what)?
        {
            return self.bundle(app, what, &files);
        }
        if self.copies {
            return Err(
                Failure::usage(format!("{what} is no bundle: it holds no copies of lists")).hint("name --vendor-root and --signers")
            );
        }
        let source = source(app, what).await?;
        let key = self.key(app, what, &source).await?;
        let recording = check(&source, &key)?;
        show(app, what, &recording, &key)?;
        self.against_consent(app, &source, &recording).await?;
        has_end(&source, &recording)
    }

    /// Offline: everything that counts is in the bundle, or in the verifier's own two lists.
    fn bundle(&self, app: &App, what: &str, files: &Files) -> Result<(), Failure> {
        if self.host_key.is_some() || self.statement.is_some() {
            return Err(Failure::usage("a bundle holds the device's statement itself").hint("leave out --host-key and --statement"));
        }
        let roots = self.roots(app, files)?;
        let proof = check_bundle(files, &roots)?;
        show_bundle(app, what, &proof)?;
        for note in copies::compare(files, &roots) {
            app.say(format!("note: {note}"));
        }
        if proof.papers.iter().any(|paper| paper.good.is_none()) {
            app.say("not everything could be checked here: name the carrier's list with --signers");
        }
        Ok(())
    }

    fn roots(&self, app: &App, files: &Files) -> Result<Roots, Failure> {
        if self.copies {
            app.say("warning: the copies in the bundle are believed, which proves only that its parts fit each other");
            return copies::roots(files);
        }
        let trust = Trust::open(&app.trust_folder()?, self.vendor_root.as_deref(), self.signers.as_deref())?;
        let signers = (self.signers.is_some() || trust.has_signers()).then(|| trust.signers_text()).transpose()?;
        Ok(Roots { vendor_root: trust.vendor_root, signers })
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
        // A statement counts if it held when the session began: a recording outlives the statement's own end.
        let at = recording::read_unverified(&source.text).map_or_else(|_| Timestamp::now(), |recording| recording.bind.started);
        let lists = Lists { signers: self.signers.clone(), vendor_root: self.vendor_root.clone() };
        key::vouched(app, &lists, &statement, at).await
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
fn content_cell(counted: &[(u32, Flow)], cut: bool) -> Cell {
    if cut {
        return Cell::toned("not complete: the agent was killed, and up to a second before that may be missing", Tone::Warn);
    }
    if counted.is_empty() {
        return text("complete");
    }
    let flows: Vec<_> = counted.iter().map(|(channel, flow)| format!("{} of channel {channel}", flow.name())).collect();
    Cell::toned(format!("not complete: only a beginning, the length and the hash of {}", flows.join(", ")), Tone::Warn)
}

/// Was the agent killed in the middle?
fn was_cut(notes: &[impl AsRef<str>]) -> bool {
    notes.iter().any(|note| note.as_ref() == CUT)
}

/// What the device remarked: how the session was contained, what it warned of.
fn notes(recording: &Recording) -> Vec<&str> {
    let notes = recording.events.iter().filter_map(|event| match &event.what {
        What::Note(note) => Some(note.as_str()),
        What::Open(_)
        | What::Bytes(..)
        | What::Resize { .. }
        | What::Sftp(_)
        | What::Truncated(_)
        | What::Total { .. }
        | What::Exit { .. }
        | What::Other(..) => None,
    });
    notes.collect()
}

fn show_bundle(app: &App, what: &str, proof: &Proof) -> Result<(), Failure> {
    let Proof { chain, bind, end, host_key, believed, content, papers } = proof;
    let Content { only_counted, notes } = content;
    let value = json!({
        "good": true, "content_complete": only_counted.is_empty() && !was_cut(notes), "what": what, "session": chain.session, "chunks": chain.chunks,
        "complete": true, "end": end, "head_sha256": chain.head_sha256, "bind": bind,
        "host_key": sig::fingerprint(host_key).to_string(), "believed": believed, "notes": notes,
        "papers": papers,
    });
    app.out.sheet(&value, |_| Sheet {
        fields: vec![
            ("result", Cell::toned("good", Tone::Good)),
            ("content", content_cell(only_counted, was_cut(notes))),
            ("session", text(chain.session)),
            ("device", text(&bind.device)),
            ("host key", text(sig::fingerprint(host_key))),
            ("believed because", text(believed)),
            ("engineer", text(format!("{} ({})", bind.engineer, bind.engineer_key))),
            ("grade", text(bind.grade)),
            ("account", text(&bind.account)),
            ("consent", text(bind.consent)),
            ("started", bind.started.into()),
            ("chunks", text(chain.chunks)),
            ("end", text(end)),
            ("head", text(&chain.head_sha256)),
            ("the device noted", text(notes.join("; "))),
        ],
        parts: vec![("papers", papers_table(papers))],
    })
}

fn papers_table(papers: &[Paper]) -> Table {
    let row = |paper: &Paper| {
        let result = match paper.good {
            Some(true) => Cell::toned("good", Tone::Good),
            Some(false) => Cell::toned("BAD", Tone::Bad),
            None => Cell::toned("not checked", Tone::Warn),
        };
        [text(&paper.what), result, text(&paper.by), text(&paper.key), text(&paper.text)]
    };
    Table::new(["what", "result", "signed by", "key", "says"], papers.iter().map(row))
}

fn show(app: &App, what: &str, recording: &Recording, key: &Key) -> Result<(), Failure> {
    let Recording { session, bind, chunks, end, head_sha256, .. } = recording;
    let end_text = end.map_or_else(|| format!("no end record: truncated after chunk {}", chunks.saturating_sub(1)), |end| end.to_string());
    let value = json!({
        "good": end.is_some(), "content_complete": recording.only_counted().is_empty() && !was_cut(&notes(recording)), "what": what, "session": session,
        "chunks": chunks, "complete": end.is_some(), "end": end, "head_sha256": head_sha256, "bind": bind,
        "host_key": sig::fingerprint(&key.key).to_string(), "believed": key.believed, "notes": notes(recording),
    });
    app.out.sheet(&value, |_| Sheet {
        fields: vec![
            ("result", if end.is_some() { Cell::toned("good", Tone::Good) } else { Cell::toned("no end record", Tone::Warn) }),
            ("content", content_cell(&recording.only_counted(), was_cut(&notes(recording)))),
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
            ("the device noted", text(notes(recording).join("; "))),
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
