//! The watch: measures on its interval, and moves what it finds to the outbox.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use lineman_common::link::Report;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::checks::Checks;
use crate::outbox::{Outbox, OutboxError};

/// What others may ask of the agent's loops.
pub struct Nudges {
    /// Measure now.
    pub report_now: Notify,
    /// The link is new: after the next round, tell all that is raised. What the centre lost, or holds from another time, is put
    /// right by it.
    pub resynchronise: AtomicBool,
    /// The reporting interval.
    pub interval: watch::Sender<Duration>,
    /// A consent arrived: look at its end.
    pub consents: Notify,
}

impl Nudges {
    pub fn new(interval: Duration) -> Self {
        Self {
            report_now: Notify::new(),
            resynchronise: AtomicBool::new(false),
            interval: watch::Sender::new(interval),
            consents: Notify::new(),
        }
    }
}

pub async fn run(mut checks: Checks, outbox: Arc<Outbox>, nudges: &Nudges, stop: CancellationToken) {
    let mut set = nudges.interval.subscribe();
    let mut ticks = ticks(*set.borrow_and_update());
    loop {
        let measure = tokio::select! {
            _ = ticks.tick() => true,
            () = nudges.report_now.notified() => true,
            () = checks.exec_ended() => false,
            Ok(()) = set.changed() => {
                ticks = self::ticks(*set.borrow_and_update());
                false
            }
            () = stop.cancelled() => return,
        };
        let health = measure.then(|| checks.round(Instant::now().into_std(), Timestamp::now()));
        if let Some(health) = health
            && let Err(error) = outbox.send(&Report::Health(health))
        {
            tracing::warn!(%error, "a health report is lost");
        }
        // What can't be written now is tried again after the next round; nothing of it is forgotten.
        if let Err(error) = report_alarms(&mut checks, &outbox, nudges, measure) {
            tracing::error!(%error, "alarms can't be reported now");
        }
    }
}

/// Changes first, then, where the link, the spool or the alarm state began anew, the whole list.
fn report_alarms(checks: &mut Checks, outbox: &Outbox, nudges: &Nudges, measured: bool) -> Result<(), OutboxError> {
    outbox.tell_drops()?;
    let changes: Vec<_> = checks.unsent().iter().cloned().map(Report::Alarm).collect();
    if !changes.is_empty() {
        outbox.send_all(&changes)?;
        checks.sent(changes.len());
    }
    if measured && (nudges.resynchronise.load(Ordering::Relaxed) || checks.is_fresh() || outbox.spool().is_fresh()) {
        outbox.send(&Report::ActiveAlarms { at: Timestamp::now(), alarms: checks.active() })?;
        nudges.resynchronise.store(false, Ordering::Relaxed);
        outbox.spool().announced()?;
        if let Err(error) = checks.announced() {
            tracing::error!(%error, "the alarm state is not on disk");
        }
    }
    Ok(())
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}
