//! Faults filed over the API: one after another, and by eight at once.

use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use crate::centre::{Api, Centre, patient_tier};
use crate::plan::Plan;
use crate::report::{Row, percentile, row};

const AT_ONCE: u32 = 8;

pub async fn measure(plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let mut centre = Centre::new("faults")?;
    let api = centre.start()?;
    let site = api.customer("BN", &patient_tier()).await?;
    for number in 0..10 {
        api.equipment("BN", &site, &format!("ne-{number}"), None).await?;
    }
    let alone = plan.filed.div_ceil(AT_ONCE);
    let (alone_s, times) = file(api.clone(), 0, alone).await?;
    let begun = Instant::now();
    let mut filing = JoinSet::new();
    for who in 0..AT_ONCE {
        filing.spawn(file(api.clone(), who, plan.filed.div_ceil(AT_ONCE)));
    }
    while let Some(task) = filing.join_next().await {
        task??;
    }
    let together_s = begun.elapsed().as_secs_f64();
    Ok(vec![
        row("filing.alone", f64::from(alone) / alone_s, "/s"),
        row("filing.alone_p95", percentile(&times, 0.95), "ms"),
        row("filing.together", f64::from(plan.filed.div_ceil(AT_ONCE) * AT_ONCE) / together_s, "/s"),
    ])
}

pub async fn file(api: Api, who: u32, count: u32) -> anyhow::Result<(f64, Vec<f64>)> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    for number in 0..count {
        let equipment = format!("ne-{}.bn.ne", number % 10);
        let title = format!("line {number} of {who} is down since this morning");
        let one = Instant::now();
        api.post("/api/v1/faults", &json!({"equipment": equipment, "title": title, "impact": "partial"})).await?;
        times.push(one.elapsed().as_secs_f64() * 1e3);
    }
    Ok((begun.elapsed().as_secs_f64(), times))
}
