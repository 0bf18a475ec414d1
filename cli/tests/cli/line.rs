//! Lines: stock `ssh` reads a device's socket, which `lineman proxy` has fetched from the API's own port.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use lineman_common::error::ErrorCode;
use serde_json::{Value, json};

use super::server::Server;
use super::ssh::{centre_with, engineer, live};
use super::testing::World;
use super::{ends, lineman, run, stderr, stdout};

/// One port for both, as the real server has it: lines are answered here, everything else goes on to the API.
struct Front {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Heard {
    greetings: Vec<String>,
    /// What came after the greeting, up to the first line's end.
    banners: Vec<String>,
    stopping: bool,
}

impl Front {
    /// `server` is where the API is; a ticket is good once.
    fn start(server: Option<&Server>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let api = server.map(|server| server.url.strip_prefix("http://").unwrap().to_owned());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let all = heard.clone();
        let thread = std::thread::spawn(move || {
            std::thread::scope(|scope| {
                for stream in listener.incoming() {
                    if all.lock().unwrap().stopping {
                        break;
                    }
                    let (stream, api, all) = (stream.unwrap(), api.clone(), all.clone());
                    scope.spawn(move || connection(stream, api.as_deref(), &all));
                }
            });
        });
        Self { address, heard, thread: Some(thread) }
    }

    fn greetings(&self) -> Vec<String> {
        self.heard.lock().unwrap().greetings.clone()
    }

    /// The engineer's commands, at this port.
    fn engineer(&self, server: &Server, world: &World) -> Command {
        let mut command = engineer(server, world);
        command.env("LINEMAN_SERVER", format!("http://{}", self.address));
        command
    }

    /// Stock `ssh`, with everything that `lineman proxy` finds in the environment.
    fn ssh(&self, world: &World, args: &[&str]) -> Output {
        let mut ssh = Command::new("ssh");
        let config = world.path("lineman.ssh");
        ssh.env_clear().env("HOME", world.home()).env("PATH", std::env::var_os("PATH").unwrap());
        ssh.env("LINEMAN_TOKEN", "token-1").env("LINEMAN_SERVER", format!("http://{}", self.address)).stdin(Stdio::null());
        ssh.arg("-F").arg(config).args(args).output().unwrap()
    }

    fn config(&self, server: &Server, world: &World) {
        let file = world.path("lineman.ssh");
        ends(&run(&mut self.engineer(server, world), &["ssh-config", "--write", file.to_str().unwrap()]), 0);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.heard.lock().unwrap().stopping = true;
        drop(TcpStream::connect(self.address));
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the front panicked");
    }
}

fn connection(stream: TcpStream, api: Option<&str>, heard: &Mutex<Heard>) {
    let mut first = [0];
    match stream.peek(&mut first) {
        Ok(1) if first[0] == b'L' => line(stream, heard),
        Ok(1) if api.is_some() => both_ways(stream, TcpStream::connect(api.unwrap()).unwrap()),
        Ok(1) => http_proxy(stream, heard),
        _ => {}
    }
}

fn both_ways(one: TcpStream, other: TcpStream) {
    let copy = |from: &TcpStream, to: &TcpStream| {
        let _ = std::io::copy(&mut { from }, &mut { to });
        let _ = to.shutdown(Shutdown::Write);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| copy(&one, &other));
        copy(&other, &one);
    });
}

/// A device that says who it is, hears who comes, and hangs up.
fn line(stream: TcpStream, heard: &Mutex<Heard>) {
    let mut reader = BufReader::new(&stream);
    let mut text = String::new();
    reader.read_line(&mut text).unwrap();
    let used = heard.lock().unwrap().greetings.contains(&text);
    heard.lock().unwrap().greetings.push(text);
    if used {
        writeln!(&stream, "LINEMAN-LINE/1 NO the ticket was used").unwrap();
        return;
    }
    // In one piece: nothing that follows the answer may be swallowed.
    write!(&stream, "LINEMAN-LINE/1 OK\nSSH-2.0-Device_7\r\n").unwrap();
    let mut banner = String::new();
    let _ = reader.read_line(&mut banner);
    heard.lock().unwrap().banners.push(banner.clone());
    if banner == "ping\n" {
        let mut rest = String::new();
        let _ = reader.read_to_string(&mut rest);
        let _ = write!(&stream, "pong {rest}");
    }
}

