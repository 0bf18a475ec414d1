//! `lineman case suggest`, `deflection`, `signals`, `evidence`: what is offered, what came of it, and what proves a case.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lineman_common::api::{
    Deflection, Evidence, LinkVerdict, NewClip, NewDeflection, NewEvidence, NewFile, OfferRecord, OpenDuplicate, Reason, SignalRetention,
    Suggestions, Typed,
};
use lineman_common::id::{AttachmentId, SessionId};
use lineman_common::name::{CustomerCode, FaultNumber, NeName};

use crate::client::Client;
use crate::commands::fault::hits_table;
use crate::commands::{App, Limit};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, text};

/// Show what fits a text: similar cases, and open faults that may be the same
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman case suggest 'fan 2 is loud' --equipment ne-1.jw.ne
  lineman case suggest --fault F-JW-1")]
pub struct Suggest {
    #[arg(required_unless_present = "fault", conflicts_with = "fault")]
    words: Vec<String>,
    #[arg(long, value_name = "NE", conflicts_with = "fault")]
    equipment: Option<NeName>,
    #[arg(long, value_name = "CODE", conflicts_with = "fault")]
    customer: Option<CustomerCode>,
    /// Of a fault that is filed
    #[arg(long, value_name = "FAULT")]
    fault: Option<String>,
}

impl Suggest {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let found = if let Some(fault) = &self.fault {
            client.similar(fault).await?
        } else {
            let equipment = self.equipment.as_ref().map(ToString::to_string);
            client.suggest(&Typed { text: self.words.join(" ").into(), equipment, customer: self.customer, limit: None }).await?
        };
        app.out.sheet(&found, suggestions_sheet)?;
        Ok(Exit::Done)
    }
}

fn suggestions_sheet(found: &Suggestions) -> Sheet {
    Sheet {
        fields: vec![("offer", text(found.offer))],
        parts: vec![("similar cases", hits_table(&found.items)), ("open faults that may be the same", duplicates_table(&found.duplicates))],
    }
}

pub fn duplicates_table(duplicates: &[OpenDuplicate]) -> Table {
    let row = |open: &OpenDuplicate| {
        let why: Vec<_> = open.why.iter().map(ToString::to_string).collect();
        [
            text(&open.number),
            Cell::Number(open.score),
            text(open.status),
            Cell::option(open.equipment.as_ref()),
            open.reported_at.into(),
            text(&open.title),
            text(why.join(", ")),
        ]
    };
    Table::new(["fault", "score", "status", "equipment", "reported", "title", "why"], duplicates.iter().map(row))
}

// ---- Deflections ----------------------------------------------------------------------------------------------------

/// Faults that were not filed, since a case solved them
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman case deflection record C-0042 --question 'fan 2 is loud' --equipment ne-1.jw.ne
  lineman case deflection list")]
pub enum Deflections {
    /// Record that a case solved it
    #[command(after_help = "Examples:\n  lineman case deflection record C-0042 --question 'fan 2 is loud'")]
    Record {
        case: String,
        #[arg(long, value_name = "TEXT")]
        question: String,
        #[arg(long, value_name = "NE")]
        equipment: Option<NeName>,
        /// Whose trouble it was, when no equipment is known
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
    },
    /// List them, newest first
    #[command(after_help = "Examples:\n  lineman case deflection list --limit 20")]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Take one back: the case did not solve it
    #[command(after_help = "Examples:\n  lineman case deflection undo C-0042 dfl_0123456789abcdef0123456789abcdef")]
    Undo { case: String, deflection: String },
}

impl Deflections {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let deflection = match self {
            Self::Record { case, question, equipment, customer } => {
                client.deflect(&case, &NewDeflection { question: question.into(), equipment, customer, offer: None }).await?
            }
            Self::List { limit } => {
                let all = limit.read(app, |page| async move { client.deflections(&page).await }).await?;
                app.out.list(&all, |all| deflections_table(all))?;
                return Ok(Exit::Done);
            }
            Self::Undo { case, deflection } => client.undo_deflection(&case, &deflection).await?,
        };
        app.out.row(&deflection, |all| deflections_table(all.iter().copied()))?;
        Ok(Exit::Done)
    }
}

