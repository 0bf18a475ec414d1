//! How sessions are shown: as a list, and one of them with all that is known.

use jiff::Timestamp;
use lineman_common::api::{ConsentView, Session, SessionState};
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::{Consent, LocalStatement, Signed, Standing};
use serde::Serialize;

use super::bundle::Grant;
use crate::commands::App;
use crate::commands::consent::class_of;
use crate::exit::Failure;
use crate::output::{Cell, Sheet, Table, Tone, span, text};

pub fn sessions_table<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Table {
    let row = |session: &'a Session| {
        let lasted = session.ended_at.map(|end| end.duration_since(session.started_at).as_secs());
        let ended = session.end_reason.map(|reason| reason.to_string()).unwrap_or_default();
        let chunks = match session.chunks {
            Some(all) if all != session.chunks_stored => Cell::toned(format!("{}/{all}", session.chunks_stored), Tone::Warn),
            _ => text(session.chunks_stored),
        };
        [
            text(session.id),
            state(session.state),
            text(&session.fault),
            text(&session.device),
            text(&session.engineer),
            text(&session.account),
            session.started_at.into(),
            Cell::Seconds(lasted.and_then(|lasted| u64::try_from(lasted).ok())),
            text(ended),
            chunks,
        ]
    };
    let head = ["id", "state", "fault", "device", "engineer", "account", "started", "lasted", "ended by", "chunks"];
    Table::new(head, sessions.into_iter().map(row))
}

fn state(state: SessionState) -> Cell {
    Cell::toned(state, if state == SessionState::Live { Tone::Warn } else { Tone::Dim })
}

/// A session, and what let the engineer in.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    session: &'a Session,
    #[serde(skip_serializing_if = "Option::is_none")]
    way_in: Option<WayIn>,
}

/// Of the consent, what somebody asks who looks at a session.
#[derive(Serialize)]
struct WayIn {
    grade: Option<Grade>,
    doors: Option<Doors>,
    duration_s: Option<u32>,
    approvals_needed: u8,
    /// Who signed, and what kind of paper it is: `consent`, `standing`, `local`.
    signed: Vec<SignedBy>,
}

#[derive(Serialize)]
struct SignedBy {
    kind: &'static str,
    by: String,
    issued: Option<Timestamp>,
    text: String,
}

pub async fn run(app: &App, id: &str) -> Result<(), Failure> {
    let client = app.client()?;
    let session = client.session(id).await?;
    // Whoever may not see the consent still sees the session.
    let way_in = client.consent(&session.consent.to_string()).await.ok().map(|view| WayIn::of(&view));
    app.out.sheet(&Shown { session: &session, way_in }, sheet)
}

impl WayIn {
    fn of(view: &ConsentView) -> Self {
        let signed = view.consents.iter().chain(&view.local).map(SignedBy::of).collect();
        Self { grade: view.grade, doors: view.doors.clone(), duration_s: view.duration_s, approvals_needed: view.approvals_needed, signed }
    }
}

impl SignedBy {
    fn of(signed: &Signed) -> Self {
        let unknown = |kind| Self { kind, by: String::new(), issued: None, text: "it can't be read".to_owned() };
        match Grant::of(&signed.text) {
            Some(Grant::Consent) => Consent::read_unverified(signed).map_or_else(
                |_| unknown("consent"),
                |consent| Self {
                    kind: "consent",
                    by: consent.approver.to_string(),
                    issued: Some(consent.issued),
                    text: class_of(signed).remarked(&format!("{} for {}", consent.doors, span(consent.duration_s.into()))),
                },
            ),
            Some(Grant::Standing) => Standing::read_unverified(signed).map_or_else(
                |_| unknown("standing"),
                |standing| Self {
                    kind: "standing",
                    by: standing.approver.to_string(),
                    issued: Some(standing.issued),
                    text: format!(
                        "{} on {}, level {} and up, until {}",
                        standing.doors, standing.devices, standing.level, standing.valid_before
                    ),
                },
            ),
            Some(Grant::Local) => LocalStatement::read_unverified(signed).map_or_else(
                |_| unknown("local"),
                |local| Self {
                    kind: "local",
                    by: local.by,
                    issued: Some(local.at),
                    text: "approved on the device itself, without a signature of the carrier".to_owned(),
                },
            ),
            None => unknown("unknown"),
        }
    }
}

/// What a gateway could have done has to be seen wherever such a session is shown.
fn grade_cell(grade: Grade) -> Cell {
    match grade {
        Grade::EndToEnd => text(grade),
        Grade::Role => Cell::toned("role (a standing permission)", Tone::Warn),
        Grade::Gateway => Cell::toned("gateway (the support centre could act in it)", Tone::Warn),
    }
}

fn several(values: &[String]) -> Cell {
    text(values.join("; "))
}

fn sheet(shown: &Shown<'_>) -> Sheet {
    let Shown { session, way_in } = shown;
    let mut fields = vec![
        ("id", text(session.id)),
        ("state", state(session.state)),
        ("fault", text(&session.fault)),
        ("consent", text(session.consent)),
        ("device", text(&session.device)),
        ("engineer", text(&session.engineer)),
        ("account", text(&session.account)),
    ];
    if let Some(way_in) = way_in {
        fields.extend(way_in.grade.map(|grade| ("grade", grade_cell(grade))));
        fields.extend([("doors", Cell::option(way_in.doors.as_ref())), ("allowed for", Cell::Seconds(way_in.duration_s.map(u64::from)))]);
    }
    fields.extend([
        ("started at", session.started_at.into()),
        ("first byte at", Cell::Time(session.first_byte_at)),
        ("ended at", Cell::Time(session.ended_at)),
        ("ended by", Cell::option(session.end_reason)),
        ("chunks stored", text(session.chunks_stored)),
        ("chunks in all", Cell::option(session.chunks)),
    ]);
    if let Some(summary) = &session.summary {
        let left = &summary.leftovers;
        fields.extend([
            ("channels", text(summary.channels)),
            ("commands", several(&summary.commands)),
            ("files", several(&summary.files)),
            ("forwards", several(&summary.forwards)),
            ("bytes to engineer", text(summary.output_bytes)),
            ("bytes from engineer", text(summary.input_bytes)),
            ("left behind", if left.is_empty() { text("nothing") } else { Cell::toned(left.join("; "), Tone::Bad) }),
        ]);
    }
    let parts = way_in.iter().map(|way_in| ("let in by (as signed; `session verify` proves it)", grants(way_in))).collect();
    Sheet { fields, parts }
}

fn grants(way_in: &WayIn) -> Table {
    let row = |signed: &SignedBy| {
        let kind = if signed.kind == "local" { Cell::toned(signed.kind, Tone::Bad) } else { text(signed.kind) };
        [kind, text(&signed.by), Cell::Time(signed.issued), text(&signed.text)]
    };
    Table::new(["paper", "by", "issued", "says"], way_in.signed.iter().map(row))
}