/// An HTTP proxy that wants a password, with the server behind it.
fn http_proxy(stream: TcpStream, heard: &Mutex<Heard>) {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        (&stream).read_exact(&mut byte).unwrap();
        asked.push(byte[0]);
    }
    let asked = String::from_utf8(asked).unwrap();
    let fits = asked.starts_with("CONNECT support.example:7443 HTTP/1.1\r\n") && asked.contains("Proxy-Authorization: Basic dTpw\r\n");
    let answer = if fits { "HTTP/1.1 200 Connection established\r\n\r\n" } else { "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n" };
    (&stream).write_all(answer.as_bytes()).unwrap();
    if fits {
        line(stream, heard);
    }
}

/// A centre where everything is well, and the port in front of it.
fn open() -> (Arc<World>, Server, Front) {
    let world = Arc::new(World::new());
    let server = centre_with(&world, vec![live(&world)], Ok("ticket-1"));
    let front = Front::start(Some(&server));
    (world, server, front)
}

#[test]
fn stock_ssh_talks_to_the_device_itself() {
    let (world, server, front) = open();
    front.config(&server, &world);
    let consent = world.id.to_string();
    let output = front.ssh(&world, &["-v", "-l", &consent, "ne-1.jw.ne", "true"]);
    ends(&output, 255);
    assert!(stderr(&output).contains("remote software version Device_7"), "{}", stderr(&output));
    assert!(front.heard.lock().unwrap().banners[0].starts_with("SSH-2.0-OpenSSH"), "the device did not hear ssh");
    assert_eq!(front.greetings(), ["LINEMAN-LINE/1 ticket-1\n"]);
    assert_eq!(server.body("POST", "/api/v1/lines"), json!({"device": "ne-1.jw.ne", "consent": consent}));
    let asked = server.asked();
    let asked: Vec<_> = asked.iter().filter(|asked| asked.path == "/api/v1/lines").collect();
    assert_eq!(asked[0].header("authorization"), "Bearer token-1");
}

#[test]
fn a_user_that_is_no_consent_means_any() {
    let (world, server, front) = open();
    front.config(&server, &world);
    let output = front.ssh(&world, &["-v", "ne-1.jw.ne", "true"]);
    assert!(stderr(&output).contains("Device_7"), "{}", stderr(&output));
    assert_eq!(server.body("POST", "/api/v1/lines"), json!({"device": "ne-1.jw.ne"}));
}

#[test]
fn names_and_users_run_nothing() {
    let (world, server, front) = open();
    front.config(&server, &world);
    let mark = world.path("mark");
    let run = format!("touch {}", mark.display());
    for hostile in [format!("$({run})"), format!("`{run}`"), format!("x';{run};'"), format!("x;{run}"), format!("x\n{run}")] {
        front.ssh(&world, &["-l", &hostile, "ne-1.jw.ne", "true"]);
        front.ssh(&world, &["--", &format!("{hostile}.jw.ne"), "true"]);
        assert!(!mark.exists(), "{hostile:?} was run");
    }
}