fn deflections_table<'a>(all: impl IntoIterator<Item = &'a Deflection>) -> Table {
    let row = |deflection: &'a Deflection| {
        [
            text(deflection.id),
            text(deflection.case),
            Cell::option(deflection.customer.as_ref()),
            text(&deflection.by),
            deflection.at.into(),
            Cell::Time(deflection.undone_at),
            text(&deflection.question),
        ]
    };
    Table::new(["id", "case", "customer", "by", "at", "taken back", "question"], all.into_iter().map(row))
}

// ---- Signals --------------------------------------------------------------------------------------------------------

/// What was offered and what came of it: what ranking is fitted with
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman case signals export -o json > signals.json
  lineman case signals retention --months 6")]
pub enum Signals {
    /// Print all of it, oldest first (admin)
    #[command(after_help = "Examples:
  lineman case signals export -o json > signals.json
  lineman case signals export -o jsonl --limit 100000")]
    Export {
        #[command(flatten)]
        limit: Limit,
    },
    /// Show or set for how many months it is kept
    #[command(after_help = "Examples:
  lineman case signals retention
  lineman case signals retention --months 6")]
    Retention {
        #[arg(long, value_name = "N")]
        months: Option<u32>,
    },
}

impl Signals {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        match self {
            Self::Export { limit } => {
                let all = limit.read(app, |page| async move { client.signals(&page).await }).await?;
                app.out.list(&all, signals_table)?;
            }
            Self::Retention { months } => {
                let kept = match months {
                    Some(months) => client.put_signal_retention(SignalRetention { months }).await?,
                    None => client.signal_retention().await?,
                };
                app.out.row(&kept, |kept| Table::new(["months"], kept.iter().map(|kept| [text(kept.months)])))?;
            }
        }
        Ok(Exit::Done)
    }
}

/// What was shown, with a mark on what was opened (`*`) and cited (the verdict).
fn signals_table(all: &[OfferRecord]) -> Table {
    let row = |offer: &OfferRecord| {
        let shown = offer.shown.iter().map(|shown| {
            let cited = shown.cited.map(LinkVerdict::as_str).map(|verdict| format!("={verdict}")).unwrap_or_default();
            format!("{}{}{cited}", shown.case, if shown.opened { "*" } else { "" })
        });
        [
            text(offer.offer),
            offer.at.into(),
            text(offer.place),
            text(&offer.person),
            Cell::option(offer.customer.as_ref()),
            Cell::option(offer.fault.as_ref()),
            text(if offer.none_fits { "none fits" } else { "" }),
            text(shown.collect::<Vec<_>>().join(" ")),
            text(&offer.query),
        ]
    };
    Table::new(["offer", "at", "place", "person", "customer", "fault", "said", "shown", "query"], all.iter().map(row))
}

// ---- Evidence -------------------------------------------------------------------------------------------------------

/// What proves a case: files of faults, stretches of recordings
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman case evidence list C-0042
  lineman case evidence clip C-0042 --session ses_0123456789abcdef0123456789abcdef --from 12 --to 40.5")]
