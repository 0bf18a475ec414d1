//! What the centre may ask for: a closed list, compiled in.
//!
//! Everything that lets somebody in carries statements, and those are checked in `consents`; the centre's own word opens
//! nothing. The rest is bounded by the local file: the interval stays inside its bounds, a check is one that the file
//! names. A refusal is a sentence for the person who asked.
//!
//! Orders that end something are [`urgent`]: they are carried out where they are heard, however busy the device is.

use std::sync::Arc;
use std::time::Duration;

use lineman_common::id::ConsentId;
use lineman_common::leg::Offer;
use lineman_common::link::{Answer, Order, Outcome};
use lineman_common::printable::escape;
use lineman_common::session::EndReason;
use lineman_common::statement::sig;
use ssh_key::PublicKey;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::agent::Agent;
use crate::consents::Whose;
use crate::session;
use crate::session::leg::{self, Listening, Road};
use crate::session::legs::Waiting;

/// Orders at one time; more are refused, so that nobody can pile them up here. Those that end something don't count.
pub const MAX_ORDERS: usize = 256;
/// Output of a check that goes into an answer.
const MAX_OUTPUT_BYTES: usize = 16 * 1024;
/// When the agent stops, for a session to end and its last bytes to go.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often it is looked whether a parked leg is still of use.
const LOOK_AT_PARKED: Duration = Duration::from_secs(5);

/// Begins an order, or answers it at once. What ends something is never kept waiting by what is under way.
pub fn begin(agent: &Arc<Agent>, orders: &mut JoinSet<(u64, Outcome)>, id: u64, order: Order) -> Option<Outcome> {
    if let Some(outcome) = urgent(agent, &order) {
        return Some(outcome);
    }
    if orders.len() >= MAX_ORDERS {
        return Some(Outcome::Refused { reason: format!("the device is busy with {MAX_ORDERS} other orders") });
    }
    let agent = Arc::clone(agent);
    orders.spawn(async move { (id, carry_out(agent, order).await) });
    None
}

async fn carry_out(agent: Arc<Agent>, order: Order) -> Outcome {
    match obey(&agent, order).await {
        Ok(answer) => Outcome::Done { answer },
        Err(reason) => refused(reason),
    }
}

/// Carries out an order that ends something, at once; `None` for any other. Nothing here waits, so nothing can delay it.
fn urgent(agent: &Agent, order: &Order) -> Option<Outcome> {
    let done = match order {
        Order::EndConsent { consent, reason } => agent.end_consent(*consent, *reason).map_err(|e| e.to_string()),
        Order::KillSession { session, by } if agent.kill(*session, by) => Ok(()),
        Order::KillSession { session, .. } => Err(format!("{} has no live session {session}", agent.identity.device)),
        Order::EndStanding { standing, reason } => agent.end_standing(standing, *reason).map_err(|e| e.to_string()),
        Order::Stop { by, reason } => agent.stop_everything(Whose::Centre, by, reason).map_err(|e| e.to_string()),
        // It ends nothing, but it must not be overtaken by the stop that comes after it.
        Order::Resume { by } => agent.resume(Whose::Centre, by).map(drop).map_err(|e| e.to_string()),
        Order::ReportNow
        | Order::SetInterval { .. }
        | Order::RunCheck { .. }
        | Order::LogLevel { .. }
        | Order::Roster { .. }
        | Order::Challenge { .. }
        | Order::Request { .. }
        | Order::Consent { .. }
        | Order::Signers { .. }
        | Order::Open { .. }
        | Order::Park { .. } => return None,
    };
    Some(match done {
        Ok(()) => Outcome::Done { answer: Answer::Ok },
        Err(reason) => refused(reason),
    })
}

fn refused(reason: String) -> Outcome {
    tracing::info!(%reason, "an order was refused");
    Outcome::Refused { reason }
}

async fn obey(agent: &Arc<Agent>, order: Order) -> Result<Answer, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    match order {
        Order::ReportNow => agent.nudges.report_now.notify_one(),
        Order::SetInterval { seconds } => set_interval(agent, seconds)?,
        Order::RunCheck { name } => {
            let (status, output) = agent.runner.run_named(&name).await.map_err(|e| e.to_string())?;
            return Ok(Answer::Check { status, output: shortened(output) });
        }
        Order::LogLevel { level } => agent.log_level.set(level)?,
        Order::Roster { signed } => agent.take_roster(&signed).map_err(|e| words(&e))?,
        Order::Challenge { consent } => {
            let (challenge, lapses_at) = agent.consents.challenge(consent).map_err(|e| words(&e))?;
            return Ok(Answer::Challenge { challenge, lapses_at, policy: agent.consents.policy().into() });
        }
        Order::Request { request } => {
            let request = agent.consents.take_request(&request).map_err(|e| words(&e))?;
            tracing::info!(consent.id = %request.id, engineer = %request.engineer, grade = %request.grade, "a request waits for its answer");
        }
        Order::Consent { request, consents } => {
            let until = agent.admit(&request, &consents).map_err(|e| words(&e))?;
            tracing::info!(%until, "a consent is live");
            return Ok(Answer::ConsentLive { until });
        }
        Order::Signers { signed } => agent.take_signers(&signed).map_err(|e| words(&e))?,
        Order::Open { key, leg, consent } => open(agent, &key, leg, consent).await?,
        Order::Park { leg } => park(agent, leg).await?,
        Order::EndConsent { .. } | Order::KillSession { .. } | Order::EndStanding { .. } | Order::Stop { .. } | Order::Resume { .. } => {
            return Err("this order is carried out where it is heard".into());
        }
    }
    Ok(Answer::Ok)
}

