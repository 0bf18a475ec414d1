//! Requests as lines, for programs: one when it arrives, one when it is answered or lapses. Nothing is signed here.

use std::collections::BTreeMap;

use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::id::ConsentId;
use tokio::sync::watch;

use super::live::{Link, Snapshot, follow};
use crate::client::Client;
use crate::commands::consent::consents_table;
use crate::commands::{App, interrupted};
use crate::exit::{Failure, Outcome};
use crate::output::{Format, Out};

pub async fn run(app: &App, bell: bool) -> Outcome {
    let client = app.client()?;
    let (tell, told) = watch::channel(Snapshot::default());
    tokio::select! {
        failure = follow(&client, &tell) => Err(failure),
        failure = print(app, &client, told, bell) => Err(failure?),
        exit = interrupted() => Ok(exit),
    }
}

async fn print(app: &App, client: &Client, mut told: watch::Receiver<Snapshot>, bell: bool) -> Result<Failure, Failure> {
    let mut waiting: BTreeMap<ConsentId, usize> = BTreeMap::new();
    // One object a line in JSON too: an array that never ends can't be read.
    let format = if app.out.is_json() { Format::Jsonl } else { app.out.format };
    let mut out = Out { format, ..app.out.clone() };
    let mut link = Link::Connecting;
    while told.changed().await.is_ok() {
        let snapshot = told.borrow_and_update().clone();
        if link != snapshot.link {
            say_link(app, &snapshot.link);
            link = snapshot.link.clone();
        }
        if snapshot.link != Link::Connected {
            continue;
        }
        let mut changed: Vec<ConsentView> = Vec::new();
        for id in waiting.keys().filter(|id| snapshot.requests.iter().all(|request| request.id != **id)) {
            changed.push(client.consent(&id.to_string()).await?);
        }
        // The list is newest first; lines are oldest first.
        let news = snapshot.requests.iter().rev().filter(|request| waiting.get(&request.id) != Some(&request.consents.len()));
        for request in news {
            changed.push(request.clone());
            if !waiting.contains_key(&request.id) {
                if bell {
                    eprint!("\x07");
                }
                app.say(format!("{} asks: lineman consent approve {} --key FILE", request.engineer, request.id));
            }
        }
        waiting = snapshot.requests.iter().map(|request| (request.id, request.consents.len())).collect();
        if !changed.is_empty() {
            out.list(&changed, |consents| consents_table(consents))?;
            out.headers = false;
        }
        debug_assert!(snapshot.requests.iter().all(|request| request.state == ConsentState::Requested), "only what waits is listed");
    }
    Ok(Failure::failed("the list of requests is not kept any more"))
}

fn say_link(app: &App, link: &Link) {
    match link {
        Link::Connecting => {}
        Link::Connected => app.say("connected; waiting for requests. Ctrl-C ends"),
        Link::Lost(_, why) => app.say(format!("not connected ({}); trying again", lineman_common::printable::escape(why))),
    }
}
