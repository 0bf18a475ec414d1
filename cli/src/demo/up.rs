//! `demo up`: builds the demo, and holds it or lets it go.
//!
//! The order is that of a real roll-out: keys, the centre, who is who, trust, then each device with its own token and the
//! technician's signature, then the case library. Whatever fails on the way, and whoever interrupts it, everything that was
//! started is ended before the command returns.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lineman_common::api::Presence;
use lineman_common::name::NeName;
use serde::Deserialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use super::agent_config::agent_toml;
use super::element::{self, Account};
use super::fleet::{self, Fleet, GRACE};
use super::keys::Keys;
use super::place::{Place, read, write};
use super::plan::{self, ADMIN, AUTHOR, CUSTOMERS, REVIEWER};
use super::seed::{self, Centre, People};
use super::{Description, Device, Error, PersonEntry, Up, With, contexts, report};
use crate::client::{Client, Filter, Page};
use crate::output::Out;

/// The server's name among the processes, and of its log.
pub const SERVER: &str = "server";

const DEFAULT_PORT: u16 = 7443;
const DEFAULT_JUMP_PORT: u16 = 2222;

const READY_WITHIN: Duration = Duration::from_secs(60);
const ONLINE_WITHIN: Duration = Duration::from_secs(60);
/// How often a held demo is looked at.
const WATCH_EVERY: Duration = Duration::from_secs(1);

pub async fn up(args: &Up, out: &Out) -> Result<(), Error> {
    let place = Place::new(args.place.dir.as_deref())?;
    let mut stop = Stop::new()?;
    if args.fresh && place.is_demo() {
        super::down::end(&place, out).await?;
    }
    let lock = place.take()?;
    if fleet::processes(&place)?.iter().any(super::process::Process::is_running) {
        return Err(Error::Running { dir: place.dir().to_owned() });
    }
    element::remove_outside(&place)?;
    place.clear()?;
    let mut fleet = Fleet::new(&place)?;
    let built = tokio::select! {
        built = build(args, &place, &mut fleet, out) => built,
        () = stop.heard() => Err(Error::Interrupted),
    };
    let held = match built {
        // Released before it is announced: who reads that it is up may end it at once.
        Ok(demo) if args.detach => match fleet.release().and_then(|()| announce(args, &demo, out)) {
            Ok(()) => return Ok(()),
            Err(error) => Err(error),
        },
        Ok(demo) => hold(args, &demo, &mut fleet, &mut stop, out).await,
        Err(error) => Err(error),
    };
    out.say("ending the demo ...");
    // Whoever asks twice doesn't want to wait.
    let ended = tokio::select! {
        ended = fleet.end(GRACE) => ended,
        () = stop.heard() => fleet::end(&fleet::processes(&place)?, Duration::ZERO).await,
    };
    if let Err(error) = contexts::remove(place.dir()) {
        out.say(format!("the contexts of the demo stay: {error}"));
    }
    drop(lock);
    held.and(ended)
}

/// Says where everything is, and stays until told to end or until the server is gone.
async fn hold(args: &Up, demo: &Description, fleet: &mut Fleet, stop: &mut Stop, out: &Out) -> Result<(), Error> {
    announce(args, demo, out)?;
    out.say("Ctrl-C ends the demo.");
    loop {
        tokio::select! {
            () = stop.heard() => return Ok(()),
            () = sleep(WATCH_EVERY) => fleet.check(Some(SERVER))?,
        }
    }
}

fn announce(args: &Up, demo: &Description, out: &Out) -> Result<(), Error> {
    report::up(args, demo, out).map_err(|failure| Error::Data(failure.what))
}

/// The signals that end a demo.
struct Stop {
    signals: [Signal; 3],
}

impl Stop {
    fn new() -> Result<Self, Error> {
        let on = |kind| signal(kind).map_err(|source| Error::file("listen for", Path::new("signals"), source));
        Ok(Self { signals: [on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?] })
    }

