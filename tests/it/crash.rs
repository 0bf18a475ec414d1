//! `kill -9` of server and agents in the middle of their work: nothing acknowledged is lost, nothing is doubled, and everything
//! comes back by itself.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use lineman_tests::{Demo, Process, bin, eventually};
use serde_json::Value;

const NE: &str = "ne-1.jw.ne";
/// Changes that an alarm keeps.
const RING: u64 = 32;

fn kill9(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a kill");
}

fn agent(demo: &Demo, name: &str) -> Process {
    let mut command = Command::new(bin("lineman-agent"));
    command.arg("run").arg("--state").arg(demo.agent(name));
    Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
}

fn alarm(demo: &Demo) -> Result<Value, String> {
    let alarms = demo.http(Some("admin-z")).get(&format!("/api/v1/alarms?equipment={NE}")).ok();
    let los = alarms["items"].as_array().into_iter().flatten().find(|alarm| alarm["probable_cause"] == "loss_of_signal");
    los.cloned().ok_or_else(|| alarms.to_string())
}

fn becomes(demo: &Demo, state: &str, count: u64) {
    eventually(&format!("the alarm is {state}, raised {count} times"), || {
        let alarm = alarm(demo)?;
        if alarm["state"] == state && alarm["count"] == count { Ok(()) } else { Err(alarm.to_string()) }
    });
}

/// A few in `make test`, many in `make soak`.
fn rounds() -> u64 {
    if std::env::var_os("SOAK").is_some() { 300 } else { 6 }
}

pub fn nothing_acknowledged_is_lost_or_doubled() {
    let demo = Demo::up(2);
    kill9(demo.pid_of("server"));
    kill9(demo.pid_of("ne-1"));
    let mut agent_process = agent(&demo, "ne-1");

    // Rounds of raise and clear; in each, somebody dies in the middle, or is not there at all.
    let mut server_process = demo.start_server();
    for round in 1..=rounds() {
        demo.do_break("ne-1", "link");
        match round % 3 {
            0 => server_process.kill9(),
            1 => agent_process.kill9(),
            _ => {
                server_process.kill9();
                agent_process.kill9();
            }
        }
        if round % 3 != 1 {
            // The agent that lives meanwhile reports into its spool.
            server_process = demo.start_server();
        }
        if round % 3 != 0 {
            agent_process = agent(&demo, "ne-1");
        }
        becomes(&demo, "raised", round);
        if round == 1 {
            // What clears before that opens none.
            eventually("its fault is open", || demo.open_fault(NE));
        }
        demo.repair("ne-1", "link");
        server_process.kill9();
        server_process = demo.start_server();
        becomes(&demo, "cleared", round);
    }

    // One change each, in the order in which things happened; the alarm was one entry all the time, and had one fault.
    let admin = demo.http(Some("admin-z"));
    let faults = admin.get(&format!("/api/v1/faults?equipment={NE}&status=all")).ok();
    let faults = faults["items"].as_array().expect("faults");
    assert_eq!(faults.len(), 1, "the same alarm raised again joins the fault that is open: {faults:?}");
    let alarm = alarm(&demo).expect("the alarm");
    assert_eq!(alarm["count"], rounds(), "{alarm}");
    let alarm = admin.get(&format!("/api/v1/alarms/{}", alarm["id"].as_str().expect("an id"))).ok();
    let changes = alarm["changes"].as_array().expect("changes");
    assert_eq!(u64::try_from(changes.len()).ok(), Some((2 * rounds()).min(RING)), "{changes:?}");
    for pair in changes.windows(2) {
        assert_ne!(pair[0]["state"], pair[1]["state"], "{changes:?}");
    }
    for chain in admin.get("/api/v1/audit/chain").ok()["items"].as_array().expect("chains") {
        assert!(chain.get("broken_at").is_none(), "{chain}");
    }

    // Health: no report twice, and none missing between the first and the last, but for the time when the agent was dead.
    let health = admin.get(&format!("/api/v1/equipment/{NE}/health?limit=10000")).ok();
    let reports = health["reports"].as_array().expect("reports");
    let times: BTreeSet<_> = reports.iter().map(|report| report["at"].as_str().expect("a time")).collect();
    assert_eq!(times.len(), reports.len(), "a report was stored twice");
    assert!(reports.len() > 6, "{} reports", reports.len());
    drop((server_process, agent_process));
}
