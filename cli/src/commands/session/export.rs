//! `lineman session export`: a recording as a file, for players, readers, and those who must be convinced.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Args;
use lineman_common::printable::escape;
use lineman_common::recording::{Recording, transcript};

use super::bundle::check::{Roots, check};
use super::bundle::files::Files;
use super::bundle::papers::Papers;
use super::bundle::write::{Folder, Tar, write};
use super::source::{Source, channel, readable, source};
use super::{moment, verify};
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::write_bytes;
use crate::trust::Trust;

/// Write a recording to a file
///
/// `cast2` and `cast3` are asciicast files, which stock players read; `txt` is what was printed, line by line with its time; `raw` is
/// the recording as the device signed it, with the device's statement beside it. `bundle` is one tar file with the recording and
/// every signed paper behind it, which proves itself to anyone who holds the vendor's root and the carrier's signers: with `lineman
/// session verify`, or with the shell script in it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman session export ses_0123456789abcdef0123456789abcdef -O session.cast
  lineman session export ses_0123456789abcdef0123456789abcdef --format bundle -O session.tar
  lineman session export ses_0123456789abcdef0123456789abcdef --format bundle --dir session
  lineman session export ses_0123456789abcdef0123456789abcdef --format raw -O session.rec
  lineman session export ses_0123456789abcdef0123456789abcdef --format txt | less")]
pub struct Export {
    /// A session's id; or a file with a raw recording or a bundle
    #[arg(value_name = "ID|FILE")]
    session: String,
    #[arg(long, default_value = "cast2", value_parser = ["cast2", "cast3", "txt", "raw", "bundle"])]
    format: String,
    /// Which channel [default: the first terminal, else the first command; for txt: all]
    #[arg(long, value_name = "N")]
    channel: Option<u32>,
    /// The file to write (as -o does here) [default: stdout]
    #[arg(short = 'O', long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A bundle as plain files in this folder, instead of a tar file
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    dir: Option<PathBuf>,
}

impl Export {
    pub async fn run(self, app: &App) -> Outcome {
        if self.format == "bundle" {
            return self.bundle(app).await;
        }
        if self.dir.is_some() {
            return Err(Failure::usage("--dir is for --format bundle: the other formats are one file").hint("name it with -O FILE"));
        }
        let source = source(app, &self.session).await?;
        let text = match self.format.as_str() {
            "raw" => source.text.clone(),
            "txt" => {
                let recording = readable(&source.text)?;
                let only = self.channel.map(|number| channel(&recording, Some(number))).transpose()?;
                text(&recording, only)
            }
            format => {
                let recording = readable(&source.text)?;
                let channel = channel(&recording, self.channel)?;
                if format == "cast3" { recording.asciicast_v3(channel) } else { recording.asciicast_v2(channel) }
            }
        };
        let Some(file) = self.target(app)? else {
            write_bytes(text.as_bytes())?;
            return Ok(Exit::Done);
        };
        save(&file, &text)?;
        if let (Some(reply), "raw") = (&source.reply, self.format.as_str()) {
            let (statement, signature) = verify::statement_files(&file);
            save(&statement, &reply.device_statement.text)?;
            save(&signature, &reply.device_statement.signature)?;
            app.say(format!("the device's statement is in {}. next: lineman session verify {}", statement.display(), file.display()));
        }
        app.say(format!("{} bytes in {}", text.len(), file.display()));
        Ok(Exit::Done)
    }

    /// The file that was named, with `-O` or with `-o`.
    fn target(&self, app: &App) -> Result<Option<PathBuf>, Failure> {
        match (&self.file, &app.global.output) {
            (Some(_), Some(_)) => Err(Failure::usage("-O and -o both name the file to write: give one")),
            (Some(file), None) => Ok(Some(file.clone())),
            (None, other) => Ok(other.as_ref().map(PathBuf::from)),
        }
    }

    async fn bundle(&self, app: &App) -> Outcome {
        let Source { text, reply } = source(app, &self.session).await?;
        let reply = reply.ok_or_else(|| {
            Failure::usage(format!("{} is a file: the papers of a bundle come from the centre", self.session))
                .hint("name the session: lineman session export ses_... --format bundle")
        })?;
        let recording = readable(&text)?;
        let trust = app.trust_folder().ok().and_then(|folder| Trust::open(&folder, None, None).ok());
        let papers = Papers::fetch(&app.client()?, trust.as_ref(), &reply, &recording.bind).await?;
        let place = if let Some(folder) = &self.dir {
            write(&text, &papers, &mut Folder::new(folder)?)?;
            Some(folder.clone())
        } else {
            let file = self.target(app)?;
            tar(file.as_deref(), &text, &papers, &recording)?;
            file
        };
        for lack in &papers.lacks {
            app.say(format!("warning: {lack}"));
        }
        if let Some(place) = place {
            app.say(format!("{} chunks and their papers in {1}. next: lineman session verify {1}", recording.chunks, place.display()));
            if let Some(why) = trust.and_then(|trust| does_not_hold(&place, trust)) {
                app.say(format!("warning: it proves nothing yet: {why}"));
            }
        }
        Ok(Exit::Done)
    }
}

fn tar(file: Option<&Path>, text: &str, papers: &Papers, recording: &Recording) -> Result<(), Failure> {
    let (session, at) = (recording.session, recording.bind.started);
    let failed = |e: std::io::Error| Failure::failed(format!("can't write the bundle: {e}"));
    if let Some(file) = file {
        let target = std::fs::File::create(file).map_err(|e| Failure::failed(format!("can't write {}: {e}", file.display())))?;
        let mut tar = Tar::new(std::io::BufWriter::new(target), session, at);
        write(text, papers, &mut tar)?;
        return tar.finish().map_err(failed);
    }
    if std::io::stdout().is_terminal() {
        return Err(Failure::usage("a tar file is not for a terminal").hint("-O session.tar, or --dir FOLDER"));
    }
    let mut tar = Tar::new(Vec::new(), session, at);
    write(text, papers, &mut tar)?;
    write_bytes(&tar.into_bytes().map_err(failed)?)
}

/// Would whoever gets the bundle believe it, with the lists of this machine? Better known now than there.
fn does_not_hold(place: &Path, trust: Trust) -> Option<String> {
    let signers = trust.has_signers().then(|| trust.signers_text().ok()).flatten();
    let checked =
        Files::open(place).map_err(Failure::from).and_then(|files| check(&files, &Roots { vendor_root: trust.vendor_root, signers }));
    checked.err().map(|failure| failure.what)
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| Failure::failed(format!("can't write {}: {e}", path.display())))
}

/// The transcript with times; of several channels each line says whose it is.
fn text(recording: &Recording, only: Option<u32>) -> String {
    let several = only.is_none() && recording.channels().count() > 1;
    let lines = transcript::of(recording).into_iter().filter(|line| only.is_none_or(|only| line.channel == only));
    let line = |line: transcript::Line| {
        let channel = if several { format!("#{} ", line.channel) } else { String::new() };
        format!("{}  {channel}{}\n", moment::shown(line.seconds), escape(&line.text))
    };
    lines.map(line).collect()
}