    async fn heard(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

struct Programs {
    server: PathBuf,
    agent: PathBuf,
}

async fn build(args: &Up, place: &Place, fleet: &mut Fleet, out: &Out) -> Result<Description, Error> {
    let programs = Programs { server: find("lineman-server")?, agent: find("lineman-agent")? };
    let account = Account::choose()?;
    let keys = Keys::make(place)?;
    let (centre, jump) = start_server(args, place, fleet, &programs, out).await?;
    out.say(format!("  ✔ server      {}   SSH jump {jump}", centre.server));

    let admin_token = read(&place.token(ADMIN))?.trim().to_owned();
    let admin = centre.client(&admin_token)?;
    let (people, sites) = seed::organisation(&admin, &admin_token).await?;
    for (person, access) in &people {
        write(&place.token(person), 0o600, format!("{}\n", access.token))?;
    }
    seed::trust(&admin, &keys, &place.server()).await?;
    out.say(format!(
        "  ✔ {} customers {}, {} sites, {} tiers, {} people",
        CUSTOMERS.len(),
        codes(),
        sites.len(),
        plan::tiers().len(),
        people.len()
    ));

    let elements = element::home(place, &account)?;
    let plan = plan::equipment(args.agents);
    let mut devices = Vec::new();
    for equipment in &plan {
        let (name, token) = seed::equipment(&admin, &sites, equipment).await?;
        let element = elements.join(&equipment.handle);
        element::make(&element, &name, equipment, &account)?;
        let agent = Agent { equipment, name: &name, element: &element, account: &account, with: &args.with };
        agent.enrol(place, fleet, &programs, &keys, &admin, &token).await?;
        devices.push(agent.describe(place));
    }
    let log = place.log(SERVER);
    fleet.until("bringing all agents online", &log, ONLINE_WITHIN, async || all_online(&admin, plan.len()).await).await?;
    out.say(format!("  ✔ {:<2} agents   enrolled, online (real agent processes on this host)", plan.len()));

    let of = |name: &str| people.get(name).map(|access| access.token.as_str()).unwrap_or_default();
    let count = seed::library(&centre.client(of(AUTHOR))?, &centre.client(of(REVIEWER))?).await?;
    out.say(format!("  ✔ {count} cases    zh/en, reviewed and published"));

    let demo = describe(place, &centre.server, &jump, people, devices);
    let json = serde_json::to_string_pretty(&demo).map_err(Error::trust)?;
    write(&place.description(), 0o600, json + "\n")?;
    // Without a place for them, the demo is still worth having: tokens and addresses are in its description.
    match contexts::write(&demo) {
        Ok(None) => place.remember()?,
        Ok(Some(other)) => out.say(format!(
            "  the contexts demo-... stay with the demo in {}; for this one name --dir, or set LINEMAN_SERVER, LINEMAN_CA and LINEMAN_TOKEN",
            other.display()
        )),
        Err(error) => out.say(format!("  no contexts for the client: {error}")),
    }
    Ok(demo)
}

fn codes() -> String {
    CUSTOMERS.iter().map(|customer| customer.code).collect::<Vec<_>>().join(" ")
}

/// What the server says on stdout when everything is bound.
#[derive(Deserialize)]
struct Ready {
    server: String,
    jump: String,
}

async fn start_server(args: &Up, place: &Place, fleet: &mut Fleet, programs: &Programs, out: &Out) -> Result<(Centre, String), Error> {
    let (port, jump) = ports(args, out)?;
    let init = [
        "init".into(),
        "--dir".into(),
        place.server().into_os_string(),
        "--vendor-root".into(),
        place.keys("vendor").join("vendor-root").into_os_string(),
        "--admin".into(),
        ADMIN.into(),
        "--admin-token-file".into(),
        place.token(ADMIN).into_os_string(),
        "--listen".into(),
        SocketAddr::new(args.listen, port).to_string().into(),
        "--jump".into(),
        SocketAddr::new(args.listen, jump).to_string().into(),
        "--name".into(),
        args.listen.to_string().into(),
        "--name".into(),
        "localhost".into(),
        "--demo".into(),
    ];
    fleet.step("server-init", &programs.server, &init, "").await?;
    let run: [OsString; 3] = ["run".into(), "--config".into(), place.server().join("server.toml").into_os_string()];
    fleet.start(SERVER, &programs.server, &run)?;
    let stdout = fleet.stdout_of(SERVER);
    let log = place.log(SERVER);
    let ready = fleet.until("starting the server", &log, READY_WITHIN, async || ready_line(&read(&stdout)?)).await?;
    let ca = place.server().join("ca.pem");
    let ca_pem = std::fs::read(&ca).map_err(|source| Error::file("read", &ca, source))?;
    Ok((Centre { server: ready.server, ca_pem }, ready.jump))
}

/// The `ready` line, once it is complete.
fn ready_line(stdout: &str) -> Result<Option<Ready>, Error> {
    let mut lines = stdout.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let Some(json) = lines.find_map(|line| line.strip_prefix("ready ")) else { return Ok(None) };
    serde_json::from_str(json).map(Some).map_err(|e| Error::Data(format!("the server's ready line is not understood: {e}")))
}

/// The two ports: those asked for, else the usual ones if they are free, else any that are.
fn ports(args: &Up, out: &Out) -> Result<(u16, u16), Error> {
    // Both are held until both are known, so that they differ.
    let main = hold_port(args.listen, args.port, DEFAULT_PORT)?;
    let jump = hold_port(args.listen, args.jump_port, DEFAULT_JUMP_PORT)?;
    let number = |held: &TcpListener| {
        held.local_addr().map(|address| address.port()).map_err(|source| Error::Port { address: SocketAddr::new(args.listen, 0), source })
    };
    let (main, jump) = (number(&main)?, number(&jump)?);
    for (asked, usual, got) in [(args.port, DEFAULT_PORT, main), (args.jump_port, DEFAULT_JUMP_PORT, jump)] {
        if asked.is_none() && got != usual {
            out.say(format!("  port {usual} is taken, using {got} instead"));
        }
    }
    Ok((main, jump))
}

fn hold_port(listen: IpAddr, asked: Option<u16>, usual: u16) -> Result<TcpListener, Error> {
    let bind = |port| {
        let address = SocketAddr::new(listen, port);
        TcpListener::bind(address).map_err(|source| Error::Port { address, source })
    };
    match asked {
        Some(port) => bind(port),
        None => bind(usual).or_else(|_| bind(0)),
    }
}

/// One element and its agent.
struct Agent<'a> {
    equipment: &'a plan::Equipment,
    name: &'a NeName,
    element: &'a Path,
    account: &'a Account,
    with: &'a [With],
}

impl Agent<'_> {
    /// Token in, keys and statement out, the technician signs, the agent starts.
    async fn enrol(
        &self,
        place: &Place,
        fleet: &mut Fleet,
        programs: &Programs,
        keys: &Keys,
        admin: &Client,
        token: &str,
    ) -> Result<(), Error> {
        let handle = &self.equipment.handle;
        let customer = CUSTOMERS.iter().find(|customer| customer.code == self.equipment.customer);
        let customer = customer.ok_or_else(|| Error::Data(format!("no customer {}", self.equipment.customer)))?;
        let (state, trust) = (place.agent(handle), place.keys(&customer.side()));
        let enrol = [
            "enrol".into(),
            "--token-file".into(),
            "-".into(),
            "--signers".into(),
            trust.join("signers").into_os_string(),
            "--vendor-root".into(),
            trust.join("vendor-root").into_os_string(),
            "--vouched-by".into(),
            customer.technician().into(),
            "--state".into(),
            state.clone().into_os_string(),
        ];
        fleet.step(&format!("{handle}-enrol"), &programs.agent, &enrol, &format!("{token}\n")).await?;
        write(&state.join("agent.toml"), 0o600, agent_toml(handle, self.element, self.account, self.equipment.takes, &self.extra()?)?)?;
        let statement = keys.vouch(customer, read(&state.join("device-statement"))?)?;
        admin
            .put_statement(&self.name.to_string(), &statement)
            .await
            .map_err(Error::seed(format!("the device statement of {}", self.name)))?;
        fleet.start(handle, &programs.agent, &["run".into(), "--state".into(), state.into_os_string()])
    }