fn set_interval(agent: &Agent, seconds: u32) -> Result<(), String> {
    let (least, most) = agent.settings.interval_bounds;
    let interval = Duration::from_secs(seconds.into());
    if !(least..=most).contains(&interval) {
        let (least, most) = (least.as_secs(), most.as_secs());
        return Err(format!("{} s is not an interval that {} takes: {least} to {most} s", seconds, agent.identity.device));
    }
    agent.nudges.interval.send_replace(interval);
    Ok(())
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_OUTPUT_BYTES {
        let end = (0..=MAX_OUTPUT_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("\n[cut]");
    }
    text
}

/// Answers as soon as the centre is reached; the leg itself lives on its own.
async fn open(agent: &Arc<Agent>, key: &str, offer: Offer, consent: Option<ConsentId>) -> Result<(), String> {
    let fingerprint = if key.starts_with("SHA256:") {
        key.to_owned()
    } else {
        let key = PublicKey::from_openssh(key).map_err(|_| format!("`{}` is not a public key", escape(key)))?;
        sig::fingerprint(&key).to_string()
    };
    let Some(live) = agent.consents.entry_for(&fingerprint, consent) else {
        return Err(agent.consents.why_not_for(&fingerprint, consent));
    };
    if agent.stop.is_cancelled() {
        return Err("the agent is stopping".into());
    }
    let (place, waiting) = agent.host.legs.take(live.id).await.map_err(|e| e.to_string())?;
    let road = match agent.host.legs.unpark(offer.id) {
        Some(road) => road,
        None => dial(agent, offer).await?,
    };
    let serving = serve(Arc::clone(agent), road, waiting);
    agent.legs.spawn(async move {
        let _place = place;
        serving.await;
    });
    Ok(())
}

/// A leg to the centre, with the task that carries it.
async fn dial(agent: &Arc<Agent>, offer: Offer) -> Result<Road, String> {
    let first = agent.dialer.leg().await.map_err(|e| e.to_string())?;
    let (road, carrying) = leg::road(offer);
    let carrier = Arc::clone(agent);
    agent.legs.spawn(async move {
        let stopped = async {
            carrier.stop.cancelled().await;
            sleep(FAREWELL).await;
        };
        tokio::select! {
            () = carrying.run(first, || carrier.dialer.leg()) => {}
            () = stopped => {}
        }
    });
    Ok(road)
}

async fn park(agent: &Arc<Agent>, offer: Offer) -> Result<(), String> {
    if !agent.consents.any_live() {
        return Err("no consent is live: nobody can come".into());
    }
    let id = offer.id;
    let road = dial(agent, offer).await?;
    let end = road.end.clone();
    agent.host.legs.park(id, road).map_err(|e| e.to_string())?;
    let agent = Arc::clone(agent);
    agent.legs.clone().spawn(async move {
        // Until it is used, breaks, or nobody can come any more.
        let useless = async {
            while agent.host.legs.is_parked(id) && agent.consents.any_live() {
                sleep(LOOK_AT_PARKED).await;
            }
        };
        tokio::select! {
            _ = Road::ended(end) => {}
            () = useless => {}
            () = agent.stop.cancelled() => {}
        }
        drop(agent.host.legs.unpark(id));
    });
    Ok(())
}

async fn serve(agent: Arc<Agent>, Road { leg, handle, end }: Road, waiting: Waiting) {
    let listening = Listening::new(&handle);
    let visit = session::serve_leg(Arc::clone(&agent.host), leg, Road::ended(end), listening, waiting);
    tokio::pin!(visit);
    tokio::select! {
        _ = &mut visit => return,
        () = agent.stop.cancelled() => {}
    }
    // Also one that was just being let in.
    agent.sessions.end_every(&session::registry::Ending::new(EndReason::AgentStopped));
    let _ = tokio::time::timeout(FAREWELL, visit).await;
}
