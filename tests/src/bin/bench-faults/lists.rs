//! How long lists and acknowledgements take when very much is there.

use std::time::Instant;

use anyhow::Context;
use lineman_common::alarm::{ProbableCause, ResourceState, Severity};
use serde_json::json;

use crate::agent::Agent;
use crate::centre::{Api, Centre, patient_tier};
use crate::events::alarm;
use crate::plan::Plan;
use crate::report::{Row, percentile, row};
use crate::seed;

/// Equipment that the alarms are spread over.
const DEVICES: u32 = 100;

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut centre = Centre::new("faults")?;
    let api = centre.start()?;
    let site = api.customer("BN", &patient_tier()).await?;
    for number in 0..DEVICES {
        api.equipment("BN", &site, &format!("ne-{number}"), None).await?;
    }
    let mut agent = Agent::enrol(&centre, &api, "ne-0.bn.ne").await?;
    let mut link = agent.connect(&centre.address()?).await?;
    let of = |qualifier: &str, state| alarm("port.signal", qualifier.into(), state, Severity::Minor, ProbableCause::LossOfSignal);
    let template = [of("raised", ResourceState::Raised), of("cleared", ResourceState::Raised), of("cleared", ResourceState::Cleared)];
    agent.send(&mut link, template).await?;
    drop(link);
    centre.stop()?;
    seed(&centre, plan)?;
    let api = centre.start()?;
    let lists = ask_lists(&api, plan).await?;
    let acknowledged = acknowledge(&api, plan).await?;
    let p95 = |samples: &[f64]| percentile(samples, 0.95);
    Ok(vec![
        row("lists.list_p50", percentile(&lists, 0.5), "ms"),
        row("lists.list_p95", p95(&lists), "ms"),
        row("lists.acknowledge_p50", percentile(&acknowledged, 0.5), "ms"),
        row("lists.acknowledge_p95", p95(&acknowledged), "ms"),
    ])
}

fn seed(centre: &Centre, plan: &Plan) -> anyhow::Result<()> {
    let connection = seed::open(&centre.database())?;
    connection.execute_batch("CREATE TEMP TABLE device AS SELECT row_number() OVER (ORDER BY id) - 1 AS n, id FROM equipment; CREATE INDEX temp.device_n ON device(n)")?;
    let equipment = format!("(SELECT d.id FROM device d WHERE d.n = number.n % {DEVICES})");
    for (qualifier, count, ids) in [("raised", plan.open, "alm_1"), ("cleared", plan.historic, "alm_2")] {
        let id = format!("printf('{ids}%031x', number.n)");
        let name = format!("'{qualifier}-' || number.n");
        let ago = "t.changed_at - number.n * 1000000";
        let changed = [("id", id.as_str()), ("equipment", equipment.as_str()), ("qualifier", name.as_str()), ("changed_at", ago)];
        seed::copies(&connection, "alarm", &format!("qualifier = '{qualifier}'"), count, &changed)?;
    }
    // The planner knows as much as it would after a while.
    connection.execute_batch("PRAGMA optimize=0x10002; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

/// What consoles and people ask for, in turn.
async fn ask_lists(api: &Api, plan: &Plan) -> anyhow::Result<Vec<f64>> {
    let first = api.get("/api/v1/alarms?state=raised").await?;
    let next = first["next"].as_str().map_or_else(String::new, |next| format!("&after={}", next.replace('+', "%2B")));
    let asked = [
        "/api/v1/alarms?state=raised".to_owned(),
        format!("/api/v1/alarms?state=raised{next}"),
        "/api/v1/alarms".to_owned(),
        "/api/v1/alarms?state=raised&customer=BN".to_owned(),
        "/api/v1/alarms?equipment=ne-7.bn.ne&state=raised".to_owned(),
        "/api/v1/alarms?state=cleared&limit=100".to_owned(),
        "/api/v1/alarms/summary".to_owned(),
    ];
    let mut times = Vec::new();
    for path in asked.iter().cycle().take(plan.asked as usize) {
        let begun = Instant::now();
        api.get(path).await?;
        times.push((path.clone(), begun.elapsed().as_secs_f64() * 1e3));
    }
    for path in &asked {
        let own: Vec<f64> = times.iter().filter(|(asked, _)| asked == path).map(|(_, time)| *time).collect();
        eprintln!("  {:8.1} ms p95  {path}", percentile(&own, 0.95));
    }
    Ok(times.into_iter().map(|(_, time)| time).collect())
}

async fn acknowledge(api: &Api, plan: &Plan) -> anyhow::Result<Vec<f64>> {
    let listed = api.get("/api/v1/alarms?state=raised&limit=1000").await?;
    let alarms = listed["items"].as_array().context("no list")?;
    let mut times = Vec::new();
    for alarm in alarms.iter().take(plan.asked as usize) {
        let id = alarm["id"].as_str().context("an id")?;
        let begun = Instant::now();
        api.post(&format!("/api/v1/alarms/{id}/acknowledgement"), &json!({"note": "seen by the bench"})).await?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}
