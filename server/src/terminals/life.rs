//! A terminal's life, which is its device's: from the question whether the engineer may, to the end and a little beyond.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lineman_common::api::{ConsentState, TerminalExit};
use lineman_common::id::ConsentId;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::terminal::{Terminal, ToDevice};
use super::{Error, Patience};
use crate::consents;
use crate::events::{Kind, New};
use crate::faults;
use crate::gateway::{Inside, Visitor, from_the_device};
use crate::store::{Db, Nudge, Store, Tx};
use crate::web::{ApiError, Scope};

/// For the device to start a shell once it was asked.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// A device says itself why it ends a session; it has this long before the centre does.
const OWN_WORDS: Duration = Duration::from_secs(2);
/// Terminals in browsers speak UTF-8.
const LANGUAGE: &str = "C.UTF-8";
const ERRORS: u32 = 1;

pub struct Life {
    pub terminal: Arc<Terminal>,
    pub visitor: Visitor,
    pub term: String,
    pub patience: Patience,
}

/// Whatever happens to the task, nobody waits for it.
struct Over<'a>(&'a Terminal);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.end("the support centre failed here");
    }
}

impl Life {
    /// Runs until the terminal is over and forgotten.
    pub async fn run(self, from_browser: mpsc::Receiver<ToDevice>, opened: oneshot::Sender<Result<(), Error>>) {
        let terminal = Arc::clone(&self.terminal);
        let _over = Over(&terminal);
        let entered = tokio::select! {
            entered = self.enter() => entered.map_err(Error::Device),
            () = terminal.hangup.cancelled() => Err(Error::Over(terminal.hangup_reason())),
            () = self.visitor.jump.stop.cancelled() => Err(Error::Stopping),
        };
        match entered {
            Ok((inside, channel)) => {
                terminal.entered(inside.consent);
                let text = format!("{} opened a terminal on {}", terminal.engineer, terminal.device.name);
                self.tell(Kind::TerminalOpened, inside.consent, text, None).await;
                let _ = opened.send(Ok(()));
                self.live(inside, channel, from_browser).await;
                self.linger().await;
            }
            Err(error) => {
                terminal.end(&error.to_string());
                let _ = opened.send(Err(error));
            }
        }
    }

    async fn enter(&self) -> Result<(Inside, Channel<client::Msg>), String> {
        let inside = self.visitor.enter().await?;
        let channel = inside.channel(&self.visitor.device).await?;
        let size = self.terminal.size();
        let asking = async {
            channel.set_env(false, "LANG", LANGUAGE).await?;
            channel.request_pty(false, &self.term, size.cols.into(), size.rows.into(), 0, 0, &[]).await?;
            channel.request_shell(true).await
        };
        match tokio::time::timeout(START_PATIENCE, asking).await {
            Ok(Ok(())) => Ok((inside, channel)),
            Ok(Err(_)) | Err(_) => Err(format!("{} started no shell: {}", self.visitor.device, inside.why())),
        }
    }

    /// Until something ends it.
    async fn live(&self, inside: Inside, channel: Channel<client::Msg>, mut from_browser: mpsc::Receiver<ToDevice>) {
        let (from_device, to_device) = channel.split();
        let input = async {
            forward(&mut from_browser, &to_device, &self.visitor).await;
            // What the device still says is on its way.
            std::future::pending::<String>().await
        };
        let reason = tokio::select! {
            reason = self.print(from_device, &inside) => reason,
            reason = input => reason,
            reason = self.loneliness() => reason,
            reason = self.withdrawal(inside.consent) => reason,
            () = self.terminal.hangup.cancelled() => self.terminal.hangup_reason(),
            () = self.visitor.jump.stop.cancelled() => "the support centre stops".to_owned(),
        };
        let consent = inside.consent;
        self.terminal.end(&reason);
        tracing::info!(engineer = %self.terminal.engineer, device = %self.visitor.device, terminal.id = %self.terminal.id, %reason, "a terminal ended");
        let text = format!("{}'s terminal on {} ended: {reason}", self.terminal.engineer, self.terminal.device.name);
        self.tell(Kind::TerminalEnded, consent, text, Some(reason.clone())).await;
        let _ = tokio::time::timeout(OWN_WORDS, to_device.close()).await;
        inside.leave(&reason).await;
    }

