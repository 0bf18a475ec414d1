//! The command line.

mod local;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use jiff::Timestamp;
use lineman_common::id::SessionId;
use lineman_common::link::LogLevel;
use lineman_common::name::PersonName;
use lineman_common::session::EndReason;

use self::local::{ConsentCommand, SignersCommand, consent_line, pending_line};
use crate::checks::{self, Roots};
use crate::config::Settings;
use crate::control::{self, Question, Reply, Status};
use crate::dial::config::LinkConfig;
use crate::enrol::{Enrolment, enrol};
use crate::journal::{self, Head};
use crate::session::child;
use crate::session::registry::SessionInfo;
use crate::sink::inspect;
use crate::{doctor, log, start};

/// A check of `doctor` or `journal` failed.
const CHECK_FAILED: u8 = 8;

#[derive(Parser)]
#[command(name = "lineman-agent", version, about = "Lineman's agent: health, alarms and consented remote sessions of this equipment")]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 8 a check of `doctor` or `journal` failed.")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Enrol this device with the centre, once
    #[command(after_help = "Example: lineman-agent enrol --token-file token --signers signers --vendor-root vendor-root \\\n  \
                            --vouched-by tech-jw --state /var/lib/lineman-agent\n\
                            Then the technician signs the device statement with the carrier's key:\n  \
                            ssh-keygen -Y sign -n device@lineman -f KEY /var/lib/lineman-agent/device-statement")]
    Enrol {
        /// File with the enrolment token; `-` reads standard input
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
        /// The carrier's signers (allowed_signers format), from the technician, never from the centre
        #[arg(long, value_name = "FILE")]
        signers: PathBuf,
        /// The vendor root that signs rosters, from the technician
        #[arg(long, value_name = "FILE")]
        vendor_root: PathBuf,
        /// Who will sign the device statement
        #[arg(long, value_name = "NAME")]
        vouched_by: PersonName,
        /// How long the statement is to be valid
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(i64).range(1..=3650))]
        valid_days: i64,
        /// Reach the centre through this HTTP proxy, like http://proxy.example:3128, also from now on: it is written into the local file
        #[arg(long, value_name = "URL")]
        proxy: Option<String>,
        /// Who the proxy is to take this device for
        #[arg(long, value_name = "NAME", requires_all = ["proxy", "proxy_password_file"])]
        proxy_user: Option<String>,
        /// File with that user's password, for the agent's account only
        #[arg(long, value_name = "FILE", requires = "proxy_user")]
        proxy_password_file: Option<PathBuf>,
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Run the agent until SIGTERM
    #[command(after_help = "Example: lineman-agent run --state /var/lib/lineman-agent")]
    Run {
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        config: ConfigFile,
        /// error, warn, info or debug
        #[arg(long, default_value = "info", env = "LINEMAN_AGENT_LOG")]
        log_level: LogLevel,
    },
    /// Show what the running agent is doing
    #[command(after_help = "Example: lineman-agent status --state /var/lib/lineman-agent --json")]
    Status {
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
    /// Check what stands between this device and the centre
    #[command(after_help = "Example: lineman-agent doctor --state /var/lib/lineman-agent")]
    Doctor {
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        form: Form,
    },
    /// List the live sessions, or those that were
    #[command(after_help = "Examples: lineman-agent sessions --state /var/lib/lineman-agent\n          \
                            lineman-agent sessions --ended --state /var/lib/lineman-agent")]
    Sessions {
        /// Instead, the device's own log of sessions: begin and end, with the head of each recording's chain
        #[arg(long)]
        ended: bool,
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
    /// The device's own log of who entered, by whose consent, and of what was done on the device itself
    #[command(after_help = "Examples: lineman-agent journal --state /var/lib/lineman-agent\n          \
                            lineman-agent journal --check --state /var/lib/lineman-agent")]
    Journal {
        /// Instead, recompute its chain of hashes and compare it with what the sinks were sent
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
    /// End a session now, with all its processes
    #[command(after_help = "Example: lineman-agent kill ses_0192f0c1d2e37abc8def0123456789ab --state /var/lib/lineman-agent")]
    Kill {
        session: SessionId,
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
    /// Consents that are live on this device, and requests that wait
    Consent {
        #[command(subcommand)]
        command: ConsentCommand,
    },
    /// End every session and consent, and take none until `resume`
    #[command(after_help = "Example: lineman-agent stop --reason \"works in building 4\" --state /var/lib/lineman-agent")]
    Stop(local::StopArguments),
    /// Take a stop back; what it ended stays ended
    #[command(after_help = "Example: lineman-agent resume --state /var/lib/lineman-agent")]
    Resume(local::ResumeArguments),
    /// The carrier's signers, who approve consents for this device
    Signers {
        #[command(subcommand)]
        command: SignersCommand,
    },
    /// The time that lists of keys are judged by
    Clock {
        #[command(subcommand)]
        command: ClockCommand,
    },
    /// Measure and print one health report
    #[command(after_help = "Example: lineman-agent collect --once --json")]
    Collect {
        /// One report; there is no other way yet
        #[arg(long, required = true)]
        once: bool,
        #[command(flatten)]
        config: ConfigFile,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Subcommand)]
enum ClockCommand {
    /// Believe the wall clock again, after it was found wrong, or an approver's was; set it right first
    #[command(after_help = "Example: lineman-agent clock reset --state /var/lib/lineman-agent")]
    Reset {
        #[command(flatten)]
        state: State,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(clap::Args)]
struct State {
    /// The agent's state directory
    #[arg(long = "state", value_name = "DIR", env = "LINEMAN_AGENT_STATE")]
    dir: PathBuf,
}

#[derive(clap::Args)]
struct ConfigFile {
    /// The local file; default: agent.toml in the state directory, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(clap::Args)]
struct Form {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// For the re-executed agent; everything else goes through [`Arguments`].
pub fn is_session_child() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == child::ARGUMENT)
}

pub async fn obey(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Enrol {
            token_file,
            signers,
            vendor_root,
            vouched_by,
            valid_days,
            proxy,
            proxy_user,
            proxy_password_file,
            state: State { dir: state },
            config: ConfigFile { config },
        } => {
            let link = proxy.map(|proxy| LinkConfig { proxy: Some(proxy), proxy_user, proxy_password_file, leg_tls: None });
            let request = Enrolment { token_file, signers, vendor_root, vouched_by, valid_days, state, config, link };
            let enrolled = enrol(&request).await?;
            println!("device            {}", enrolled.device);
            println!("host key          {}", enrolled.host_key);
            println!("fingerprint       {}", enrolled.fingerprint);
            println!("device statement  {}", enrolled.statement.display());
        }
        Command::Run { state, config, log_level } => {
            start::run(&state.dir, config.config.as_deref(), log::start(log_level)).await?;
        }
        Command::Doctor { state, config, form } => {
            let findings = doctor::examine(&state.dir, config.config.as_deref()).await;
            show(&findings, form.json, |findings| {
                for doctor::Finding { check, ok, text } in findings {
                    println!("{}  {check:<18}{text}", if *ok { "ok  " } else { "FAIL" });
                }
            })?;
            if findings.iter().any(|finding| !finding.ok) {
                return Ok(ExitCode::from(CHECK_FAILED));
            }
        }
        Command::Status { state, form } => ask(&state.dir, Question::Status, form.json).await?,
        Command::Sessions { ended: true, state, form } => {
            let path = state.dir.display();
            let heads = journal::sessions(&state.dir).with_context(|| format!("reading the log of sessions in {path}"))?;
            show(&heads, form.json, |heads| heads.iter().for_each(head_line))?;
        }
        Command::Journal { check: false, state, form } => inspect::show(&state.dir, form.json, &mut std::io::stdout().lock())?,
        Command::Journal { check: true, state, form } => {
            if !inspect::examine(&state.dir, form.json, &mut std::io::stdout().lock())? {
                return Ok(ExitCode::from(CHECK_FAILED));
            }
        }
        Command::Sessions { ended: false, state, form } => ask(&state.dir, Question::Sessions, form.json).await?,
        Command::Consent { command } => local::consent(command).await?,
        Command::Stop(arguments) => local::stop(arguments).await?,
        Command::Resume(arguments) => local::resume(arguments).await?,
        Command::Signers { command } => local::signers(command).await?,
        Command::Clock { command: ClockCommand::Reset { state, form } } => ask(&state.dir, Question::ResetClock, form.json).await?,
        Command::Kill { session, state, form } => ask(&state.dir, Question::Kill { session }, form.json).await?,
        Command::Collect { once: _, config, form } => {
            let settings = Settings::find(config.config.as_deref(), Path::new("."))?;
            let report = tokio::task::spawn_blocking(|| checks::collect_once(settings.checks, Roots::default())).await?;
            show(&report, form.json, |report| {
                for (metric, value) in &report.metrics {
                    println!("{metric}\t{value}");
                }
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show<T: serde::Serialize>(value: &T, json: bool, lines: impl FnOnce(&T)) -> anyhow::Result<()> {
    if json {
        println!("{}", serde_json::to_string(value)?);
    } else {
        lines(value);
    }
    Ok(())
}

async fn ask(dir: &Path, question: Question, json: bool) -> anyhow::Result<()> {
    let control::Answer { reply, warnings } = control::ask_for_all(dir, &question).await?;
    for warning in warnings {
        eprintln!("lineman-agent: warning: {warning}");
    }
    match reply {
        Reply::Status(status) => show(&status, json, |status| status_lines(status)),
        Reply::Sessions { sessions } => show(&sessions, json, |sessions| sessions.iter().for_each(session_line)),
        Reply::Consents { consents } => show(&consents, json, |consents| consents.iter().for_each(consent_line)),
        Reply::Clock { forgotten, now } => show(&serde_json::json!({"forgotten": forgotten, "now": now}), json, |_| match forgotten {
            Some(forgotten) => println!("lists were judged at {forgotten} or later; now by the wall clock: {now}"),
            None => println!("lists are judged by the wall clock: {now}"),
        }),
        Reply::Pending { requests } => show(&requests, json, |requests| requests.iter().for_each(pending_line)),
        Reply::Live { consent, until } => show(&serde_json::json!({"consent": consent, "until": until}), json, |_| {
            println!("{consent} is live until {until}");
        }),
        Reply::Resumed { still } => show(&serde_json::json!({"stopped": still}), json, |_| match &still {
            Some(still) => println!("your stop is taken back; the device still {still}"),
            None => println!("consents are taken again; what was ended stays ended"),
        }),
        Reply::Signers { counter, expiry } => show(&serde_json::json!({"signers": counter, "expiry": expiry}), json, |_| {
            println!("signer list number {counter} is in force, valid until {expiry}");
        }),
        Reply::Done | Reply::Refused { .. } => show(&serde_json::json!({"done": true}), json, |_| println!("done")),
    }
}

fn status_lines(status: &Status) {
    let link = match (&status.link.problem, status.link.connected) {
        (_, true) => format!("up since {}", status.link.since),
        (Some(problem), false) => format!("down since {}: {problem}", status.link.since),
        (None, false) => "connecting".to_owned(),
    };
    println!("device          {}", status.device);
    println!("software        {}", status.software);
    println!("server          {}", status.server);
    println!("link            {link}");
    println!("interval        {} s", status.interval_s);
    let until = |at: Option<Timestamp>| at.map_or_else(String::new, |at| format!(", valid until {at}"));
    println!("roster          {}{}", status.roster, until(status.roster_expiry));
    println!("signers         {}{}", status.signers, until(Some(status.signers_expiry)));
    if let Some(stopped) = &status.stopped {
        println!("STOPPED         this device {stopped}");
    }
    println!("spool           {} of {} bytes, epoch {}", status.spool_bytes, status.spool_max_bytes, status.spool_epoch);
    let waiting: Vec<_> = status.unacknowledged.iter().map(|(stream, count)| format!("{stream} {count}")).collect();
    println!("unacknowledged  {}", waiting.join(", "));
    println!("sessions        {}", status.sessions);
    println!("consents        {}", status.consents);
    for sink in &status.sinks {
        println!("sink            {sink}");
    }
}

fn session_line(session: &SessionInfo) {
    println!("{session}");
}

fn head_line(head: &Head) {
    let Head { at, session, consent, engineer, chunks, head, reason } = head;
    let reason = reason.map_or("began", EndReason::as_str);
    println!("{at}\t{session}\t{reason}\t{engineer}\t{consent}\t{chunks}\t{head}");
}
