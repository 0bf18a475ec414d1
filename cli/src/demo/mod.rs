//! `lineman demo`: a whole support centre on one machine, to live through the story.
//!
//! Nothing in it is faked. It is a real server, real agents that each enrol with a token and keys of their own, and everything
//! in it is entered through the API; only the network elements are simulated (see [`element`]), and the data is plainly demo
//! data. So the demo is also the end-to-end test: what works here works at a carrier's.
//!
//! All files are in one directory ([`place`]), all processes are written down ([`fleet`]), so that `demo down` finds and ends
//! them even after a crash of the command that started them.

mod agent_config;
mod cases;
mod contexts;
mod down;
mod element;
mod error;
mod fleet;
mod keys;
mod place;
mod plan;
mod process;
mod report;
mod seed;
mod up;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use lineman_common::people::Role;
use serde::{Deserialize, Serialize};

pub use element::Part;
pub use error::Error;

use crate::exit::{Exit, Outcome};
use crate::output::Out;
use place::Place;

/// A whole support centre on this machine, to live through the story
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman demo up\n  lineman demo break ne-1 fan\n  lineman demo down")]
pub enum Command {
    /// Start a demo: a server, agents with simulated elements, people, and a case library
    #[command(
        after_help = "Examples:\n  lineman demo up\n  lineman demo up --detach --json --dir /tmp/demo\n  lineman demo up --fresh --agents 12"
    )]
    Up(Up),
    /// End the demo and delete its files
    #[command(after_help = "Examples:\n  lineman demo down\n  lineman demo down --keep --dir /tmp/demo")]
    Down(Down),
    /// Make a part of an element really bad, so that its agent raises an alarm
    #[command(after_help = "Examples:\n  lineman demo break ne-1 fan\n  lineman demo break ne-4.yw.ne link")]
    Break(Touch),
    /// Put a part of an element right from outside, as a technician on site would
    #[command(after_help = "Examples:\n  lineman demo repair ne-1 fan")]
    Repair(Touch),
    /// Show what of the demo runs, and what is broken
    #[command(after_help = "Examples:\n  lineman demo status\n  lineman demo status -o json")]
    Status(Where),
    /// Become a program in a session of its own
    #[command(hide = true, after_help = "Examples:\n  lineman demo exec -- sleep 60")]
    Exec {
        program: PathBuf,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
pub struct Where {
    /// The demo's directory [default: lineman/demo in $XDG_STATE_HOME or ~/.local/state]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    pub place: Where,
    /// Return when all is up; `lineman demo down` ends it
    #[arg(long)]
    pub detach: bool,
    /// Print one JSON object that says where everything is
    #[arg(long)]
    pub json: bool,
    /// Address on which the server listens, and by which agents and people reach it
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_parser = one_address)]
    pub listen: IpAddr,
    /// Port of the server [default: 7443, or a free one]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Port of the SSH jump [default: 2222, or a free one]
    #[arg(long, value_name = "PORT")]
    pub jump_port: Option<u16>,
    /// How many elements, each with its agent
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub agents: u16,
    /// Add a file's text to the agent.toml of an element, like `ne-2=sink.toml`: to try a policy, a sink, a limit
    #[arg(long, value_name = "ELEMENT=FILE")]
    pub with: Vec<With>,
    /// End a demo that runs in the same directory first
    #[arg(long)]
    pub fresh: bool,
}

/// `ELEMENT=FILE`.
#[derive(Clone, Debug)]
pub struct With {
    pub handle: String,
    pub file: PathBuf,
}

impl std::str::FromStr for With {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (handle, file) = text
            .split_once('=')
            .filter(|(handle, file)| !handle.is_empty() && !file.is_empty())
            .ok_or("expected ELEMENT=FILE, like ne-2=sink.toml")?;
        Ok(Self { handle: handle.to_owned(), file: file.into() })
    }
}

/// An address that can be dialled: tokens and certificates carry it.
fn one_address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| "expected an address of this machine, like 10.77.0.1 or fd77::1")?;
    if address.is_unspecified() { Err("it must be one address: devices dial it".to_owned()) } else { Ok(address) }
}

