//! Alarm events from many agents at once: each is acknowledged when it is durable. Then the server is killed, and everything that was
//! acknowledged has to be there.
//!
//! The alarms are minor ones, raised and cleared in turn: what is measured is the way into the list and the log.

use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;
use lineman_common::alarm::{AlarmKey, AlarmReport, EventType, ProbableCause, ResourceState, Severity};
use lineman_common::link::Report;
use tokio::task::JoinSet;

use crate::agent::Agent;
use crate::centre::{Centre, patient_tier};
use crate::plan::Plan;
use crate::raw;
use crate::report::{Row, row};

/// Alarms that each agent has.
const KEYS: u32 = 64;

pub fn alarm(alarm_type: &str, qualifier: String, state: ResourceState, severity: Severity, cause: ProbableCause) -> Report {
    Report::Alarm(AlarmReport {
        key: AlarmKey { alarm_type: alarm_type.into(), qualifier },
        state,
        severity,
        event_type: EventType::Communications,
        probable_cause: cause,
        text: "signal lost on a port of the bench, as a device would say it".into(),
        value: None,
        threshold: None,
        at: Timestamp::now(),
    })
}

/// The `nth` report of an agent: all its alarms are raised, all are cleared, and so on.
fn report(nth: u32) -> Report {
    let state = if (nth / KEYS).is_multiple_of(2) { ResourceState::Raised } else { ResourceState::Cleared };
    alarm("port.signal", format!("port-{}", nth % KEYS), state, Severity::Minor, ProbableCause::LossOfSignal)
}

/// How often an agent's reports have raised an alarm, if all of them count.
fn raises(reports: u32) -> u64 {
    let (rounds, rest) = (u64::from(reports / KEYS), u64::from(reports % KEYS));
    rounds.div_ceil(2) * u64::from(KEYS) + if rounds.is_multiple_of(2) { rest } else { 0 }
}

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut centre = Centre::new("faults")?;
    let api = centre.start()?;
    let site = api.customer("BN", &patient_tier()).await?;
    let address = centre.address()?;
    let mut agents = Vec::new();
    for number in 0..plan.agents {
        let name = api.equipment("BN", &site, &format!("ne-{number}"), None).await?;
        let agent = Agent::enrol(&centre, &api, &name).await?;
        let link = agent.connect(&address).await?;
        agents.push((agent, link));
    }
    let each = plan.events.div_ceil(plan.agents);
    let begun = Instant::now();
    let mut sending = JoinSet::new();
    for (mut agent, mut link) in agents {
        sending.spawn(async move {
            agent.send(&mut link, (0..each).map(report)).await?;
            anyhow::Ok((agent, link))
        });
    }
    let mut acknowledged = Vec::new();
    while let Some(task) = sending.join_next().await {
        acknowledged.push(task??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    centre.kill();
    let raw = raw::rows_per_s(&centre.database(), plan.events.max(10_000))?;
    // What a crash left.
    let api = centre.start()?;
    let address = centre.address()?;
    let mut lost = 0;
    for (agent, link) in acknowledged {
        drop(link);
        lost += agent.sent() - agent.connect(&address).await?.acknowledged.min(agent.sent());
    }
    let listed = api.all("/api/v1/alarms?customer=BN").await?;
    let counted: Option<u64> = listed.iter().map(|alarm| alarm["count"].as_u64()).sum();
    let wanted = raises(each) * u64::from(plan.agents);
    lost += wanted.abs_diff(counted.context("alarms without a count")?);
    let stored = f64::from(each) * f64::from(plan.agents) / seconds;
    Ok(vec![
        row("events.stored", stored, "/s"),
        row("events.raw", raw, "rows/s"),
        row("events.ratio_to_raw", stored / raw, "ratio"),
        row("events.lost", f64::from(u32::try_from(lost).unwrap_or(u32::MAX)), "count"),
    ])
}
