//! A line dies, and everything behind it complains: how long until one fault stands, and until everything is in the list.

use std::time::{Duration, Instant};

use anyhow::ensure;
use lineman_common::alarm::{ProbableCause, ResourceState, Severity};
use tokio::task::JoinSet;

use crate::agent::Agent;
use crate::centre::{Centre, patient_tier};
use crate::events::alarm;
use crate::plan::Plan;
use crate::report::{Row, row};

/// Devices behind the one that fails.
const BEHIND: u32 = 50;
/// What has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(300);
/// Nothing changes any more when nothing has changed for so long.
const QUIET: Duration = Duration::from_secs(2);

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut centre = Centre::new("faults")?;
    let api = centre.start()?;
    let site = api.customer("BN", &patient_tier()).await?;
    let address = centre.address()?;
    let top = api.equipment("BN", &site, "core", None).await?;
    let mut parent = Agent::enrol(&centre, &api, &top).await?;
    let mut parent_link = parent.connect(&address).await?;
    let behind = BEHIND.min(plan.storm);
    let mut agents = Vec::new();
    for number in 0..behind {
        let name = api.equipment("BN", &site, &format!("ne-{number}"), Some("core")).await?;
        let agent = Agent::enrol(&centre, &api, &name).await?;
        let link = agent.connect(&address).await?;
        agents.push((agent, link));
    }
    let begun = Instant::now();
    let dead = alarm("uplink", String::new(), ResourceState::Raised, Severity::Critical, ProbableCause::CommunicationsSubsystemFailure);
    parent.send(&mut parent_link, [dead]).await?;
    let each = plan.storm.div_ceil(behind);
    let mut sending = JoinSet::new();
    for (mut agent, mut link) in agents {
        sending.spawn(async move {
            let lost = |port| {
                let (raised, major) = (ResourceState::Raised, Severity::Major);
                alarm("port.signal", format!("port-{port}"), raised, major, ProbableCause::LossOfSignal)
            };
            agent.send(&mut link, (0..each).map(lost)).await?;
            anyhow::Ok((agent, link))
        });
    }
    let mut kept = Vec::new();
    while let Some(task) = sending.join_next().await {
        kept.push(task??);
    }
    let stored_s = begun.elapsed().as_secs_f64();
    let wanted = u64::from(each) * u64::from(behind) + 1;
    let (mut listed, mut listed_s) = (0, 0.0);
    while listed < wanted {
        ensure!(begun.elapsed() < PATIENCE, "{listed} of {wanted} alarms are in the list after {} s", PATIENCE.as_secs());
        listed = api.all("/api/v1/alarms?customer=BN&state=raised").await?.len() as u64;
        listed_s = begun.elapsed().as_secs_f64();
    }
    // Faults that are opened and merged again would show as a change.
    let (mut faults, mut since, mut settled_s) = (0, Instant::now(), 0.0);
    while faults == 0 || since.elapsed() < QUIET {
        ensure!(begun.elapsed() < PATIENCE, "{faults} faults stand after {} s, and their number changes", PATIENCE.as_secs());
        let now = api.all("/api/v1/faults?customer=BN&status=open").await?.len();
        if now != faults {
            (faults, since, settled_s) = (now, Instant::now(), begun.elapsed().as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop((kept, parent_link));
    Ok(vec![
        row("storm.acknowledged", stored_s, "s"),
        row("storm.listed", listed_s, "s"),
        row("storm.one_fault", settled_s.max(stored_s), "s"),
        row("storm.faults", f64::from(u32::try_from(faults).unwrap_or(u32::MAX)), "count"),
        row("storm.lost", f64::from(u32::try_from(wanted.abs_diff(listed)).unwrap_or(u32::MAX)), "count"),
    ])
}
