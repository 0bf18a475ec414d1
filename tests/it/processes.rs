//! The programs as processes: what they say of themselves, and what they leave.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lineman_tests::{Demo, bin, run};
use serde_json::Value;

pub fn the_description_is_what_the_server_serves(demo: &Demo) {
    let served = demo.http(None).get("/api/v1/openapi.json").ok();
    let printed = run(Command::new(bin("lineman-server")).arg("openapi")).json();
    let routes = |api: &Value| -> Vec<String> { api["paths"].as_object().expect("paths").keys().cloned().collect() };
    assert_eq!(routes(&served), routes(&printed));
    assert_eq!(served["components"]["schemas"], printed["components"]["schemas"]);
    let health = demo.http(None).get("/healthz").ok();
    assert_eq!(health["status"], "ok");
    assert!(health.get("agents_online").is_none(), "nobody is told how large the fleet is: {health}");
    let inside = demo.http(Some("engineer-a")).get("/healthz").ok();
    assert!(inside["agents_online"].as_u64().is_some_and(|count| count >= 8), "{inside}");
    // The console, or the page that says it was not built.
    let page = demo.http(None).get("/");
    assert!(page.status == 200 && page.body.as_str().is_some_and(|html| html.starts_with("<!doctype html>")), "{page:?}");
    demo.http(None).get("/api/v1/nothing").problem(404, "not_found");
}

pub fn an_agent_says_how_it_is(demo: &Demo) {
    let agent = |args: &[&str]| run(Command::new(bin("lineman-agent")).args(args).arg("--state").arg(demo.agent("ne-4")));
    let status = agent(&["status", "--json"]).json();
    assert_eq!(status["device"], "ne-4.jw.ne", "{status}");
    agent(&["status"]).ok().says("ne-4.jw.ne");
    agent(&["doctor"]).ok();
    agent(&["sessions"]).ok();
    agent(&["consent", "list"]).ok();
    let report = run(Command::new(bin("lineman-agent")).args(["collect", "--once", "--json"])).json();
    let metrics = report["metrics"].as_object().expect("metrics");
    for name in ["cpu.busy_percent", "load.avg_1m", "memory.used_percent", "fs./.used_percent"] {
        assert!(metrics.contains_key(name), "{name} is missing in {metrics:?}");
    }
}

pub fn a_backup_taken_while_it_runs_restores(demo: &Demo) {
    let dir = demo.scratch("backup");
    let (copy, config) = (dir.join("copy.db"), demo.dir().join("server/server.toml"));
    let server = |args: &[&str]| run(Command::new(bin("lineman-server")).args(args));
    let [copy_text, config_text] = [&copy, &config].map(|path| path.display().to_string());
    server(&["check-config", "--config", &config_text]).ok().says("is good");
    server(&["backup", "--config", &config_text, "--to", &copy_text]).ok();
    server(&["backup", "--config", &config_text, "--to", &copy_text]).exits(1).says("exists already");
    // Not in place of a database that a server uses.
    server(&["restore", "--config", &config_text, "--from", &copy_text]).exits(1).says("stop it first");
    // In a folder of its own, it is a whole database.
    let other = dir.join("other");
    fs::create_dir_all(&other).expect("a folder");
    let text = fs::read_to_string(&config).expect("the configuration");
    let lines = text.lines().map(|line| if line.starts_with("listen =") { "listen = \"127.0.0.1:0\"" } else { line });
    fs::write(other.join("server.toml"), lines.collect::<Vec<_>>().join("\n")).expect("a file");
    let other_config = other.join("server.toml").display().to_string();
    server(&["restore", "--config", &other_config, "--from", &copy_text]).ok();
    server(&["migrate", "--config", &other_config]).ok();
    fs::write(other.join("bad.toml"), "listen = \"nowhere\"").expect("a file");
    server(&["check-config", "--config", &other.join("bad.toml").display().to_string()]).exits(1).says("listen");
}