    /// The device's output into the terminal, as far as there is room, to its end.
    async fn print(&self, mut from_device: ChannelReadHalf, inside: &Inside) -> String {
        let (mut changes, mut killed) = (self.terminal.changes(), false);
        loop {
            changes.borrow_and_update();
            if !self.terminal.has_room() {
                let _ = changes.changed().await;
                continue;
            }
            let Some(message) = from_device.wait().await else { break };
            match from_the_device(message) {
                Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, ext: ERRORS }) => self.terminal.printed(&data),
                Some(ChannelMsg::ExitStatus { exit_status }) => self.terminal.exited(TerminalExit::Status(exit_status)),
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    killed = true;
                    self.terminal.exited(TerminalExit::Signal(name_of(signal_name)));
                }
                Some(ChannelMsg::Failure) => return format!("{} refused to start a shell", self.visitor.device),
                // Whoever killed it may have more to say.
                Some(ChannelMsg::Close) if killed => break,
                Some(ChannelMsg::Close) => return "the shell is over".to_owned(),
                _ => {}
            }
        }
        match tokio::time::timeout(OWN_WORDS, inside.ended().cancelled()).await {
            Ok(()) => inside.why(),
            Err(_) => "the shell is over".to_owned(),
        }
    }

    /// When nobody has been attached for the grace time.
    async fn loneliness(&self) -> String {
        let mut changes = self.terminal.changes();
        loop {
            changes.borrow_and_update();
            let until = self.terminal.alone_until(self.patience.grace);
            if until.is_some_and(|until| until <= Instant::now()) {
                return format!("nobody was connected to it for {} s", self.patience.grace.as_secs());
            }
            let alone = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = changes.changed() => {}
                () = alone => {}
            }
        }
    }

    /// When what allowed it is over. The device says so itself, unless it can't be reached or does not want to.
    async fn withdrawal(&self, consent: ConsentId) -> String {
        let (store, device) = (&self.visitor.jump.store, self.terminal.device.id);
        let mut nudges = store.nudges();
        loop {
            if news_for(&mut nudges, |nudge| *nudge == Nudge::Orders(device)).await.is_none() {
                // The store closes with the server.
                std::future::pending::<()>().await;
            }
            if let Err(why) = self.visitor.check().await {
                let why = why_over(store, consent).await.unwrap_or(why);
                tokio::time::sleep(OWN_WORDS).await;
                return why;
            }
        }
    }

    /// For a moment it can be read how it ended.
    async fn linger(&self) {
        tokio::select! {
            () = tokio::time::sleep(self.patience.grace) => {}
            () = self.terminal.gone.cancelled() => {}
            () = self.visitor.jump.stop.cancelled() => {}
        }
    }

    async fn tell(&self, kind: Kind, consent: ConsentId, text: String, reason: Option<String>) {
        let terminal = &self.terminal;
        let event = New::of(kind, &terminal.engineer, text)
            .equipment(terminal.device.id)
            .data(json!({"terminal": terminal.id, "consent": consent, "device": terminal.device.name, "reason": reason}));
        let told = self.visitor.jump.store.write(move |tx: &mut Tx<'_>| -> Result<_, ApiError> {
            if let Some(fault) = consents::fault_of(tx, consent)? {
                faults::tell(tx, fault, event)?;
            }
            Ok(())
        });
        if let Err(error) = told.await {
            tracing::error!(?error, terminal.id = %terminal.id, "a terminal's beginning or end could not be recorded");
        }
    }
}

/// Hands on what was typed, until the device's channel takes no more.
async fn forward(from_browser: &mut mpsc::Receiver<ToDevice>, to_device: &ChannelWriteHalf<client::Msg>, visitor: &Visitor) {
    while let Some(message) = from_browser.recv().await {
        let sent = match message {
            ToDevice::Bytes(bytes) => to_device.data_bytes(bytes).await,
            ToDevice::Resize(size) => to_device.window_change(size.cols.into(), size.rows.into(), 0, 0).await,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, device = %visitor.device, "a terminal takes no more input");
            return;
        }
    }
}

fn name_of(signal: Sig) -> String {
    let debug = format!("{signal:?}");
    match signal {
        Sig::Custom(name) => name,
        Sig::ABRT
        | Sig::ALRM
        | Sig::FPE
        | Sig::HUP
        | Sig::ILL
        | Sig::INT
        | Sig::KILL
        | Sig::PIPE
        | Sig::QUIT
        | Sig::SEGV
        | Sig::TERM
        | Sig::USR1 => debug,
    }
}

/// Waits for news of this kind; for any, when some were missed. `None` when there won't be any.
async fn news_for(nudges: &mut broadcast::Receiver<Nudge>, wanted: impl Fn(&Nudge) -> bool) -> Option<()> {
    loop {
        match nudges.recv().await {
            Ok(nudge) if wanted(&nudge) => return Some(()),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return Some(()),
            Err(RecvError::Closed) => return None,
        }
    }
}

/// How the consent ended, if it has.
async fn why_over(store: &Store, id: ConsentId) -> Option<String> {
    let view = store.read(move |db: &Db<'_>| consents::get(db, &Scope::All, id)).await.ok()?;
    match (view.state, view.end_reason) {
        (ConsentState::Live, _) => None,
        (_, Some(reason)) => Some(format!("the consent {id} is over ({})", reason.as_str().replace('_', " "))),
        (state, None) => Some(format!("the consent {id} is {state}")),
    }
}
