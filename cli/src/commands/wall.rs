//! `lineman wall`: the monitoring centre in a terminal; and the tokens that open a wall on a screen.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::alarm::Severity;
use lineman_common::api::{NewWallToken, Wall as Picture, WallClockState, WallClocks, WallRow, WallToken, WallTokenReply};
use lineman_common::name::CustomerCode;

use super::{App, interrupted};
use crate::client::{Client, Events};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Format, Out, Sheet, Table, Tone, span, text, write_out};
use crate::prompt;

/// Countdowns move on also when nothing happens.
const REFRESH: Duration = Duration::from_secs(5);
/// A burst of events is one new picture.
const SETTLE: Duration = Duration::from_millis(300);
const BREATH: Duration = Duration::from_secs(1);

/// The monitoring centre: what is open, which clock is the most urgent, who is inside a device
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman wall
  lineman wall --watch
  lineman wall --customer JW -o json
  LINEMAN_TOKEN=$(cat wall-token) lineman wall --watch")]
pub struct Wall {
    /// Go on showing it until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// IANA time zone in which today begins [default: UTC]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

impl Wall {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        if !self.watch {
            app.out.sheet(&self.read(&client).await?, sheet)?;
            return Ok(Exit::Done);
        }
        tokio::select! {
            outcome = self.follow(app, &client) => outcome,
            exit = interrupted() => Ok(exit),
        }
    }

    async fn read(&self, client: &Client) -> Result<Picture, Failure> {
        Ok(client.wall(self.customer.as_ref().map(CustomerCode::as_str), self.zone.as_deref()).await?)
    }

    async fn follow(&self, app: &App, client: &Client) -> Outcome {
        let mut events: Option<Events> = None;
        loop {
            match self.read(client).await {
                Ok(picture) => show(&app.out, &picture)?,
                // A server that restarts is waited for; a refusal is final.
                Err(failure) if failure.exit == Exit::Unreachable => app.say(format!("{failure}; trying again")),
                Err(failure) => return Err(failure),
            }
            if events.is_none() {
                events = client.events(&[], None).await.ok();
            }
            if !wait(&mut events).await {
                events = None;
            }
        }
    }
}

/// Waits for news or for a while; `false` when the stream is broken.
async fn wait(events: &mut Option<Events>) -> bool {
    let Some(stream) = events else {
        tokio::time::sleep(REFRESH).await;
        return false;
    };
    match tokio::time::timeout(REFRESH, stream.next()).await {
        Err(_) => true,
        Ok(Ok(Some(_))) => {
            let settle = async { while matches!(stream.next().await, Ok(Some(_))) {} };
            tokio::time::timeout(SETTLE, settle).await.is_err()
        }
        Ok(Ok(None) | Err(_)) => {
            tokio::time::sleep(BREATH).await;
            false
        }
    }
}

fn show(out: &Out, picture: &Picture) -> Result<(), Failure> {
    if out.is_terminal() && !out.is_json() {
        let body = out.render_sheet(&sheet(picture));
        return write_out(&format!("\x1b[H\x1b[J{body}\n{}. Ctrl-C ends.\n", out.moment(picture.now)));
    }
    // A picture is one line: an array that never ends can't be read.
    let format = if out.is_json() { Format::Jsonl } else { out.format };
    Out { format, ..out.clone() }.row(picture, |pictures| pictures.first().map(|picture| countdown(picture)).unwrap_or_default())
}

fn clocks(clocks: WallClocks) -> Cell {
    let WallClocks { running, paused, breached } = clocks;
    let tone = if breached > 0 { Tone::Bad } else { Tone::Plain };
    Cell::toned(format!("{running} running, {paused} paused, {breached} breached"), tone)
}

