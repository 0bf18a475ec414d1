//! Transfers: how fast, and what they cost in CPU time of everything on that road: the client's processes, the servers, their children.
//!
//! A transfer is timed from a mark that is made just before it to its end, so that the time to get in, which `first` measures, is not
//! in it; its CPU is that of the whole visit.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};

use crate::kernel;
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{Row, percentile};
use crate::roads::{Road, Roads};
use crate::stop::{self, Running};

const MARK: &str = "here-it-begins";
const END: &str = "here-it-ends";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Transfer {
    ExecDown,
    ExecUp,
    SftpGet,
    SftpPut,
}

impl Transfer {
    const ALL: [Self; 4] = [Self::ExecDown, Self::ExecUp, Self::SftpGet, Self::SftpPut];

    const fn name(self) -> &'static str {
        match self {
            Self::ExecDown => "exec_down",
            Self::ExecUp => "exec_up",
            Self::SftpGet => "sftp_get",
            Self::SftpPut => "sftp_put",
        }
    }
}

struct Sample {
    mib_s: f64,
    cpu_s_per_gib: f64,
}

pub fn measure(roads: &Roads, plan: &Plan) -> anyhow::Result<Vec<Row>> {
    let source = roads.file("source");
    fill(&source, plan.size_mib)?;
    let mut rows = Vec::new();
    for transfer in Transfer::ALL {
        let mut speeds: [Vec<f64>; 4] = Default::default();
        let mut costs: [Vec<f64>; 4] = Default::default();
        let progress = Progress::new(transfer.name(), plan.bulk_rounds);
        for round in 0..plan.bulk_rounds {
            for (at, road) in Road::ALL.into_iter().enumerate() {
                progress.at(round, road.title());
                let sample = one(roads, road, transfer, plan.size_mib).with_context(|| format!("{}, {}", transfer.name(), road.title()))?;
                speeds[at].push(sample.mib_s);
                costs[at].push(sample.cpu_s_per_gib);
            }
        }
        rows.push(Row::of_all(transfer.name().to_owned(), "MiB/s", &speeds, |all| percentile(all, 0.5)));
        rows.push(Row::of_all(format!("{}_cpu", transfer.name()), "s/GiB", &costs, |all| percentile(all, 0.5)));
    }
    std::fs::remove_file(source)?;
    Ok(rows)
}

/// Random, so that nothing on the way can make it smaller; readable for every account.
fn fill(file: &Path, size_mib: u32) -> anyhow::Result<()> {
    let (mut random, mut file) = (File::open("/dev/urandom")?, File::create(file)?);
    let mut mib = vec![0; 1 << 20];
    for _ in 0..size_mib {
        stop::check()?;
        random.read_exact(&mut mib)?;
        file.write_all(&mib).context("the file to carry")?;
    }
    Ok(())
}

fn one(roads: &Roads, road: Road, transfer: Transfer, size_mib: u32) -> anyhow::Result<Sample> {
    let (servers, daemons) = (roads.servers(road), roads.daemons());
    kernel::settled(&servers, &daemons)?;
    let spent = || -> anyhow::Result<f64> {
        let far: anyhow::Result<f64> = servers.iter().map(|pid| kernel::cpu_s(*pid)).sum();
        Ok(far? + kernel::clients_cpu_s()?)
    };
    let before = spent()?;
    let seconds = match transfer {
        Transfer::ExecDown | Transfer::ExecUp => exec(roads, road, transfer)?,
        Transfer::SftpGet | Transfer::SftpPut => sftp(roads, road, transfer, size_mib)?,
    };
    kernel::settled(&servers, &daemons)?;
    let gib = f64::from(size_mib) / 1024.0;
    Ok(Sample { mib_s: f64::from(size_mib) / seconds, cpu_s_per_gib: (spent()? - before) / gib })
}

/// `cat` there, and the file or nothing here. The mark comes on stderr.
fn exec(roads: &Roads, road: Road, transfer: Transfer) -> anyhow::Result<f64> {
    let source = roads.file("source");
    let down = transfer == Transfer::ExecDown;
    let words = if down { format!("cat {}", source.display()) } else { "cat >/dev/null".to_owned() };
    let mut command = roads.ssh(road, &[], &[&format!("echo {MARK} >&2; {words}; echo {END} >&2")]);
    if !down {
        command.stdin(File::open(source)?);
    }
    let mut client = Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
    let lines = client.0.stderr.take().context("no stderr")?;
    finish(lines, client)
}

/// `get` or `put` of one file, between two marks that a shell on this side prints.
fn sftp(roads: &Roads, road: Road, transfer: Transfer, size_mib: u32) -> anyhow::Result<f64> {
    let (source, copy) = (roads.file("source"), roads.file("copy"));
    let verb = if transfer == Transfer::SftpGet { "get" } else { "put" };
    let batch = format!("!echo {MARK}\n{verb} {} {}\n!echo {END}\n", source.display(), copy.display());
    let mut command: Command = roads.sftp(road);
    let mut client = Running::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()))?;
    client.0.stdin.take().context("no input")?.write_all(batch.as_bytes())?;
    let lines = client.0.stdout.take().context("no output")?;
    let seconds = finish(lines, client)?;
    let arrived = std::fs::metadata(&copy)?.len();
    std::fs::remove_file(copy)?;
    ensure!(arrived == u64::from(size_mib) << 20, "{arrived} bytes arrived");
    Ok(seconds)
}

/// Seconds from the mark to the end, once the client has ended well.
fn finish(lines: impl Read, client: Running) -> anyhow::Result<f64> {
    let (mut begun, mut took, mut said) = (None, None, String::new());
    for line in BufReader::new(lines).lines() {
        let line = line?;
        match line.as_str() {
            MARK => begun = Some(Instant::now()),
            END => took = begun.map(|begun: Instant| begun.elapsed().as_secs_f64()),
            other => said += &format!("\n{other}"),
        }
    }
    let status = client.wait()?;
    ensure!(status.success(), "it ended with {status}:{said}");
    took.with_context(|| format!("it never began, or never ended:{said}"))
}
