//! The programs that the agent is compared with, where Debian's packages of them are installed.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use lineman_tests::Process;

use crate::Plan;
use crate::meter::{Figures, Meter};

/// `None`: it is not installed.
type Measure = fn(&Plan) -> anyhow::Result<Option<Figures>>;

pub const ALL: &[(&str, Measure)] = &[("node_exporter", node_exporter), ("collectd", collectd)];

const PATIENCE: Duration = Duration::from_secs(20);

fn installed(names: &[&str]) -> Option<PathBuf> {
    let mut places = names.iter().flat_map(|name| ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(|dir| Path::new(dir).join(name)));
    places.find(|place| place.is_file())
}

fn start(command: &mut Command) -> Process {
    Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
}

/// As Debian starts it, with its default collectors; scraped as Prometheus would.
fn node_exporter(plan: &Plan) -> anyhow::Result<Option<Figures>> {
    let Some(program) = installed(&["prometheus-node-exporter", "node_exporter"]) else { return Ok(None) };
    // Free a moment ago; should somebody take it first, the exporter fails, and that is said.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let process = start(Command::new(program).arg(format!("--web.listen-address={address}")));
    let begun = Instant::now();
    while let Err(error) = scrape(address) {
        ensure!(begun.elapsed() < PATIENCE, "it does not answer: {error:#}");
        std::thread::sleep(Duration::from_millis(100));
    }
    // The first scrapes make its heap grow.
    let settled = Instant::now() + plan.settle;
    while Instant::now() < settled {
        scrape(address)?;
        std::thread::sleep(plan.settle / 2);
    }
    Meter::over(process.0.id(), plan, || scrape(address)).map(Some)
}

fn scrape(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut reply = String::new();
    stream.take(16 * 1024 * 1024).read_to_string(&mut reply)?;
    ensure!(reply.starts_with("HTTP/1.1 200") && reply.contains("node_load1"), "not metrics: {reply:.200}");
    Ok(())
}

/// The plugins that read what the agent reads; it writes what it finds to files.
fn collectd(plan: &Plan) -> anyhow::Result<Option<Figures>> {
    let Some(program) = installed(&["collectd"]) else { return Ok(None) };
    let dir = tempfile::Builder::new().prefix("lineman-bench-").tempdir()?;
    let (base, config, data) = (dir.path().display(), dir.path().join("collectd.conf"), dir.path().join("csv"));
    let mut text = format!(
        "Hostname \"bench\"\nFQDNLookup false\nBaseDir \"{base}\"\nPIDFile \"{base}/pid\"\nInterval {}\n\
         TypesDB \"/usr/share/collectd/types.db\"\nLoadPlugin csv\n<Plugin csv>\n  DataDir \"{}\"\n</Plugin>\n",
        plan.interval_s,
        data.display()
    );
    for plugin in ["cpu", "memory", "load", "df", "disk", "interface"] {
        text += &format!("LoadPlugin {plugin}\n");
    }
    std::fs::write(&config, text)?;
    let process = start(Command::new(program).arg("-f").arg("-C").arg(&config));
    let begun = Instant::now();
    while !data.join("bench").is_dir() {
        ensure!(begun.elapsed() < PATIENCE + plan.settle, "it writes nothing");
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(plan.settle);
    let figures = Meter::over(process.0.id(), plan, || Ok(()))?;
    let plugins = std::fs::read_dir(data.join("bench")).context("its files")?.count();
    ensure!(plugins >= 5, "only {plugins} of its plugins wrote anything");
    Ok(Some(figures))
}
