//! The life of a case: review, versions, owners, doubts, duplicates, links, feedback, translation, unanswered questions, health.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::api::{
    CaseField, CaseSettings, CaseVersion, Confirm, ConfirmTranslation, Flag, FlagKind, Gap, GapState, HandOver, HandOverMany, HandleGap,
    HealthBy, HealthFigure, HealthItem, Language, NewFeedback, Reason, Restoration, ReviewItem, SameAs, TranslateItem, Unlink,
};
use lineman_common::name::{CaseNumber, FaultNumber, PersonName};

use super::sides::{self, diff_table, diff_text};
use super::{cases_table, say_next};
use crate::client::{CaseFilter, Client, HealthQuery};
use crate::commands::{App, Limit, word};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Format, Table, Tone, text, write_out};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What waits for review, the longest first
    #[command(after_help = "Examples:
  lineman case reviews --mine
  lineman case reviews --product OLT -o json")]
    Reviews {
        /// Only what you may review: written by somebody else, and claimed by nobody else
        #[arg(long)]
        mine: bool,
        #[arg(long)]
        product: Option<String>,
        /// A name, or `me`
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Take a case on for review, so that nobody else does
    #[command(after_help = "Examples:\n  lineman case claim C-0042")]
    Claim {
        case: String,
    },
    /// Give a claimed case back into the review queue
    #[command(after_help = "Examples:\n  lineman case release C-0042")]
    Release {
        case: String,
    },
    /// Send a case that waits for review back to its author
    #[command(after_help = "Examples:\n  lineman case return C-0042 --reason 'which fan tray?'")]
    Return {
        case: String,
        #[arg(long)]
        reason: String,
    },
    /// Take a case out of the archive; it is reviewed again
    #[command(after_help = "Examples:\n  lineman case unarchive C-0042")]
    Unarchive {
        case: String,
    },
    /// List a case's versions, or show one
    #[command(after_help = "Examples:
  lineman case versions C-0042
  lineman case versions C-0042 --show 3")]
    Versions {
        case: String,
        /// Show what this version says
        #[arg(long, value_name = "VERSION")]
        show: Option<u32>,
        #[command(flatten)]
        limit: Limit,
    },
    /// What changed between two versions
    #[command(after_help = "Examples:
  lineman case diff C-0042
  lineman case diff C-0042 --from 1 --to 4 -o json")]
    Diff {
        case: String,
        /// The version before `--to` when absent
        #[arg(long, value_name = "VERSION")]
        from: Option<u32>,
        /// The newest when absent
        #[arg(long, value_name = "VERSION")]
        to: Option<u32>,
    },
    /// Bring an older version back as a new one: the undo of an edit
    #[command(after_help = "Examples:\n  lineman case restore C-0042 3 --note 'the new steps were for another model'")]
    Restore {
        case: String,
        version: u32,
        #[arg(long, default_value = "")]
        note: String,
    },
    Handover(Handover),
    /// Say that a case is wrong or outdated, and why
    #[command(after_help = "Examples:\n  lineman case doubt C-0042 --reason 'the menu is gone since 5.6'")]
    Doubt {
        case: String,
        #[arg(long)]
        reason: String,
    },
    /// Say that a published case is still true: answers all its doubts
    #[command(after_help = "Examples:\n  lineman case confirm C-0042 --note 'checked on 5.6'")]
    Confirm {
        case: String,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// The doubts about a case, and what was answered
    #[command(after_help = "Examples:\n  lineman case flags C-0042")]
    Flags {
        case: String,
    },
    /// Show or set after how many months without a confirmation a case is stale
    #[command(after_help = "Examples:
  lineman case settings
  lineman case settings --stale-after-months 6")]
    Settings {
        #[arg(long, value_name = "N")]
        stale_after_months: Option<u32>,
    },
    /// Say that a case is the same as another: its number answers with that one
    #[command(after_help = "Examples:\n  lineman case merge C-0042 --into C-0007")]
    Merge {
        case: String,
        #[arg(long, value_name = "CASE")]
        into: String,
    },
    /// The way back from a merge
    #[command(after_help = "Examples:\n  lineman case unmerge C-0042")]
    Unmerge {
        case: String,
    },
    /// The faults that a case was linked to
    #[command(after_help = "Examples:\n  lineman case links C-0042")]
    Links {
        case: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Take a link away that should not be there
    #[command(after_help = "Examples:\n  lineman case unlink C-0042 --fault F-JW-1 --reason 'meant F-JW-2'")]
    Unlink {
        case: String,
        #[arg(long)]
        fault: FaultNumber,
        #[arg(long)]
        reason: String,
    },
    /// Say whether a published case helped you, or read what others said
    #[command(after_help = "Examples:
  lineman case feedback C-0042 --yes
  lineman case feedback C-0042 --no --comment 'step 2 fails on 5.6'
  lineman case feedback C-0042")]
    Feedback {
        case: String,
        #[arg(long, conflicts_with = "no")]
        yes: bool,
        #[arg(long)]
        no: bool,
        #[arg(long, default_value = "")]
        comment: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Cases that lack a language, or where one may be older than the other
    #[command(after_help = "Examples:\n  lineman case to-translate --language en")]
    ToTranslate {
        #[arg(long, value_parser = word::<Language>(Language::WORDS))]
        language: Option<Language>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Say that one language says what the other one says
    #[command(after_help = "Examples:
  lineman case translated C-0042 --language en
  lineman case translated C-0042 --language zh --field steps")]
    Translated {
        case: String,
        #[arg(long, value_parser = word::<Language>(Language::WORDS))]
        language: Language,
        /// Only this field; may be given several times
        #[arg(long, value_parser = word::<CaseField>(CaseField::WORDS))]
        field: Vec<CaseField>,
    },
    /// Questions that the library did not answer, the most asked first
    #[command(after_help = "Examples:
  lineman case gaps
  lineman case gaps --state written --language zh")]
    Gaps {
        #[arg(long, value_parser = word::<GapState>(GapState::WORDS))]
        state: Option<GapState>,
        #[arg(long, value_parser = word::<Language>(Language::WORDS))]
        language: Option<Language>,
        #[arg(long)]
        product: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    Gap(GapArgs),
    Health(Health),
}

/// Give cases to another owner: one, or all of a product line or an owner
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman case handover C-0042 --to engineer-b
  lineman case handover --product OLT --to engineer-b
  lineman case handover --from engineer-a --to engineer-b --reason 'left the team'")]
pub struct Handover {
    #[arg(required_unless_present_any = ["product", "from"], conflicts_with_all = ["product", "from"])]
    case: Option<String>,
    /// All cases in use about this product line
    #[arg(long)]
    product: Option<String>,
    /// All cases in use of this owner
    #[arg(long, value_name = "NAME")]
    from: Option<PersonName>,
    #[arg(long, value_name = "NAME")]
    to: PersonName,
    #[arg(long, default_value = "")]
    reason: String,
}

/// Say what becomes of an unanswered question
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman case gap 17 --written C-0042
  lineman case gap 18 --not-worth --note 'not our equipment'
  lineman case gap 17 --open")]
pub struct GapArgs {
    gap: u32,
    #[command(flatten)]
    what: GapVerdict,
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct GapVerdict {
    /// This case answers it
    #[arg(long, value_name = "CASE")]
    written: Option<CaseNumber>,
    /// Nobody needs a case for it
    #[arg(long)]
    not_worth: bool,
    /// It waits for a case again
    #[arg(long)]
    open: bool,
}

/// The library's health: is what we know used, true, reviewed, and what people ask for?
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman case health
  lineman case health --by product --from 2026-10-01T00:00:00Z
  lineman case health never_reused --owner me
  lineman case health --definitions")]
pub struct Health {
    /// List what this figure counted
    #[arg(value_parser = word::<HealthFigure>(HealthFigure::WORDS))]
    figure: Option<HealthFigure>,
    /// A row for each
    #[arg(long, value_parser = word::<HealthBy>(HealthBy::WORDS), conflicts_with = "figure")]
    by: Option<HealthBy>,
    #[arg(long)]
    product: Option<String>,
    /// A name, or `me`
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// 90 days before `--until` when absent
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Now when absent
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Say what each figure means
    #[arg(long, conflicts_with_all = ["figure", "by"])]
    definitions: bool,
    #[command(flatten)]
    limit: Limit,
}

impl Command {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let case = match self {
            Self::Claim { case } => client.claim_case(&case).await?,
            Self::Release { case } => client.release_case(&case).await?,
            Self::Return { case, reason } => client.return_case(&case, &Reason { reason: reason.into() }).await?,
            Self::Unarchive { case } => client.unarchive_case(&case).await?,
            Self::Restore { case, version, note } => client.restore_case(&case, version, &Restoration { note: note.into() }).await?,
            Self::Doubt { case, reason } => client.doubt_case(&case, &Reason { reason: reason.into() }).await?,
            Self::Confirm { case, note } => client.confirm_case(&case, &Confirm { note: note.into() }).await?,
            Self::Merge { case, into } => client.merge_case(&case, &SameAs { into }).await?,
            Self::Unmerge { case } => client.unmerge_case(&case).await?,
            Self::Unlink { case, fault, reason } => client.unlink_case(&case, &Unlink { fault, reason: reason.into() }).await?,
            Self::Translated { case, language, field } => {
                client.case_translated(&case, &ConfirmTranslation { language, fields: field }).await?
            }
            Self::Handover(Handover { case: Some(case), to, reason, .. }) => {
                client.hand_case_over(&case, &HandOver { to, reason: reason.into() }).await?
            }
            list @ (Self::Reviews { .. }
            | Self::Versions { .. }
            | Self::Diff { .. }
            | Self::Handover(_)
            | Self::Flags { .. }
            | Self::Settings { .. }
            | Self::Links { .. }
            | Self::Feedback { .. }
            | Self::ToTranslate { .. }
            | Self::Gaps { .. }
            | Self::Gap(_)
            | Self::Health(_)) => return list.show(app, client).await,
        };
        app.out.row(&case, |cases| cases_table(cases.iter().copied()))?;
        say_next(app, &case);
        Ok(Exit::Done)
    }

    /// What answers with something else than the case.
    async fn show(self, app: &App, client: &Client) -> Outcome {
        match self {
            Self::Reviews { mine, product, owner, limit } => {
                let filter = &CaseFilter { owner, product, mine, ..CaseFilter::default() };
                let items = limit.read(app, |page| async move { client.reviews(filter, &page).await }).await?;
                app.out.list(&items, reviews_table)?;
            }
            Self::Versions { case, show: Some(version), .. } => {
                let version = client.case_version(&case, version).await?;
                app.out.sheet(&version, sides::version_sheet)?;
            }
            Self::Versions { case, show: None, limit } => {
                let case = &case;
                let items = limit.read(app, |page| async move { client.case_versions(case, &page).await }).await?;
                app.out.list(&items, versions_table)?;
            }
            Self::Diff { case, from, to } => {
                let diff = client.case_diff(&case, from, to).await?;
                if app.out.format == Format::Table {
                    write_out(&diff_text(&diff, app.out.colour))?;
                } else if app.out.is_json() {
                    app.out.row(&diff, |_| Table::default())?;
                } else {
                    write_out(&app.out.table(&diff_table(&diff)))?;
                }
            }
            Self::Handover(Handover { product, from, to, reason, .. }) => {
                let moved = client.hand_cases_over(&HandOverMany { product, from, to, reason: reason.into() }).await?;
                app.out.row(&moved, |moved| {
                    let cases = moved.iter().flat_map(|moved| moved.cases.iter().map(|case| [text(case), text(&moved.to)]));
                    Table::new(["case", "owner"], cases)
                })?;
            }
            Self::Flags { case } => app.out.list(&client.case_flags(&case).await?.items, flags_table)?,
            Self::Settings { stale_after_months } => {
                let settings = match stale_after_months {
                    Some(stale_after_months) => client.set_case_settings(&CaseSettings { stale_after_months }).await?,
                    None => client.case_settings().await?,
                };
                let row = |settings: &&CaseSettings| [text(settings.stale_after_months)];
                app.out.row(&settings, |settings| Table::new(["stale after months"], settings.iter().map(row)))?;
            }
            Self::Links { case, limit } => {
                let case = &case;
                let items = limit.read(app, |page| async move { client.case_links(case, &page).await }).await?;
                app.out.list(&items, sides::links_table)?;
            }
            Self::Feedback { case, yes, no, comment, limit } => {
                return feedback(app, client, &case, yes.then_some(true).or(no.then_some(false)), comment, &limit).await;
            }
            Self::ToTranslate { language, limit } => {
                let items = limit.read(app, |page| async move { client.to_translate(language, &page).await }).await?;
                app.out.list(&items, translate_table)?;
            }
            Self::Gaps { state, language, product, limit } => {
                let filter = &CaseFilter { product, language, ..CaseFilter::default() };
                let items = limit.read(app, |page| async move { client.gaps(state, filter, &page).await }).await?;
                app.out.list(&items, |gaps| gaps_table(gaps))?;
            }
            Self::Gap(GapArgs { gap, what, note }) => {
                let state = if what.written.is_some() {
                    GapState::Written
                } else if what.not_worth {
                    GapState::NotWorth
                } else {
                    GapState::Open
                };
                let gap = client.handle_gap(gap, &HandleGap { state, case: what.written, note: note.into() }).await?;
                app.out.row(&gap, |gaps| gaps_table(gaps.iter().copied()))?;
            }
            Self::Health(health) => return health.run(app, client).await,
            Self::Claim { .. }
            | Self::Release { .. }
            | Self::Return { .. }
            | Self::Unarchive { .. }
            | Self::Restore { .. }
            | Self::Doubt { .. }
            | Self::Confirm { .. }
            | Self::Merge { .. }
            | Self::Unmerge { .. }
            | Self::Unlink { .. }
            | Self::Translated { .. } => {}
        }
        Ok(Exit::Done)
    }
}

async fn feedback(app: &App, client: &Client, case: &str, helpful: Option<bool>, comment: String, limit: &Limit) -> Outcome {
    match helpful {
        Some(helpful) => {
            let said = client.give_feedback(case, &NewFeedback { helpful, comment: comment.into() }).await?;
            app.out.row(&said, |said| sides::feedback_table(said.iter().copied()))?;
        }
        None if !comment.is_empty() => return Err(Failure::usage("a comment goes with --yes or --no")),
        None => {
            let items = limit.read(app, |page| async move { client.case_feedback(case, &page).await }).await?;
            app.out.list(&items, |items| sides::feedback_table(items))?;
        }
    }
    Ok(Exit::Done)
}

impl Health {
    async fn run(self, app: &App, client: &Client) -> Outcome {
        let query = &HealthQuery { from: self.from, until: self.until, by: self.by, product: self.product, owner: self.owner };
        if let Some(figure) = self.figure {
            let items = self.limit.read(app, |page| async move { client.behind_case_health(figure, query, &page).await }).await?;
            app.out.list(&items, behind_table)?;
            return Ok(Exit::Done);
        }
        let health = client.case_health(query).await?;
        if self.definitions {
            app.out.list(&health.definitions, sides::definitions_table)?;
        } else {
            app.out.row(&health, |health| sides::health_table(health.iter().copied()))?;
            app.say("what is behind a figure: lineman case health FIGURE; what they mean: --definitions");
        }
        Ok(Exit::Done)
    }
}

fn reviews_table(items: &[ReviewItem]) -> Table {
    let row = |item: &ReviewItem| {
        [
            text(item.number),
            Cell::Seconds(Some(item.waits_s)),
            text(item.review.why),
            Cell::option(item.review.claimed_by.as_ref()),
            if item.may_review { Cell::toned("yes", Tone::Good) } else { text("no") },
            text(if item.fits { "yes" } else { "" }),
            text(&item.editor),
            text(&item.owner),
            text(&item.title),
        ]
    };
    Table::new(["case", "waits", "why", "claimed by", "you may", "your skill", "written by", "owner", "title"], items.iter().map(row))
}

fn versions_table(items: &[CaseVersion]) -> Table {
    let row = |version: &CaseVersion| {
        let restores = version.restores.map(|restores| format!("as version {restores}"));
        [text(version.version), text(&version.editor), version.at.into(), Cell::option(restores), text(&version.note)]
    };
    Table::new(["version", "by", "at", "restored", "note"], items.iter().map(row))
}

fn flags_table(items: &[Flag]) -> Table {
    let row = |flag: &Flag| {
        [
            text(flag.id),
            Cell::toned(flag.kind, if flag.closed_at.is_none() { flag_tone(flag.kind) } else { Tone::Dim }),
            text(&flag.by),
            flag.at.into(),
            text(flag.version),
            text(&flag.reason),
            Cell::option(flag.closed_by.as_ref()),
            Cell::option(flag.answer.as_ref()),
        ]
    };
    Table::new(["id", "kind", "by", "at", "version", "reason", "answered by", "answer"], items.iter().map(row))
}

pub const fn flag_tone(kind: FlagKind) -> Tone {
    match kind {
        FlagKind::Unconfirmed | FlagKind::Superseded => Tone::Warn,
        FlagKind::Reader | FlagKind::WrongLink => Tone::Bad,
    }
}

fn translate_table(items: &[TranslateItem]) -> Table {
    let row = |item: &TranslateItem| {
        let fields = item.fields.iter().map(|field| format!("{} {} {}", field.language, field.field, field.why));
        [
            text(item.number),
            text(item.state),
            text(&item.owner),
            item.updated_at.into(),
            text(fields.collect::<Vec<_>>().join(", ")),
            text(&item.title),
        ]
    };
    Table::new(["case", "state", "owner", "updated", "to translate", "title"], items.iter().map(row))
}

fn gaps_table<'a>(items: impl IntoIterator<Item = &'a Gap>) -> Table {
    let row = |gap: &Gap| {
        [
            text(gap.id),
            text(gap.count),
            text(gap.none_fits),
            text(gap.language),
            text(&gap.product),
            gap.last_at.into(),
            text(gap.state),
            Cell::option(gap.case.as_ref()),
            text(&gap.text),
        ]
    };
    Table::new(["id", "asked", "none fits", "language", "product", "last", "state", "case", "question"], items.into_iter().map(row))
}

fn behind_table(items: &[HealthItem]) -> Table {
    let row = |item: &HealthItem| {
        let case = item.case.map(|case| case.to_string());
        let what = case.or_else(|| item.fault.as_ref().map(ToString::to_string)).or_else(|| item.gap.map(|gap| format!("question {gap}")));
        [Cell::option(what), Cell::Number(item.value), Cell::Time(item.at), text(&item.title)]
    };
    Table::new(["what", "value", "at", "title"], items.iter().map(row))
}