fn sheet(picture: &Picture) -> Sheet {
    let faults = picture.faults;
    let open = format!(
        "{} critical, {} major, {} minor, {} warning, {} indeterminate",
        faults.critical, faults.major, faults.minor, faults.warning, faults.indeterminate
    );
    let tone = if faults.critical > 0 { Tone::Bad } else { Tone::Plain };
    let duty = picture.duty.iter().map(|duty| {
        let names: Vec<_> = duty.on_duty.iter().map(|one| one.person.to_string()).collect();
        format!("{}: {}", duty.office, names.join(", "))
    });
    let sessions = picture.sessions.iter().map(|session| {
        let (who, device) = (text(&session.engineer), text(&session.device));
        [who, device, text(&session.fault), session.started_at.into(), text(session.watchers), text(yes(session.recorded))]
    });
    let health = picture
        .health
        .iter()
        .map(|product| [text(&product.product), text(product.ok), text(product.warn), text(product.bad), text(product.unknown)]);
    let events = picture.events.iter().take(8).map(|event| {
        let about = event.fault.as_ref().map(ToString::to_string).or_else(|| event.equipment.as_ref().map(ToString::to_string));
        [event.occurred_at.into(), text(&event.kind), Cell::option(about), text(&event.actor)]
    });
    Sheet {
        fields: vec![
            ("open faults", Cell::toned(open, tone)),
            ("30-minute clocks", clocks(picture.promise)),
            ("other clocks", clocks(picture.clocks)),
            ("live sessions", text(picture.sessions.len())),
            ("today", text(format!("{} new, {} closed", picture.today.new, picture.today.closed))),
            ("agents", text(format!("{} of {} connected", picture.agents.online, picture.agents.total))),
            ("on duty", text(duty.collect::<Vec<_>>().join("; "))),
        ],
        parts: vec![
            ("Countdown", countdown(picture)),
            ("Sessions", Table::new(["engineer", "device", "fault", "since", "watchers", "recorded"], sessions)),
            ("Health", Table::new(["product", "ok", "warn", "bad", "unknown"], health)),
            ("Newest", Table::new(["at", "what", "about", "who"], events)),
        ],
    }
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

fn countdown(picture: &Picture) -> Table {
    let row = |row: &WallRow| {
        let severity = if row.severity == Severity::Critical { Tone::Bad } else { Tone::Plain };
        [
            text(&row.fault),
            Cell::toned(row.severity, severity),
            left(row, picture.now),
            text(row.clock),
            text(&row.title),
            Cell::option(row.equipment.as_ref()),
            Cell::option(row.owner.as_ref()),
        ]
    };
    Table::new(["fault", "severity", "left", "clock", "title", "equipment", "owner"], picture.countdown.iter().map(row))
}

/// What is left, or by how much it is over; and why it stands still.
fn left(row: &WallRow, now: Timestamp) -> Cell {
    let target = u64::from(row.target_s);
    let over = || format!("over by {}", span(row.elapsed_s.saturating_sub(target)));
    let paused = || {
        let why = row.paused_by.map(|why| why.to_string()).unwrap_or_default();
        let since = row.paused_since.map_or(0, |since| u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0));
        format!("{} left, held by {why} for {}", span(target.saturating_sub(row.elapsed_s)), span(since))
    };
    match row.state {
        WallClockState::Breached => Cell::toned(over(), Tone::Bad),
        WallClockState::Paused => Cell::toned(paused(), Tone::Dim),
        WallClockState::Running => {
            let seconds = target.saturating_sub(row.elapsed_s);
            let tone = if seconds < 300 {
                Tone::Bad
            } else if seconds * 2 < target {
                Tone::Warn
            } else {
                Tone::Good
            };
            Cell::toned(span(seconds), tone)
        }
    }
}

/// Tokens that open a wall on a screen, and nothing else
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman wall-token create 'duty room, left'
  lineman wall-token list
  lineman wall-token revoke wal_01a20110d33674329e3cc56c92182820")]
pub enum TokenCommand {
    /// Make a token; it is shown this once, and is good until it is revoked
    #[command(after_help = "Examples:
  lineman wall-token create 'duty room, left'
  lineman wall-token create 'JW meeting room' --customer JW -o json")]
    Create {
        /// Where the wall hangs
        name: String,
        /// A wall of one customer; of all when absent
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
    },
    /// List the tokens, with when each was used last
    #[command(after_help = "Examples:\n  lineman wall-token list -o json")]
    List,
    /// Revoke a token: its wall goes dark at once
    #[command(after_help = "Examples:\n  lineman wall-token revoke wal_01a20110d33674329e3cc56c92182820 --yes")]
    Revoke {
        /// Its id, or its name
        wall: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
}

impl TokenCommand {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::Create { name, customer } => {
                let reply = client.new_wall_token(&NewWallToken { name: name.into(), customer }).await?;
                app.say("the token is not shown again; it is good until it is revoked");
                app.out.sheet(&reply, |reply| created(reply, client.server()))?;
            }
            Self::List => app.out.list(&client.wall_tokens().await?.items, |walls| table(&walls.iter().collect::<Vec<_>>()))?,
            Self::Revoke { wall, yes } => {
                let walls = client.wall_tokens().await?.items;
                let is_it = |known: &&WallToken| known.name.raw() == wall || known.id.to_string() == wall;
                // Also one that is revoked: who repeats it after a cut hears that it is done.
                let known = walls.iter().filter(is_it).min_by_key(|known| known.revoked_at.is_some()).ok_or_else(|| {
                    let wall = lineman_common::printable::escape(&wall);
                    Failure::new(Exit::NotFound, format!("no wall token is named {wall}")).hint("lineman wall-token list")
                })?;
                prompt::confirm(&format!("revoke the token of wall {} on {}", known.name, client.server()), yes)?;
                app.out.row(&client.revoke_wall_token(&known.id.to_string()).await?, table)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn created(reply: &WallTokenReply, server: &str) -> Sheet {
    Sheet {
        fields: vec![
            ("wall", text(&reply.wall.name)),
            ("token", text(&reply.token)),
            ("page", text(format!("{server}/wall/{}", reply.token))),
        ],
        parts: Vec::new(),
    }
}

fn table(walls: &[&WallToken]) -> Table {
    let row = |wall: &&WallToken| {
        [
            text(wall.id),
            text(&wall.name),
            wall.customer.as_ref().map_or_else(|| Cell::toned("all", Tone::Dim), text),
            wall.created_at.into(),
            text(&wall.created_by),
            Cell::Time(wall.last_used_at),
            Cell::Time(wall.revoked_at),
        ]
    };
    Table::new(["id", "name", "customer", "created", "by", "last used", "revoked"], walls.iter().map(row))
}
