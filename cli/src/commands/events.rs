//! `lineman events`: the log of everything, as it happens.

use std::time::Duration;

use clap::Args;
use lineman_common::api::Event;
use lineman_common::name::CustomerCode;

use super::{App, interrupted};
use crate::client::{Client, ClientError};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out, Table, text};

/// Longest pause between two tries to reach the server again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Follow the event log until Ctrl-C; survives a restart of the server without missing an event
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman events
  lineman events --topics fault,alarm --customer JW
  lineman events --after 0 --count 100 -o jsonl > events.jsonl")]
pub struct Events {
    /// First words of the kinds that are wanted, like fault,alarm,consent,session
    #[arg(long, value_delimiter = ',', value_name = "TOPIC")]
    topics: Vec<String>,
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// Begin after this event; 0 is the beginning of the log [default: now]
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

impl Events {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        tokio::select! {
            outcome = self.follow(app, &client) => outcome,
            exit = interrupted() => Ok(exit),
        }
    }

    /// A person of the support centre sees all customers; this narrows to one.
    fn wants(&self, event: &Event) -> bool {
        let of = event.fault.as_ref().map(|fault| &fault.customer).or(event.equipment.as_ref().map(|ne| &ne.customer));
        self.customer.as_ref().is_none_or(|customer| of == Some(customer))
    }

    async fn follow(&self, app: &App, client: &Client) -> Outcome {
        let mut after = self.after;
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut pause = Duration::ZERO;
        let mut printer = Printer { out: app.out.clone(), begun: false };
        let mut ever = false;
        while left > 0 {
            tokio::time::sleep(pause).await;
            let mut stream = match client.events(&self.topics, after).await {
                Ok(stream) => stream,
                // The first try tells of a wrong address; later ones mean that the server will be back.
                Err(ClientError::Unreachable { .. }) if ever => {
                    pause = (pause * 2).clamp(Duration::from_secs(1), LONGEST_PAUSE);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            ever = true;
            pause = Duration::from_secs(1);
            while left > 0 {
                match stream.next().await {
                    Ok(Some(event)) if !self.wants(&event) => {}
                    Ok(Some(event)) => {
                        printer.print(&event)?;
                        left -= 1;
                    }
                    Ok(None) | Err(ClientError::Unreachable { .. }) => break,
                    Err(error) => return Err(error.into()),
                }
            }
            after = stream.last_seq.or(after);
            if left > 0 {
                app.say("the stream ended; connecting again");
            }
        }
        Ok(Exit::Done)
    }
}

/// One line for each event, whatever the form: the stream has no end that an array could wait for.
struct Printer {
    out: Out,
    begun: bool,
}

impl Printer {
    fn print(&mut self, event: &Event) -> Result<(), Failure> {
        if self.out.is_json() {
            let out = Out { format: Format::Jsonl, ..self.out.clone() };
            return out.row(event, |_| Table::default());
        }
        // On a terminal columns can't be aligned with what is not there yet: a plain line is easier to read.
        if self.out.format == Format::Table {
            let about = event.fault.as_ref().map(ToString::to_string).or_else(|| event.equipment.as_ref().map(ToString::to_string));
            let line = format!("{}  {}  {}  {}", self.out.moment(event.occurred_at), event.kind, about.unwrap_or_default(), event.text);
            return crate::output::write_out(&(lineman_common::printable::escape(&line) + "\n"));
        }
        let out = Out { headers: self.out.headers && !self.begun, ..self.out.clone() };
        self.begun = true;
        out.row(event, |events| {
            let row = |event: &&Event| {
                [
                    text(event.seq),
                    event.occurred_at.into(),
                    text(&event.kind),
                    crate::output::Cell::option(event.fault.as_ref()),
                    crate::output::Cell::option(event.equipment.as_ref()),
                    text(&event.actor),
                    text(&event.text),
                ]
            };
            Table::new(["seq", "at", "kind", "fault", "equipment", "actor", "text"], events.iter().map(row))
        })
    }
}
