//! `lineman approver --page`: the desk in a browser on the same machine.
//!
//! The server listens on 127.0.0.1 and nowhere else, and it opens nothing by itself: it prints a link. What keeps others out:
//!
//! - **the link works once**: its token is exchanged for a cookie (`HttpOnly`, `SameSite=Strict`) and is worth nothing afterwards;
//! - the cookie belongs to a path with a random name. Browsers send cookies to every port of a host: a server of somebody else on this
//!   machine does not know the path, and so never sees the cookie;
//! - the `Host` header must be this address: a name that somebody points to 127.0.0.1 (DNS rebinding) is turned away;
//! - whatever signs or refuses is a POST from this very origin, with a token that only this server's own pages hold;
//! - the pages load nothing from anywhere else, run no script but `live.js`, and can't be framed.
//!
//! The page shows the text of a draft that this process keeps, and signs that draft by its number: no browser sends a text to sign. The
//! key, and what unlocks it, stay in this process.

mod html;
mod http;
mod words;

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use lineman_common::id::ConsentId;
use ssh_key::getrandom::SysRng;
use ssh_key::rand_core::TryRng;
use tokio::sync::watch;

use super::live::{Snapshot, follow};
use crate::commands::{App, interrupted};
use crate::consents::desk::{Desk, Draft};
use crate::exit::{Failure, Outcome};
use crate::output::{Out, write_out};

/// Drafts that are kept: as many as somebody has open at once, and some more. The oldest goes first.
const MOST_DRAFTS: usize = 64;

/// One running page.
struct Page {
    desk: Desk,
    out: Out,
    told: watch::Receiver<Snapshot>,
    /// The link's token, until it is used.
    entry: Mutex<Option<String>>,
    /// First part of every path.
    room: String,
    /// What the browser shows to come in.
    cookie: String,
    /// What a form shows that came from here.
    form: String,
    port: u16,
    drafts: Mutex<VecDeque<(String, Draft)>>,
    answered: Mutex<BTreeSet<ConsentId>>,
}

/// A name that nobody guesses.
fn random() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    SysRng.try_fill_bytes(&mut bytes).map_err(|e| Failure::failed(format!("no random numbers: {e}")))?;
    Ok(lineman_common::statement::hex(&bytes))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What it guards is whole at every moment, also when a holder panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Page {
    /// Keeps a draft to be signed later, by its number.
    fn keep(&self, draft: Draft) -> Result<String, Failure> {
        let number = random()?;
        let mut drafts = lock(&self.drafts);
        while drafts.len() >= MOST_DRAFTS {
            drafts.pop_front();
        }
        drafts.push_back((number.clone(), draft));
        Ok(number)
    }

    /// Takes a draft out: it is signed once, or not at all.
    fn take(&self, number: &str) -> Option<Draft> {
        let mut drafts = lock(&self.drafts);
        let at = drafts.iter().position(|(known, _)| known == number)?;
        drafts.remove(at).map(|(_, draft)| draft)
    }
}

pub async fn run(app: &App, desk: Desk, port: u16) -> Outcome {
    let failed = |e: std::io::Error| Failure::failed(format!("can't listen on 127.0.0.1:{port}: {e}"));
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let (tell, told) = watch::channel(Snapshot::default());
    let (entry, client) = (random()?, desk.client.clone());
    let page = Arc::new(Page {
        desk,
        out: app.out.clone(),
        told,
        entry: Mutex::new(Some(entry.clone())),
        room: random()?,
        cookie: random()?,
        form: random()?,
        port,
        drafts: Mutex::default(),
        answered: Mutex::default(),
    });
    app.say("open this link in a browser on this machine; it works once. Ctrl-C ends");
    write_out(&format!("http://127.0.0.1:{port}/{}/?token={entry}\n", page.room))?;
    tokio::select! {
        failure = follow(&client, &tell) => Err(failure),
        ended = axum::serve(listener, http::routes(page)) => {
            Err(Failure::failed(format!("the page ended: {}", ended.err().map(|e| e.to_string()).unwrap_or_default())))
        }
        exit = interrupted() => Ok(exit),
    }
}