#[test]
fn the_program_may_be_anywhere() {
    let (world, server, front) = open();
    let folder = world.path("a b $(id) 100% %n");
    std::fs::create_dir(&folder).unwrap();
    let program = folder.join("lineman");
    // By a process of its own: what this one has open for writing while another test starts a program can't be run for that moment.
    assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_lineman")).arg(&program).status().unwrap().success());
    let mut command = Command::new(&program);
    command.env_clear().envs(front.engineer(&server, &world).get_envs().filter_map(|(key, value)| Some((key, value?))));
    ends(&run(&mut command, &["ssh-config", "--write", world.path("lineman.ssh").to_str().unwrap()]), 0);
    for shell in
        ["/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/bin/csh"].iter().filter(|shell| std::path::Path::new(shell).exists())
    {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(world.path("lineman.ssh"))
            .args(["-v", "ne-1.jw.ne", "true"])
            .env("SHELL", shell)
            .env("HOME", world.home())
            .env("LINEMAN_TOKEN", "token-1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        // The second one's ticket is used up; it got as far all the same.
        let said = stderr(&output);
        assert!(said.contains("Device_7") || said.contains("the ticket was used"), "{shell}: {said}");
    }
    // What can't be quoted in every shell is refused.
    let odd = world.path("it's");
    std::fs::create_dir(&odd).unwrap();
    std::fs::rename(&program, odd.join("lineman")).unwrap();
    let mut command = Command::new(odd.join("lineman"));
    command.env_clear().envs(front.engineer(&server, &world).get_envs().filter_map(|(key, value)| Some((key, value?))));
    ends(&run(&mut command, &["ssh-config"]), 2);
}

#[test]
fn the_wrapper_asks_ahead_and_the_proxy_only_dials() {
    let (world, server, front) = open();
    let output = run(&mut front.engineer(&server, &world), &["ssh", "ne-1.jw.ne", "-v", "true"]);
    ends(&output, 255);
    assert!(stderr(&output).contains("Device_7"), "{}", stderr(&output));
    assert_eq!(server.body("POST", "/api/v1/lines")["device"], "ne-1.jw.ne");
    assert_eq!(front.greetings(), ["LINEMAN-LINE/1 ticket-1\n"]);
}

/// `lineman proxy` as a client that gives pipes starts it.
fn piped(command: &mut Command, input: &str) -> Output {
    super::run_with_stdin(command, &["proxy", "ne-1.jw.ne"], input)
}

#[test]
fn a_ticket_that_was_used_is_followed_by_a_new_one() {
    let (world, server, front) = open();
    let mut stale = front.engineer(&server, &world);
    stale.env("LINEMAN_LINE", format!("ne-1.jw.ne {} ticket-0", front.address));
    front.heard.lock().unwrap().greetings.push("LINEMAN-LINE/1 ticket-0\n".to_owned());
    let url = format!("http://{}", front.address);
    let output = super::run_with_stdin(&mut stale, &["--server", &url, "proxy", "ne-1.jw.ne"], "hello\n");
    ends(&output, 0);
    assert_eq!(stdout(&output), "SSH-2.0-Device_7\r\n");
    assert_eq!(front.greetings().last().unwrap(), "LINEMAN-LINE/1 ticket-1\n");
    // One for another device is none.
    let mut other = front.engineer(&server, &world);
    other.env("LINEMAN_LINE", format!("ne-2.jw.ne {} ticket-2", front.address));
    let output = super::run_with_stdin(&mut other, &["--server", &url, "proxy", "ne-1.jw.ne"], "");
    ends(&output, 5);
    assert!(stderr(&output).contains("the line was refused: the ticket was used"), "{}", stderr(&output));
}

#[test]
fn a_client_that_gives_pipes_gets_bytes() {
    let (world, server, front) = open();
    let output = piped(&mut front.engineer(&server, &world), "ping\nand more");
    ends(&output, 0);
    assert_eq!(stdout(&output), "SSH-2.0-Device_7\r\npong and more");
}

#[test]
fn a_terminal_or_a_file_is_told_what_this_is_for() {
    let (world, server, front) = open();
    let file = std::fs::File::create(world.path("out")).unwrap();
    let output = front.engineer(&server, &world).args(["proxy", "ne-1.jw.ne"]).stdout(file).output().unwrap();
    ends(&output, 2);
    assert!(stderr(&output).contains("ProxyCommand") && stderr(&output).contains("lineman ssh ne-1.jw.ne"), "{}", stderr(&output));
    assert!(server.asked().is_empty(), "a line was asked for in vain");
    for name in ["ne-1", "-oProxyCommand=x", "ne-1.jw.ne;id"] {
        ends(&run(&mut front.engineer(&server, &world), &["proxy", "--", name]), 2);
    }
    ends(&run(&mut front.engineer(&server, &world), &["proxy", "ne-1.jw.ne", "23"]), 2);
}

#[test]
fn what_went_wrong_shows_in_ssh() {
    let world = Arc::new(World::new());
    for (code, said) in [
        (ErrorCode::AgentRefused, "ne-1.jw.ne refuses: no consent is live"),
        (ErrorCode::AgentOffline, "ne-1.jw.ne is not connected"),
        (ErrorCode::Unauthenticated, "lineman login"),
    ] {
        let server = centre_with(&world, Vec::new(), Err((code, said)));
        let front = Front::start(Some(&server));
        front.config(&server, &world);
        let output = front.ssh(&world, &["ne-1.jw.ne", "true"]);
        ends(&output, 255);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    // A server that isn't there.
    let server = centre_with(&world, Vec::new(), Ok("ticket-1"));
    let front = Front::start(Some(&server));
    front.config(&server, &world);
    let address = front.address;
    drop(front);
    let mut command = lineman(world.home());
    command.env("LINEMAN_SERVER", format!("http://{address}")).env("LINEMAN_TOKEN", "token-1");
    let output = piped(&mut command, "");
    ends(&output, 7);
    assert!(stderr(&output).contains(&format!("can't reach http://{address}")), "{}", stderr(&output));
}

#[test]
fn through_an_http_proxy_where_the_environment_names_one() {
    let world = World::new();
    let front = Front::start(None);
    let through = |password: &str| {
        let mut command = lineman(world.home());
        command.env("HTTPS_PROXY", format!("http://u:{password}@{}", front.address)).env("LINEMAN_LINE", "ne-1.jw.ne proxy ticket-1");
        super::run_with_stdin(&mut command, &["--server", "https://support.example:7443", "proxy", "ne-1.jw.ne"], "ping\n")
    };
    let output = through("p");
    ends(&output, 0);
    assert_eq!(stdout(&output), "SSH-2.0-Device_7\r\npong ");
    let output = through("wrong");
    ends(&output, 1);
    assert!(stderr(&output).contains("407 Proxy Authentication Required") && stderr(&output).contains("--jump"), "{}", stderr(&output));
}

#[test]
fn settings_reach_the_proxy_without_the_token() {
    let (world, server, front) = open();
    let home = world.home();
    let config = home.join(".config/lineman/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    let text = format!(
        "[context.work]\nserver = \"http://{}\"\ntoken = \"token-9\"\nkey = \"{}\"\ntrust = \"{}\"\n",
        front.address,
        world.engineer_key_file().display(),
        world.vendor_trust().display()
    );
    std::fs::write(&config, text).unwrap();
    let file = world.path("lineman.ssh");
    let output = run(&mut lineman(home), &["--context", "work", "ssh-config", "--write", file.to_str().unwrap()]);
    ends(&output, 0);
    assert!(!stderr(&output).contains("LINEMAN_TOKEN"), "{}", stderr(&output));
    assert!(!std::fs::read_to_string(&file).unwrap().contains("token-9"), "the token is in the configuration");
    // Somewhere else, with another home and nothing in the environment: the configuration knows its context.
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(&file, elsewhere.path().join("config")).unwrap();
    let mut ssh = Command::new("ssh");
    ssh.env_clear().env("HOME", elsewhere.path()).env("PATH", std::env::var_os("PATH").unwrap()).stdin(Stdio::null());
    let output = ssh.arg("-F").arg(elsewhere.path().join("config")).args(["-v", "ne-1.jw.ne", "true"]).output().unwrap();
    assert!(stderr(&output).contains("Device_7"), "{}", stderr(&output));
    let asked = server.asked();
    let line = asked.iter().find(|asked| asked.path == "/api/v1/lines").unwrap();
    assert_eq!((line.header("authorization"), line.body.get("consent")), ("Bearer token-9", None::<&Value>));
}
