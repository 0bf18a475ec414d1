//! `make bench-kill`: how long it takes until a session is really over.
//!
//! A real demo, stock `ssh` with a terminal, and inside a process that hid with `setsid`, `nohup` and an empty environment. Timed from
//! the moment that the word is given until `ssh` has ended and the hidden process is dead: killed by the carrier over the API, killed on
//! the device, the consent revoked, everything of the customer stopped. `ROUNDS` of each (default 20); `SMOKE=1` makes one.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lineman_tests::{Demo, bin, eventually, run};
use serde_json::json;

const NE: &str = "ne-1.jw.ne";
/// What the design promises.
const GOAL_S: f64 = 1.0;

fn main() -> anyhow::Result<()> {
    let smoke = std::env::var_os("SMOKE").is_some_and(|value| value != "0" && !value.is_empty());
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(if smoke { 1 } else { 20 });
    let demo = Demo::up(1);
    let filed = json!({"equipment": NE, "title": "bench of ends", "impact": "none"});
    let fault = demo.http(Some("noc-jw")).post("/api/v1/faults", &filed).ok()["number"].as_str().context("a number")?.to_owned();
    let mut results = Vec::new();
    for (name, end) in ENDS {
        let mut seconds = Vec::new();
        for round in 0..rounds {
            seconds.push(one(&demo, &fault, round, *end)?);
        }
        seconds.sort_by(f64::total_cmp);
        results.push((*name, seconds[seconds.len() / 2], *seconds.last().context("no rounds")?));
    }
    println!("{:<28}{:>10}{:>10}   ({rounds} rounds each)", "until the session is over", "median", "longest");
    for (name, median, longest) in &results {
        println!("{name:<28}{median:>8.3} s{longest:>8.3} s");
    }
    let metric = |(name, median, longest): &(&str, f64, f64)| {
        let name = name.replace(' ', "_");
        [
            (format!("{name}_median_s"), json!({"value": median, "unit": "s", "goal": format!("<= {GOAL_S}")})),
            (format!("{name}_longest_s"), json!({"value": longest, "unit": "s", "goal": format!("<= {GOAL_S}")})),
        ]
    };
    let metrics: serde_json::Map<_, _> = results.iter().flat_map(metric).collect();
    let file = report_dir()?.join("kill.json");
    std::fs::create_dir_all(file.parent().context("a folder")?)?;
    std::fs::write(&file, serde_json::to_string_pretty(&json!({"metrics": metrics}))? + "\n")?;
    println!("written: {}", file.display());
    Ok(())
}

fn report_dir() -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os("BENCH_DIR") {
        return Ok(dir.into());
    }
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).context("this program is in no target folder")?.join("bench"))
}

/// Ends the session: gets the demo, the session's and the consent's id.
type End = fn(&Demo, &str, &str);

const ENDS: &[(&str, End)] = &[
    ("killed over the API", |demo, session, _| {
        demo.http(Some("noc-jw")).post(&format!("/api/v1/sessions/{session}/kill"), &json!({"reason": "bench"})).ok();
    }),
    ("killed on the device", |demo, session, _| {
        run(Command::new(bin("lineman-agent")).args(["kill", session, "--state"]).arg(demo.agent("ne-1"))).ok();
    }),
    ("consent revoked", |demo, _, consent| {
        demo.http(Some("noc-jw")).post(&format!("/api/v1/consents/{consent}/revocation"), &json!({"reason": "bench"})).ok();
    }),
    ("customer stopped", |demo, _, _| {
        demo.http(Some("noc-jw")).post("/api/v1/customers/JW/stop", &json!({"reason": "bench"})).ok();
    }),
];

fn one(demo: &Demo, fault: &str, round: u32, end: End) -> anyhow::Result<f64> {
    let consent = demo.consented(fault, "shell,exec", "1h");
    let mark = format!("{}.{round}", 7_000_000 + std::process::id());
    let hide = format!("setsid nohup env -i sleep {mark} </dev/null >/dev/null 2>&1 & exec sleep 600");
    let mut ssh = Command::new("ssh");
    ssh.arg("-F").arg(demo.ssh_config()).args(["-tt", NE, &hide]);
    let mut ssh = ssh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let session = eventually("the session is live, and something hides in it", || {
        let live = demo.http(Some("noc-jw")).get(&format!("/api/v1/sessions?fault={fault}&state=live")).ok();
        let id = live["items"][0]["id"].as_str().map(str::to_owned).ok_or_else(|| live.to_string())?;
        if hidden(&mark) { Ok(id) } else { Err("nothing hides yet".into()) }
    });
    let begun = Instant::now();
    end(demo, &session, &consent);
    let over = over(&mut ssh, &mark, begun)?;
    // Back to where the next round begins: no consent, nothing stopped.
    let noc = demo.http(Some("noc-jw"));
    let stopped =
        noc.get("/api/v1/customers").ok()["items"].as_array().is_some_and(|list| list.iter().any(|one| !one["stopped"].is_null()));
    if stopped {
        noc.post("/api/v1/customers/JW/resume", &json!({"reason": "bench"})).ok();
    } else if noc.get(&format!("/api/v1/consents/{consent}")).ok()["state"] == "live" {
        noc.post(&format!("/api/v1/consents/{consent}/revocation"), &json!({"reason": "bench"})).ok();
    }
    Ok(over)
}

/// Is a process of this mark alive?
fn hidden(mark: &str) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    processes.flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.starts_with(b"sleep\0") && line.windows(mark.len()).any(|part| part == mark.as_bytes())
    })
}

fn over(ssh: &mut Child, mark: &str, begun: Instant) -> anyhow::Result<f64> {
    loop {
        if ssh.try_wait()?.is_some() && !hidden(mark) {
            return Ok(begun.elapsed().as_secs_f64());
        }
        ensure!(begun.elapsed() < Duration::from_secs(60), "the session goes on");
        std::thread::sleep(Duration::from_millis(2));
    }
}
