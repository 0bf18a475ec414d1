//! How late clocks warn while very many run: from the events' own particulars, when it was due and when the server recorded it.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::centre::{Api, Centre, patient_tier};
use crate::plan::Plan;
use crate::report::{Row, percentile, row};
use crate::seed;

/// Target of the clocks that come due; they warn at 50, 75 and 90 %, and are missed at 100.
const TARGET_S: u32 = 20;
const WARNINGS: usize = 4;

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut centre = Centre::new("faults")?;
    let api = centre.start()?;
    let site = api.customer("BN", &patient_tier()).await?;
    api.equipment("BN", &site, "ne-0", None).await?;
    let hasty =
        json!({"name": "hasty", "accept_s": TARGET_S, "respond_s": null, "restore_s": [null, null, null], "resolve_s": [null, null, null]});
    let site = api.customer("HS", &hasty).await?;
    api.equipment("HS", &site, "ne-0", None).await?;
    let filed = api.post("/api/v1/faults", &json!({"equipment": "ne-0.bn.ne", "title": "template", "impact": "partial"})).await?;
    let template = filed["id"].as_str().context("an id")?.to_owned();
    centre.stop()?;
    seed(&centre, plan, &template)?;
    let api = centre.start()?;
    // What was open before is looked at once after a start; the figures are of a server that is up.
    tokio::time::sleep(Duration::from_secs(if plan.watched > 1000 { 30 } else { 1 })).await;
    let mut numbers = Vec::new();
    for number in 0..plan.due {
        let filed = json!({"equipment": "ne-0.hs.ne", "title": format!("hasty {number}"), "impact": "partial"});
        let filed = api.post("/api/v1/faults", &filed).await?;
        numbers.push(filed["number"].as_str().context("a number")?.to_owned());
    }
    let begun = Instant::now();
    let wanted = numbers.len() * WARNINGS;
    let mut late = Vec::new();
    while begun.elapsed() < Duration::from_secs(u64::from(TARGET_S) * 3) && late.len() < wanted {
        tokio::time::sleep(Duration::from_secs(2)).await;
        if begun.elapsed() > Duration::from_secs(u64::from(TARGET_S)) {
            late = lateness(&api, &numbers).await?;
        }
    }
    ensure!(!late.is_empty(), "no clock warned in {} s", begun.elapsed().as_secs());
    let missing = u32::try_from(wanted - late.len().min(wanted))?;
    let begun = Instant::now();
    api.get("/api/v1/reports?by=product").await?;
    let figures_s = begun.elapsed().as_secs_f64();
    let lists = ask_lists(&api, plan).await?;
    Ok(vec![
        row("clocks.late_p50", percentile(&late, 0.5), "s"),
        row("clocks.late_p95", percentile(&late, 0.95), "s"),
        row("clocks.late_max", percentile(&late, 1.0), "s"),
        row("clocks.missing", f64::from(missing), "count"),
        row("faults.figures", figures_s, "s"),
        row("faults.list_p50", percentile(&lists, 0.5), "ms"),
        row("faults.list_p95", percentile(&lists, 0.95), "ms"),
    ])
}

/// Faults as consoles and people list them, while all those are open.
async fn ask_lists(api: &Api, plan: &Plan) -> anyhow::Result<Vec<f64>> {
    let asked = [
        "/api/v1/faults",
        "/api/v1/faults?status=all&limit=1000",
        "/api/v1/faults?customer=HS&status=all",
        "/api/v1/faults?equipment=ne-0.bn.ne",
        "/api/v1/faults?text=template",
        "/api/v1/faults?text=hasty+7",
    ];
    let mut times = Vec::new();
    for path in asked.iter().cycle().take(plan.asked as usize) {
        let begun = Instant::now();
        api.get(path).await?;
        times.push((path, begun.elapsed().as_secs_f64() * 1e3));
    }
    for path in &asked {
        let own: Vec<f64> = times.iter().filter(|(asked, _)| *asked == path).map(|(_, time)| *time).collect();
        eprintln!("  {:8.1} ms p95  {path}", percentile(&own, 0.95));
    }
    Ok(times.into_iter().map(|(_, time)| time).collect())
}

/// Faults whose clocks run for long: copies of one, and of what its log says.
fn seed(centre: &Centre, plan: &Plan, template: &str) -> anyhow::Result<()> {
    let connection = seed::open(&centre.database())?;
    let id = "printf('flt_3%031x', number.n)";
    seed::copies(&connection, "fault", &format!("id = '{template}'"), plan.watched, &[("id", id), ("serial", "1000 + number.n")])?;
    let story = format!("fault = '{template}' AND kind = 'fault.reported'");
    // The copied links of the chain fit nowhere: nobody checks the chain here.
    seed::copies(
        &connection,
        "event",
        &story,
        plan.watched,
        &[("fault", id), ("link", "1000000 + number.n"), ("shown", "1000000 + number.n")],
    )?;
    connection.execute("UPDATE customer SET last_fault = 10000000 WHERE code = 'BN'", [])?;
    connection.execute_batch("PRAGMA optimize=0x10002; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

async fn lateness(api: &Api, numbers: &[String]) -> anyhow::Result<Vec<f64>> {
    let mut late = Vec::new();
    for number in numbers {
        let story = api.get(&format!("/api/v1/faults/{number}/timeline")).await?;
        let said = story["items"].as_array().context("no list")?.iter();
        for event in said.filter(|event| event["kind"] == "clock.warned" || event["kind"] == "clock.breached") {
            late.push(seconds_late(event)?);
        }
    }
    Ok(late)
}

fn seconds_late(event: &Value) -> anyhow::Result<f64> {
    let moment = |value: &Value| -> anyhow::Result<Timestamp> { Ok(value.as_str().context("a time")?.parse()?) };
    Ok(moment(&event["recorded_at"])?.duration_since(moment(&event["data"]["due_at"])?).as_secs_f64().max(0.0))
}