    /// What `--with` adds to this element's configuration.
    fn extra(&self) -> Result<String, Error> {
        let files = self.with.iter().filter(|with| with.handle == self.equipment.handle);
        files.map(|with| read(&with.file)).collect()
    }

    fn describe(&self, place: &Place) -> Device {
        Device {
            handle: self.equipment.handle.clone(),
            name: self.name.to_string(),
            customer: self.equipment.customer.to_owned(),
            element: self.element.to_owned(),
            state: place.agent(&self.equipment.handle),
            browser_keys: self.equipment.takes.browser_keys,
        }
    }
}

async fn all_online(admin: &Client, wanted: usize) -> Result<Option<()>, Error> {
    let page = Page { limit: u32::try_from(wanted).ok(), ..Page::default() };
    let list = admin.equipment(&Filter::default(), &page).await.map_err(Error::seed("the list of equipment"))?;
    let online = list.items.iter().filter(|equipment| equipment.presence == Presence::Online && equipment.vouched).count();
    Ok((online == wanted).then_some(()))
}

fn describe(place: &Place, server: &str, jump: &str, mut people: People, devices: Vec<Device>) -> Description {
    let people = plan::PEOPLE.iter().map(|person| {
        let trust = place.keys(&person.side());
        let access = people.remove(person.name).unwrap_or_default();
        PersonEntry {
            name: person.name.to_owned(),
            role: person.role,
            customer: person.customer.map(str::to_owned),
            token: access.token,
            password: access.password,
            sign_in: access.sign_in,
            context: person.context(),
            key: person.signs().then(|| trust.join(person.name)),
            trust,
        }
    });
    Description {
        server: server.to_owned(),
        jump: jump.to_owned(),
        ca: place.server().join("ca.pem"),
        consent_key: place.keys(&CUSTOMERS[0].side()).join(CUSTOMERS[0].approver()),
        engineer_key: place.keys("vendor").join(REVIEWER),
        people: people.collect(),
        equipment: devices.iter().map(|device| device.handle.clone()).collect(),
        devices,
        dir: place.dir().to_owned(),
    }
}

