//! `lineman fault list --watch`: the list as it changes.
//!
//! The event stream says *that* something changed; the list is then read again, so that what is shown is never a guess.
//! When the stream breaks, the list is read every few seconds until it is back.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::api::Fault;
use lineman_common::id::FaultId;
use lineman_common::name::FaultNumber;

use super::{List, show};
use crate::client::{Client, ClientError, Events};
use crate::commands::{App, interrupted};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Out, write_out};

/// Ages and deadlines move on even when nothing happens.
const REFRESH: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_secs(1);
/// A burst of events is one new picture.
const SETTLE: Duration = Duration::from_millis(200);

pub async fn run(list: &List, app: &App, client: &Client) -> Outcome {
    tokio::select! {
        outcome = follow(list, app, client) => outcome,
        exit = interrupted() => Ok(exit),
    }
}

async fn follow(list: &List, app: &App, client: &Client) -> Outcome {
    let mut shown = Shown::default();
    let mut events: Option<Events> = None;
    loop {
        match list.read(app, client).await {
            Ok(faults) => {
                let gone = shown.gone(app, client, &faults).await;
                shown.update(&app.out, &faults, gone)?;
            }
            // A server that restarts is waited for; a refusal is final.
            Err(failure) if failure.exit == Exit::Unreachable => app.say(format!("{failure}; trying again")),
            Err(failure) => return Err(failure),
        }
        if events.is_none() {
            events = client.events(&["fault".into(), "alarm".into(), "consent".into(), "session".into()], None).await.ok();
        }
        if !wait(&mut events).await {
            events = None;
        }
    }
}

/// Waits for a change or for a while; `false` when the stream is broken.
async fn wait(events: &mut Option<Events>) -> bool {
    let Some(stream) = events else {
        tokio::time::sleep(REFRESH).await;
        return false;
    };
    match tokio::time::timeout(REFRESH, stream.next()).await {
        Err(_) => true,
        Ok(Err(_) | Ok(None)) => {
            // A server that ends every stream at once must not be asked without a pause.
            tokio::time::sleep(BREATH).await;
            false
        }
        Ok(Ok(Some(_))) => {
            // Take what follows at once as well; an error there shows the next time round.
            let settled: Result<Result<(), ClientError>, _> = tokio::time::timeout(SETTLE, async {
                while stream.next().await?.is_some() {}
                Ok(())
            })
            .await;
            settled.is_err()
        }
    }
}

/// What was shown last: on a terminal the whole picture, in a pipe each fault's last state.
#[derive(Default)]
struct Shown {
    last: HashMap<FaultId, (FaultNumber, Timestamp, bool)>,
    begun: bool,
}

impl Shown {
    /// What was on the list and is not any more: in a pipe, its last state is news too.
    async fn gone(&self, app: &App, client: &Client, faults: &[Fault]) -> Vec<Fault> {
        let mut gone = Vec::new();
        if app.out.is_terminal() {
            return gone;
        }
        for (id, (number, ..)) in &self.last {
            if faults.iter().all(|fault| fault.id != *id)
                && let Ok(page) = client.fault(&number.to_string()).await
            {
                gone.push(page.fault);
            }
        }
        gone
    }

    fn update(&mut self, out: &Out, faults: &[Fault], gone: Vec<Fault>) -> Result<(), Failure> {
        let now = Timestamp::now();
        if out.is_terminal() && !out.is_json() {
            let table = out.table(&show::faults_table(faults, now));
            return write_out(&format!("\x1b[H\x1b[J{}\n{} faults, {}. Ctrl-C ends.\n", table, faults.len(), out.moment(now)));
        }
        let state = |fault: &Fault| (fault.number.clone(), fault.updated_at, fault.proposes_restored);
        let mut changed: Vec<_> = faults.iter().filter(|fault| self.last.get(&fault.id) != Some(&state(fault))).cloned().collect();
        changed.extend(gone);
        self.last = faults.iter().map(|fault| (fault.id, state(fault))).collect();
        // One object a line in JSON too: an array that never ends can't be read.
        let out = Out {
            headers: out.headers && !self.begun,
            format: if out.is_json() { crate::output::Format::Jsonl } else { out.format },
            ..out.clone()
        };
        self.begun = true;
        out.list(&changed, |faults| show::faults_table(faults, now))
    }
}