#[derive(Debug, Args)]
pub struct Down {
    #[command(flatten)]
    pub place: Where,
    /// Keep the files, for a look at logs and data
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct Touch {
    /// Like `ne-1` or `ne-1.jw.ne`
    pub handle: String,
    pub part: Part,
    #[command(flatten)]
    pub place: Where,
}

/// A demo that is up: what `demo up --json` prints, and what the other commands read from `demo.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Description {
    /// URL of the server.
    pub server: String,
    /// `host:port` of the SSH jump.
    pub jump: String,
    /// File with the certificate authority to trust.
    pub ca: PathBuf,
    /// Private key of the first customer's approver.
    pub consent_key: PathBuf,
    /// Private key of `engineer-a`.
    pub engineer_key: PathBuf,
    pub people: Vec<PersonEntry>,
    /// Handles, as `demo break` takes them.
    pub equipment: Vec<String>,
    /// The same, with names and places.
    pub devices: Vec<Device>,
    pub dir: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct PersonEntry {
    pub name: String,
    pub role: Role,
    pub customer: Option<String>,
    pub token: String,
    /// For the sign-in page, and for `POST /api/v1/sign-in`.
    pub password: String,
    /// A link that signs a browser in as this person, for as long as the demo lives.
    pub sign_in: String,
    /// The context that the client's configuration has for this person.
    pub context: String,
    /// The private key that the person signs with.
    pub key: Option<PathBuf>,
    /// The directory of what the person believes.
    pub trust: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Device {
    pub handle: String,
    /// Like `ne-1.jw.ne`.
    pub name: String,
    pub customer: String,
    /// The simulated element's directory.
    pub element: PathBuf,
    /// The agent's state directory.
    pub state: PathBuf,
    /// Its owner takes consents that were signed in a page of the console.
    #[serde(default)]
    pub browser_keys: bool,
}

pub async fn run(command: Command, out: &Out) -> Outcome {
    match command {
        Command::Up(args) => done(up::up(&args, out).await, out),
        Command::Down(args) => done(down::down(&args, out).await, out),
        Command::Break(args) => done(touch(&args, true, out), out),
        Command::Repair(args) => done(touch(&args, false, out), out),
        Command::Status(place) => {
            report::status(&Place::existing(place.dir.as_deref())?, out)?;
            Ok(Exit::Done)
        }
        Command::Exec { program, args } => Err(process::become_program(&program, &args).into()),
    }
}

/// Shows the end of the log before the error that names it.
fn done(result: Result<(), Error>, out: &Out) -> Outcome {
    if let Err(Error::Step { log, .. }) = &result {
        out.say(format!("the end of {}:\n{}", log.display(), process::tail(log)));
    }
    result?;
    Ok(Exit::Done)
}

/// Breaks or repairs.
fn touch(args: &Touch, bad: bool, out: &Out) -> Result<(), Error> {
    let place = Place::existing(args.place.dir.as_deref())?;
    let running = fleet::processes(&place)?.iter().any(process::Process::is_running);
    if !running || !place.description().exists() {
        return Err(Error::NotRunning { dir: place.dir().to_owned() });
    }
    let demo = description(&place)?;
    let device = demo.devices.iter().find(|device| [&device.handle, &device.name].contains(&&args.handle));
    let device = device.ok_or_else(|| Error::NoElement { handle: args.handle.clone(), known: demo.equipment.join(", ") })?;
    if bad {
        element::break_part(&device.element, args.part)?;
    } else {
        element::repair(&device.element, args.part)?;
    }
    out.say(format!("{}: {} is {}", device.name, args.part.as_str(), if bad { "broken" } else { "repaired" }));
    Ok(())
}

fn description(place: &Place) -> Result<Description, Error> {
    let path = place.description();
    serde_json::from_str(&place::read(&path)?).map_err(|e| Error::Data(format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A demo as it could be in `dir`.
    pub fn description(dir: &str) -> Description {
        let dir = PathBuf::from(dir);
        let person = PersonEntry {
            name: "engineer-a".into(),
            role: Role::Engineer,
            customer: None,
            token: "t".into(),
            password: "p".into(),
            sign_in: "https://127.0.0.1:7443/sign-in?code=c".into(),
            context: "demo-engineer-a".into(),
            key: Some(dir.join("keys/vendor/engineer-a")),
            trust: dir.join("keys/vendor"),
        };
        Description {
            server: "https://127.0.0.1:7443".into(),
            jump: "127.0.0.1:2222".into(),
            ca: dir.join("server/ca.pem"),
            consent_key: dir.join("keys/jw/approver-jw"),
            engineer_key: dir.join("keys/vendor/engineer-a"),
            people: vec![person],
            equipment: vec!["ne-1".into()],
            devices: Vec::new(),
            dir,
        }
    }

    #[test]
    fn the_address_is_one_that_can_be_dialled() {
        assert_eq!(one_address("fd77::1").unwrap().to_string(), "fd77::1");
        assert!(one_address("0.0.0.0").unwrap_err().contains("devices dial it"));
        assert!(one_address("centre.example").unwrap_err().contains("10.77.0.1"));
    }

    #[test]
    fn the_description_has_the_promised_fields() {
        let json = serde_json::to_value(description("/d")).unwrap();
        for field in ["server", "jump", "ca", "consent_key", "engineer_key", "people", "equipment"] {
            assert!(json.get(field).is_some(), "{field}");
        }
        for field in ["name", "role", "customer", "token", "password", "sign_in"] {
            assert!(json["people"][0].get(field).is_some(), "{field}");
        }
        assert_eq!(json["equipment"][0], "ne-1");
    }
}