/// A program of ours: beside this one, where the build puts it, or in `PATH`.
fn find(name: &'static str) -> Result<PathBuf, Error> {
    let own = std::env::current_exe().map_err(|source| Error::file("find", Path::new("/proc/self/exe"), source))?;
    let beside = own.parent().unwrap_or(Path::new("/")).to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(beside.clone()).chain(std::env::split_paths(&path));
    let found = places.map(|dir| dir.join(name)).find(|file| file.is_file()).and_then(|file| file.canonicalize().ok());
    found.ok_or(Error::NoProgram { name, beside })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_counts_when_it_is_whole() {
        let line = "ready {\"server\":\"https://127.0.0.1:7443\",\"jump\":\"127.0.0.1:2222\"}\n";
        assert!(ready_line("").unwrap().is_none());
        assert!(ready_line(&line[..line.len() - 1]).unwrap().is_none());
        assert_eq!(ready_line(line).unwrap().unwrap().jump, "127.0.0.1:2222");
        assert!(ready_line("ready soon\n").is_err());
    }

    #[test]
    fn a_taken_port_is_avoided_unless_it_was_asked_for() {
        let here = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let taken = TcpListener::bind((here, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(hold_port(here, None, port).unwrap().local_addr().unwrap().port(), port);
        assert!(matches!(hold_port(here, Some(port), port), Err(Error::Port { .. })));
        assert_ne!(hold_port(here, Some(0), port).unwrap().local_addr().unwrap().port(), 0);
    }
}