pub fn the_demo_leaves_nothing_behind() {
    let demo = Demo::up(2);
    let pids = ["server", "ne-1", "ne-2"].map(|name| demo.pid_of(name));
    // One that has ended and waits to be reaped by whoever adopted it is gone for us.
    let alive = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let dir = demo.dir();
    assert!(pids.iter().all(|pid| alive(*pid)));
    // A second one in the same place is refused, and does not hurt the first.
    demo.person("admin-z").args(["demo", "up", "--dir", &dir.display().to_string(), "--detach"]).output().exits(6);
    assert!(pids.iter().all(|pid| alive(*pid)));
    drop(demo);
    assert!(pids.iter().all(|pid| !alive(*pid)), "processes are left");
    assert!(!dir.exists(), "files are left");
}

pub fn the_kills_bench_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = run(Command::new(bin("bench-kill")).env("SMOKE", "1").env("BENCH_DIR", dir.path()).stdin(Stdio::null())).ok();
    let report: Value = serde_json::from_str(&std::fs::read_to_string(dir.path().join("kill.json")).expect("a report")).expect("JSON");
    let metrics = report["metrics"].as_object().expect("metrics");
    assert!(metrics.len() == 8 && metrics.values().all(|metric| metric["value"].as_f64().is_some_and(|s| s > 0.0)), "{report} {out:?}");
}

pub fn the_agents_bench_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut bench = Command::new(bin("bench-agent"));
    let out = run(bench.env("SMOKE", "1").env("BENCH_DIR", dir.path()).stdin(Stdio::null())).ok();
    let text = fs::read_to_string(dir.path().join("agent.json")).expect("its figures");
    let figures: Value = serde_json::from_str(&text).expect("JSON");
    assert!(figures["metrics"]["agent.rss"]["value"].as_f64().is_some_and(|mib| mib > 0.0), "{out:?}");
}

/// Everything is measured on every road where there is an sshd to compare with; that is a package which only the bench needs.
pub fn the_sessions_bench_runs() {
    if !["/usr/sbin/sshd", "/usr/local/sbin/sshd"].iter().any(|place| Path::new(place).is_file()) {
        eprintln!("bench-session did not run: openssh-server is not installed");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let bench = |args: &[&str]| run(Command::new(bin("bench-session")).args(args).env("BENCH_DIR", dir.path()).stdin(Stdio::null()));
    let out = bench(&["--small", "--json"]).ok();
    let report: Value = serde_json::from_str(&out.stdout).expect("JSON");
    let written = fs::read_to_string(dir.path().join("session.json")).expect("a report");
    assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), report);
    assert_eq!(report["facts"]["same_everywhere"], true, "what is compared is not the same: {report:#}");
    let metrics = report["metrics"].as_object().expect("metrics");
    let measured = |metric: &str| metrics.get(metric).and_then(|metric| metric["value"].as_f64());
    for road in ["direct", "proxyjump", "lineman_j", "lineman_ssh"] {
        for metric in ["first_cold_p50", "first_mux_p90", "echo_p50", "echo_p99", "exec_down", "exec_up", "sftp_get", "sftp_put"] {
            assert!(measured(&format!("{road}.{metric}")).is_some_and(|value| value > 0.0), "{road}.{metric}: {report:#}");
        }
        for metric in ["exec_down_cpu", "sftp_put_cpu", "session_device", "session_centre", "idle_device"] {
            assert!(measured(&format!("{road}.{metric}")).is_some(), "{road}.{metric}: {report:#}");
        }
    }
    let goals: Vec<_> = metrics.values().filter(|metric| metric.get("goal").is_some()).collect();
    assert!(goals.len() == 14 && goals.iter().all(|goal| goal["met"].is_boolean()), "{report:#}");
    // What it can't do, it says.
    bench(&["--small", "--cipher", "rot13"]).exits(1).says("rot13");
    bench(&["--fast"]).exits(1).says("`--fast` is not known");
}