pub enum EvidenceCommand {
    /// List it
    #[command(after_help = "Examples:\n  lineman case evidence list C-0042")]
    List { case: String },
    /// Put a copy of a fault's file on a case
    #[command(
        after_help = "Examples:\n  lineman case evidence file C-0042 --fault F-JW-1 --attachment att_0123456789abcdef0123456789abcdef"
    )]
    File {
        case: String,
        #[arg(long)]
        fault: FaultNumber,
        #[arg(long)]
        attachment: AttachmentId,
        #[arg(long)]
        title: Option<String>,
    },
    /// Put a stretch of a recording on a case; times count from the session's start, in seconds
    #[command(after_help = "Examples:
  lineman case evidence clip C-0042 --session ses_0123456789abcdef0123456789abcdef --from 12 --to 40.5")]
    Clip {
        case: String,
        #[arg(long)]
        session: SessionId,
        #[arg(long, value_name = "SECONDS")]
        from: f64,
        #[arg(long, value_name = "SECONDS")]
        to: f64,
        /// Channel of the recording [default: its first terminal, else its first command]
        #[arg(long)]
        channel: Option<u32>,
        #[arg(long)]
        title: Option<String>,
    },
    /// Download it into a file, which must not exist yet; a clip is an asciicast
    #[command(after_help = "Examples:\n  lineman case evidence get C-0042 evd_0123456789abcdef0123456789abcdef --to fan.cast")]
    Get {
        case: String,
        evidence: String,
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Release it, after a look at it: a file to all who see the case, a clip to its own customer
    #[command(
        after_help = "Examples:\n  lineman case evidence release C-0042 evd_0123456789abcdef0123456789abcdef --reason 'shows no name or address'"
    )]
    Release {
        case: String,
        evidence: String,
        #[arg(long)]
        reason: String,
    },
    /// Take it off the case
    #[command(after_help = "Examples:\n  lineman case evidence remove C-0042 evd_0123456789abcdef0123456789abcdef --reason 'wrong file'")]
    Remove {
        case: String,
        evidence: String,
        #[arg(long)]
        reason: String,
    },
}

impl EvidenceCommand {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let one = match self {
            Self::List { case } => {
                let all = client.evidence(&case).await?.items;
                app.out.list(&all, |all| evidence_table(all))?;
                return Ok(Exit::Done);
            }
            Self::Get { case, evidence, to } => {
                let bytes = client.evidence_content(&case, &evidence).await?;
                let failed = |e: std::io::Error| Failure::failed(format!("can't write {}: {e}", to.display()));
                let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&to).map_err(failed)?;
                std::io::Write::write_all(&mut file, &bytes).map_err(failed)?;
                app.say(format!("{} bytes in {}", bytes.len(), to.display()));
                return Ok(Exit::Done);
            }
            Self::File { case, fault, attachment, title } => {
                let title = title.map(Into::into);
                client.add_evidence(&case, &NewEvidence::Attachment(NewFile { fault, attachment, title })).await?
            }
            Self::Clip { case, session, from, to, channel, title } => {
                let clip = NewClip { session, channel, from_s: from, to_s: to, title: title.map(Into::into) };
                client.add_evidence(&case, &NewEvidence::Clip(clip)).await?
            }
            Self::Release { case, evidence, reason } => {
                client.release_evidence(&case, &evidence, &Reason { reason: reason.into() }).await?
            }
            Self::Remove { case, evidence, reason } => client.remove_evidence(&case, &evidence, &Reason { reason: reason.into() }).await?,
        };
        app.out.row(&one, |all| evidence_table(all.iter().copied()))?;
        Ok(Exit::Done)
    }
}

fn evidence_table<'a>(all: impl IntoIterator<Item = &'a Evidence>) -> Table {
    let row = |evidence: &'a Evidence| {
        let what = match (&evidence.file, &evidence.clip) {
            (Some(file), _) => format!("{}, {} bytes", file.media_type, file.size_bytes),
            (None, Some(clip)) => format!("{} from {} s to {} s", clip.session, clip.from_s, clip.to_s),
            (None, None) => String::new(),
        };
        [
            text(evidence.id),
            text(evidence.kind),
            text(&evidence.title),
            text(what),
            Cell::option(evidence.fault.as_ref()),
            text(if evidence.released.is_some() { "released" } else { "internal" }),
            text(&evidence.by),
            evidence.at.into(),
        ]
    };
    Table::new(["id", "kind", "title", "what", "fault", "for", "by", "at"], all.into_iter().map(row))
}
