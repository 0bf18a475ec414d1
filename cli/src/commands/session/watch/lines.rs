//! Watching where there is no terminal to draw on: the transcript line by line, or every event as JSON.

use lineman_common::printable::escape;
use lineman_common::recording::Event;
use lineman_common::recording::transcript::{Line, Transcript};
use serde_json::{Value, json};

use super::super::moment;
use super::follow::{Feed, News};
use super::{Watched, farewell};
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Format, Out, Table, write_out};

pub async fn run(app: &App, watched: &Watched, mut feed: Feed, only: Option<u32>) -> Outcome {
    let mut transcript = Transcript::default();
    let json = app.out.is_json();
    loop {
        match feed.next().await {
            Ok(News::Events { number, events }) => {
                for event in events.iter().filter(|event| only.is_none_or(|only| event.channel == only)) {
                    if json { print_json(app, &json_event(number, event, watched))? } else { print(transcript.feed(event))? }
                }
            }
            Ok(News::Lost(why)) => app.say(format!("{why}; trying again")),
            Ok(News::Ended(session)) => {
                print(transcript.rest())?;
                if json {
                    let end = json!({"end": session.end_reason, "chunks": feed.follower.chunks(), "verified": watched.believed.is_some()});
                    print_json(app, &end)?;
                }
                farewell(app, watched, &feed.follower, &session);
                return complete(&feed);
            }
            Err(failure) => {
                print(transcript.rest())?;
                return Err(failure);
            }
        }
    }
}

/// A session that the centre calls over must have the device's own end record.
pub fn complete(feed: &Feed) -> Outcome {
    if feed.follower.end().is_some() {
        return Ok(Exit::Done);
    }
    let last = feed.follower.chunks().checked_sub(1);
    let after =
        last.map_or_else(|| "there is no chunk at all".to_owned(), |last| format!("it ends after chunk {last}, without an end record"));
    Err(Failure::new(Exit::CheckFailed, format!("the recording is truncated: {after}")))
}

fn print(lines: Vec<Line>) -> Result<(), Failure> {
    let line = |line: Line| format!("{}  #{} {}\n", moment::shown(line.seconds), line.channel, escape(&line.text));
    write_out(&lines.into_iter().map(line).collect::<String>())
}

/// One object a line: an array that never ends can't be read.
fn print_json(app: &App, value: &Value) -> Result<(), Failure> {
    Out { format: Format::Jsonl, ..app.out.clone() }.row(value, |_| Table::default())
}

fn json_event(chunk: u64, event: &Event, watched: &Watched) -> Value {
    // An event's own line is `[seconds, channel, code, data]`.
    let parts: Vec<Value> = serde_json::from_str(&event.to_line()).unwrap_or_default();
    let [seconds, channel, code, data] = <[Value; 4]>::try_from(parts).unwrap_or_default();
    let verified = watched.believed.is_some();
    json!({"chunk": chunk, "verified": verified, "seconds": seconds, "channel": channel, "code": code, "data": data})
}
