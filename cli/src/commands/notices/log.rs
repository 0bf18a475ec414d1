//! The delivery log, and sending again.

use clap::Args;
use jiff::Timestamp;
use lineman_common::api::{NoticePage, NoticeRepeat, NoticeView, Replay as Wanted};
use lineman_common::id::TargetId;
use lineman_common::notice::Delivery as State;

use crate::client::{Client, NoticeFilter};
use crate::commands::fault::severity;
use crate::commands::{App, Limit, word};
use crate::exit::Failure;
use crate::output::{Cell, Sheet, Table, Tone, text};

/// Show what was sent where, and how it went; newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman notices log
  lineman notices log --state given_up
  lineman notices log --fault F-JW-1 -o json")]
pub struct Log {
    #[arg(long, value_name = "ID")]
    target: Option<TargetId>,
    #[arg(long, value_name = "FAULT")]
    fault: Option<String>,
    #[arg(long, value_parser = word::<State>(State::WORDS))]
    state: Option<State>,
    #[command(flatten)]
    limit: Limit,
}

/// Show one notice with every attempt to deliver it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lineman notices delivery ntc_0123456789abcdef0123456789abcdef")]
pub struct Delivery {
    notice: String,
}

/// Send again, under the same id: one notice, or what went to a target in a time
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman notices replay ntc_0123456789abcdef0123456789abcdef
  lineman notices replay --target ntt_0123456789abcdef0123456789abcdef --from 2026-11-22T08:00:00Z --to 2026-11-22T09:00:00Z")]
pub struct Replay {
    #[arg(required_unless_present = "target", conflicts_with = "target")]
    notice: Option<String>,
    #[arg(long, value_name = "ID", requires = "from")]
    target: Option<TargetId>,
    #[arg(long, value_name = "TIME", requires = "target")]
    from: Option<Timestamp>,
    /// [default: now]
    #[arg(long, value_name = "TIME", requires = "target")]
    to: Option<Timestamp>,
}

impl Log {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        let filter = NoticeFilter {
            target: self.target.map(|target| target.to_string()),
            fault: self.fault,
            state: self.state.map(|state| state.to_string()),
        };
        let filter = &filter;
        let notices = self.limit.read(app, |page| async move { client.notice_log(filter, &page).await }).await?;
        app.out.list(&notices, |notices| notices_table(notices))
    }
}

impl Delivery {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        app.out.sheet(&client.notice(&self.notice).await?, sheet)
    }
}

impl Replay {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        if let (Some(target), Some(from)) = (self.target, self.from) {
            let replayed = client.replay_notices(&Wanted { target, from, to: self.to }).await?;
            let table = |rows: &[&lineman_common::api::Replayed]| Table::new(["notices"], rows.iter().map(|row| [text(row.notices)]));
            return app.out.row(&replayed, table);
        }
        let notice = self.notice.unwrap_or_default();
        app.out.sheet(&client.replay_notice(&notice).await?, sheet)
    }
}

fn state(notice: &NoticeView) -> Cell {
    match notice.state {
        State::Waiting if notice.problem.is_some() => Cell::toned("failing", Tone::Bad),
        State::Waiting => Cell::toned("waiting", Tone::Warn),
        State::Delivered => Cell::toned("delivered", Tone::Good),
        State::Folded => Cell::toned("in a digest", Tone::Dim),
        State::GivenUp => Cell::toned("given up", Tone::Bad),
    }
}

pub fn notices_table<'a>(notices: impl IntoIterator<Item = &'a NoticeView>) -> Table {
    let row = |notice: &'a NoticeView| {
        [
            notice.at.into(),
            state(notice),
            severity(notice.severity),
            text(&notice.kind),
            text(&notice.target),
            text(notice.attempts),
            text(&notice.subject),
            Cell::option(notice.problem.as_ref()),
            text(notice.id),
        ]
    };
    let head = ["at", "state", "severity", "what", "to", "tries", "subject", "problem", "id"];
    Table::new(head, notices.into_iter().map(row))
}

fn sheet(page: &NoticePage) -> Sheet {
    let NoticePage { notice, log } = page;
    let fields = vec![
        ("notice", text(notice.id)),
        ("at", notice.at.into()),
        ("state", state(notice)),
        ("what", text(&notice.kind)),
        ("topic", Cell::option(notice.topic)),
        ("severity", severity(notice.severity)),
        ("fault", Cell::option(notice.fault.as_ref())),
        ("subject", text(&notice.subject)),
        ("to", text(&notice.target)),
        ("target", text(notice.target_id)),
        ("tried next", Cell::Time(notice.next_at)),
        ("delivered at", Cell::Time(notice.delivered_at)),
        ("problem", Cell::option(notice.problem.as_ref())),
        ("told by digest", Cell::option(notice.folded_into)),
        ("tells of", Cell::option(notice.tells_of)),
    ];
    let rows = log.iter().map(|attempt| {
        [
            attempt.at.into(),
            text(attempt.latency_ms),
            Cell::option(attempt.status),
            Cell::option(attempt.problem.as_ref()),
            Cell::option(attempt.excerpt.as_ref()),
        ]
    });
    Sheet { fields, parts: vec![("attempts", Table::new(["at", "ms", "status", "problem", "answer"], rows))] }
}

pub fn repeat_sheet(repeat: &NoticeRepeat) -> Sheet {
    let fields = vec![
        ("fault", text(&repeat.subject)),
        ("since", repeat.since.into()),
        ("told last", repeat.told_at.into()),
        ("told again", text(repeat.rung)),
        ("acknowledged by", Cell::option(repeat.acknowledged_by.as_ref())),
        ("acknowledged at", Cell::Time(repeat.acknowledged_at)),
        ("why", Cell::option(repeat.why.as_ref())),
    ];
    Sheet { fields, parts: Vec::new() }
}
