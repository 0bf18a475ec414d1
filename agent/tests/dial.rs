//! The device's way to the centre: straight, over IPv6, through real and misbehaving proxies; and how its link comes back.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

#[path = "dial/centre.rs"]
mod centre;
#[path = "dial/proxies.rs"]
mod proxies;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lineman_agent::config::Settings;
use lineman_agent::dial::{DialError, Dialer, Wire};
use lineman_agent::identity::Identity;
use lineman_agent::spool::Spool;
use lineman_common::link::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::centre::{Authority, Centre, Manner, eventually};
use crate::proxies::{Misbehaving, Tinyproxy};

const BINARY: &str = env!("CARGO_BIN_EXE_lineman-agent");

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// An enrolled device's files.
struct Files(tempfile::TempDir);

impl Files {
    fn new(authority: &Authority, server: &str, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        authority.enrol(dir.path(), server, config);
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn password(&self, text: &str) -> PathBuf {
        let path = self.path().join("proxy-password");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn config(&self, text: &str) {
        std::fs::write(self.path().join("agent.toml"), text).unwrap();
    }

    fn dialer(&self) -> Dialer {
        let settings = Settings::find(None, self.path()).unwrap();
        Dialer::new(&Identity::load(self.path()).unwrap(), &settings.link).unwrap()
    }
}

/// What is said comes back.
async fn echoes(mut wire: Wire) {
    wire.write_all(b"hello\n").await.unwrap();
    wire.flush().await.unwrap();
    let mut back = [0; 6];
    wire.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello\n");
    assert_eq!(wire.write_vectored(&[std::io::IoSlice::new(b"wor"), std::io::IoSlice::new(b"ld")]).await.unwrap(), 5);
    wire.flush().await.unwrap();
    let mut back = [0; 5];
    wire.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"world");
}

/// Both kinds of connection, as they are told to be.
async fn reaches(dialer: &Dialer) {
    let link = dialer.link().await.unwrap();
    assert_eq!(link.get_ref().1.alpn_protocol(), Some(lineman_common::link::ALPN));
    let leg = dialer.leg().await.unwrap();
    assert_eq!(matches!(leg, Wire::Tls(_)), dialer.legs_in_tls());
    echoes(leg).await;
}

#[test]
fn link_and_legs_reach_the_centre_over_both_families_and_by_name() {
    let authority = Authority::new();
    for (bind, host) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), ("127.0.0.1:0", "localhost")] {
        let centre = Centre::start(&authority, bind, Manner::Honest);
        for config in ["", "[link]\nleg_tls = true\n"] {
            let files = Files::new(&authority, &format!("{host}:{}", centre.address.port()), config);
            runtime().block_on(reaches(&files.dialer()));
        }
    }
}

#[test]
fn a_centre_under_another_authority_is_not_believed_and_not_called_unreachable() {
    let (authority, other) = (Authority::new(), Authority::new());
    let centre = Centre::start(&other, "127.0.0.1:0", Manner::Honest);
    let files = Files::new(&authority, &centre.address.to_string(), "[link]\nleg_tls = true\n");
    let dialer = files.dialer();
    let link = runtime().block_on(dialer.link()).unwrap_err();
    let leg = runtime().block_on(dialer.leg()).unwrap_err();
    for error in [link, leg] {
        assert!(matches!(error, DialError::Tls(_)) && !error.is_unreachable(), "{error}");
    }
}

#[test]
fn nobody_there_is_told_from_somebody_mute() {
    let authority = Authority::new();
    let centre = Centre::start(&authority, "127.0.0.1:0", Manner::Mute);
    let files = Files::new(&authority, &centre.address.to_string(), "[link]\nleg_tls = true\n");
    let dialer = files.dialer();
    let error = runtime().block_on(dialer.link()).unwrap_err();
    assert!(error.to_string().contains("took the connection and said nothing") && !error.is_unreachable(), "{error}");
    drop(centre);
    for error in [runtime().block_on(dialer.link()).unwrap_err(), runtime().block_on(dialer.leg()).unwrap_err()] {
        assert!(error.to_string().contains("Connection refused") && error.is_unreachable(), "{error}");
    }
    let files = Files::new(&authority, "centre.invalid:7443", "");
    let error = runtime().block_on(files.dialer().link()).unwrap_err();
    assert!(error.to_string().contains("the centre `centre.invalid` is not found") && error.is_unreachable(), "{error}");
}

#[test]
fn through_a_real_proxy_with_a_password() {
    let authority = Authority::new();
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let centre = Centre::start(&authority, bind, Manner::Honest);
        let proxy = Tinyproxy::start("127.0.0.1", &format!("BasicAuth ne-17 right\nConnectPort {}", centre.address.port()));
        let files = Files::new(&authority, &centre.address.to_string(), "");
        let login = |user: &str| {
            let file = files.path().join("proxy-password");
            let text = format!("[link]\nproxy = \"http://{}\"\nproxy_user = \"{user}\"\nproxy_password_file = {file:?}\n", proxy.address);
            files.config(&text);
            text
        };
        files.password("right\n");
        let text = login("ne-17");
        runtime().block_on(reaches(&files.dialer()));
        files.config(&format!("{text}leg_tls = false\n"));
        runtime().block_on(reaches(&files.dialer()));

        let fails = |expected: &str| {
            let dialer = files.dialer();
            for error in [runtime().block_on(dialer.link()).unwrap_err(), runtime().block_on(dialer.leg()).unwrap_err()] {
                let text = error.to_string();
                assert!(text.contains(expected) && !text.contains("right"), "{text}\nshould say\n{expected}");
                assert!(!error.is_unreachable(), "{error}");
            }
        };
        files.config(&format!("[link]\nproxy = \"http://{}\"\n", proxy.address));
        fails("wants a name and a password (407");
        files.password("wrong\n");
        login("ne-17");
        fails("does not take the password of ne-17 that is in");
        std::fs::set_permissions(files.password("right\n"), std::fs::Permissions::from_mode(0o644)).unwrap();
        fails("others may read it (mode 0644): chmod 600");
    }
}

#[test]
fn what_a_proxy_can_not_reach_or_may_not_is_told_apart() {
    let authority = Authority::new();
    let shut = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let files = Files::new(&authority, &shut.to_string(), "");
    let error = |more: &str| {
        let proxy = Tinyproxy::start("127.0.0.1", more);
        files.config(&format!("[link]\nproxy = \"http://{}\"\n", proxy.address));
        runtime().block_on(files.dialer().link()).unwrap_err()
    };
    let unreachable = error("");
    assert!(unreachable.is_unreachable() && unreachable.to_string().contains(&format!("can't reach {shut}: 500 ")), "{unreachable}");
    let refused = error("ConnectPort 443");
    assert!(!refused.is_unreachable() && refused.to_string().contains(&format!("refuses to connect to {shut}: 403 ")), "{refused}");
    // The proxy itself.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    files.config(&format!("[link]\nproxy = \"http://{gone}\"\n"));
    let error = runtime().block_on(files.dialer().link()).unwrap_err();
    assert!(error.is_unreachable() && error.to_string().contains(&format!("can't reach the proxy {gone}")), "{error}");
}

#[test]
fn whatever_a_proxy_says_is_bounded_printable_and_named() {
    let drip = |text: &str| text.bytes().map(|byte| vec![byte]).collect::<Vec<_>>();
    let whole = |text: &str| vec![text.as_bytes().to_vec()];
    let endless = std::iter::once(b"HTTP/1.1 200 OK\r\n".to_vec()).chain((0..4000).map(|_| b"X-Filler: yes\r\n".to_vec())).collect();
    let cases: Vec<(Vec<Vec<u8>>, bool, &str)> = vec![
        (whole("HTTP/1.1 502 Bad Gateway\r\n\r\n"), true, "502 Bad Gateway"),
        (drip("HTTP/1.0 504 Gateway Timeout\r\nX: y\r\n\r\n"), true, "504 Gateway Timeout"),
        (whole("HTTP/1.1 403 \u{1b}]0;owned\u{7}no\u{202e}\r\n\r\n<html>"), false, "403 \\u{1b}]0;owned\\u{7}no\\u{202e}"),
        (whole("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n"), false, "refuses to connect to"),
        (
            whole("HTTP/1.1 407 Auth\r\nProxy-Authenticate: NTLM\r\nproxy-authenticate: Negotiate\r\n\r\n"),
            false,
            "wants NTLM, Negotiate and knows no Basic authentication",
        ),
        (whole("HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"), false, "wants a name and a password"),
        (whole("SSH-2.0-OpenSSH_9.2\r\n"), false, "answers what is not HTTP: `SSH-2.0-OpenSSH_9.2`; is it a proxy?"),
        (whole("HTTP/2 200\r\n\r\n"), false, "answers what is not HTTP"),
        (whole("HTTP/1.1 2OO OK\r\n\r\n"), false, "answers what is not HTTP"),
        (endless, false, "answers with a head of more than 16384 bytes"),
        (Vec::new(), false, "closed the connection when it was asked for 127.0.0.1:1"),
        (whole("HTTP/1.1 200 Conn"), false, "answers what is not HTTP: `HTTP/1.1 200 Conn`"),
    ];
    let (authority, runtime) = (Authority::new(), runtime());
    let files = Files::new(&authority, "127.0.0.1:1", "");
    for (parts, unreachable, expected) in cases {
        let error = runtime.block_on(async {
            let proxy = Misbehaving::start(parts, false).await;
            files.config(&format!("[link]\nproxy = \"http://{}\"\n", proxy.address));
            files.dialer().link().await.unwrap_err()
        });
        let text = error.to_string();
        assert!(text.contains(expected), "{text}\nshould say\n{expected}");
        assert!(!text.contains(char::is_control) && text.len() < 1000, "{text:?}");
        assert_eq!(error.is_unreachable(), unreachable, "{text}");
    }
}

#[test]
fn a_proxy_that_never_finishes_its_answer_is_given_up() {
    let (authority, runtime) = (Authority::new(), runtime());
    let files = Files::new(&authority, "127.0.0.1:1", "");
    for parts in [Vec::new(), vec![b"HTTP/1.1 200 ".to_vec()]] {
        let (link, leg) = runtime.block_on(async {
            let proxy = Misbehaving::start(parts, true).await;
            files.config(&format!("[link]\nproxy = \"http://{}\"\n", proxy.address));
            let dialer = files.dialer();
            tokio::join!(dialer.link(), dialer.leg())
        });
        let (link, leg) = (link.unwrap_err(), leg.unwrap_err());
        assert!(link.to_string().contains("did not answer within 8 s when it was asked for 127.0.0.1:1"), "{link}");
        assert!(leg.to_string().contains("127.0.0.1:1 was not reached within 5 s"), "{leg}");
    }
}

#[test]
fn what_follows_a_proxys_head_belongs_to_the_tunnel() {
    let (authority, runtime) = (Authority::new(), runtime());
    let files = Files::new(&authority, "127.0.0.1:1", "");
    let answer = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nfrom the other end";
    for split in 0..=answer.len() {
        let (head, rest) = answer.split_at(split);
        runtime.block_on(async {
            let proxy = Misbehaving::start(vec![head.to_vec(), rest.to_vec()], true).await;
            files.config(&format!("[link]\nproxy = \"http://{}\"\nleg_tls = false\n", proxy.address));
            let mut wire = files.dialer().leg().await.unwrap();
            let mut text = [0; 18];
            wire.read_exact(&mut text).await.unwrap();
            assert_eq!(&text, b"from the other end", "split at {split}");
        });
    }
}

#[test]
fn whoever_waits_to_dial_again_hears_of_a_welcome() {
    let files = Files::new(&Authority::new(), "127.0.0.1:1", "");
    let dialer = files.dialer();
    runtime().block_on(async {
        let mut welcomes = dialer.welcomes();
        dialer.welcomed();
        // Also of one that came before it began to wait.
        tokio::time::timeout(Duration::from_secs(30), welcomes.changed()).await.unwrap().unwrap();
    });
}

/// A running agent; killed when dropped.
struct Running<'a> {
    child: Child,
    files: &'a Files,
}

impl<'a> Running<'a> {
    fn start(files: &'a Files) -> Self {
        let mut agent = Command::new(BINARY);
        agent.args(["run", "--log-level", "error", "--state"]).arg(files.path()).stdin(Stdio::null());
        // An environment must not decide where a daemon connects to.
        for variable in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            agent.env(variable, "http://127.0.0.1:9");
        }
        Self { child: agent.spawn().unwrap(), files }
    }

    fn ask(&self, command: &str) -> serde_json::Value {
        let output =
            Command::new(BINARY).args([command, "--json", "--state"]).arg(self.files.path()).stdin(Stdio::null()).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    fn link(&self) -> serde_json::Value {
        self.ask("status")["link"].clone()
    }

    fn until_up(&self) {
        eventually("the link is up", || (self.link()["connected"] == true).then_some(()));
    }

    /// Until the link is down and says so in these words.
    fn until_down(&self, words: &str) {
        let mut last = String::new();
        let problem = eventually(words, || {
            let link = self.link();
            let problem = link["problem"].as_str().unwrap_or_default().to_owned();
            if problem != last {
                eprintln!("the link: {link}");
                last.clone_from(&problem);
            }
            (link["connected"] == false && problem.contains(words)).then_some(problem)
        });
        assert!(!problem.is_empty());
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_link_comes_back_to_a_centre_that_was_gone_and_to_a_proxy_that_was() {
    let authority = Authority::new();
    let centre = Centre::start(&authority, "[::1]:0", Manner::Honest);
    let (address, proxy) = (centre.address, Tinyproxy::start("127.0.0.1", "BasicAuth ne-17 right"));
    let files = Files::new(&authority, &address.to_string(), "");
    let (at, password) = (proxy.address, files.password("right\n"));
    files.config(&format!("[link]\nproxy = \"http://{at}\"\nproxy_user = \"ne-17\"\nproxy_password_file = {password:?}\n"));
    let agent = Running::start(&files);
    agent.until_up();
    drop(centre);
    agent.until_down("can't reach [::1]:");
    let centre = Centre::start(&authority, &address.to_string(), Manner::Honest);
    agent.until_up();
    drop(proxy);
    agent.until_down("can't reach the proxy");
    let _proxy = Tinyproxy::start_on(at, "BasicAuth ne-17 right");
    agent.until_up();
    assert_eq!(centre.links(), 2);
}

#[test]
fn a_centre_that_hears_nothing_any_more_is_left_while_there_is_much_to_send() {
    let authority = Authority::new();
    let centre = Centre::start(&authority, "127.0.0.1:0", Manner::DeafAfterWelcome);
    let files = Files::new(&authority, &centre.address.to_string(), "");
    let mut spool = Spool::open(&files.path().join("spool"), 64 << 20).unwrap();
    for stream in [Stream::Recording, Stream::Events] {
        for _ in 0..80 {
            spool.append(stream, format!("{:?}", "x".repeat(60_000)).as_bytes()).unwrap();
        }
    }
    drop(spool);
    let agent = Running::start(&files);
    eventually("a second link", || (centre.links() >= 2).then_some(()));
    drop(agent);
}

#[test]
fn a_centre_that_falls_silent_is_left() {
    let authority = Authority::new();
    let centre = Centre::start(&authority, "127.0.0.1:0", Manner::DeafAfterWelcome);
    let files = Files::new(&authority, &centre.address.to_string(), "interval_s = 300\ninterval_bounds_s = [5, 3600]\n");
    let agent = Running::start(&files);
    agent.until_up();
    agent.until_down("the centre has been silent for 45 s");
    eventually("a second link", || (centre.links() >= 2).then_some(()));
}

#[test]
fn a_centre_that_welcomes_nobody_is_left_and_one_that_answers_nothing_too() {
    let authority = Authority::new();
    for (manner, words) in
        [(Manner::Unwelcoming, "did not welcome this device within 15 s"), (Manner::Mute, "took the connection and said nothing for 5 s")]
    {
        let centre = Centre::start(&authority, "127.0.0.1:0", manner);
        let files = Files::new(&authority, &centre.address.to_string(), "");
        let agent = Running::start(&files);
        agent.until_down(words);
        let address = centre.address.to_string();
        drop(centre);
        let _centre = Centre::start(&authority, &address, Manner::Honest);
        agent.until_up();
    }
}

/// A check of `doctor`: whether it is well, and what it says.
fn finding(findings: &serde_json::Value, check: &str) -> (bool, String) {
    let finding = findings.as_array().unwrap().iter().find(|finding| finding["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("no `{check}` in {findings}"));
    (finding["ok"].as_bool().unwrap(), finding["text"].as_str().unwrap().to_owned())
}

#[test]
fn doctor_shows_each_hop() {
    let authority = Authority::new();
    let centre = Centre::start(&authority, "[::1]:0", Manner::Honest);
    let files = Files::new(&authority, &centre.address.to_string(), "");
    let agent = Running::start(&files);
    agent.until_up();
    let doctor = || agent.ask("doctor");
    let (address, says) = (centre.address, |check: &str, findings: &serde_json::Value, ok: bool, words: &str| {
        let (found, text) = finding(findings, check);
        assert!(found == ok && text.contains(words), "{check}: {found} {text}\nshould say\n{words}");
    });
    let findings = doctor();
    says("way", &findings, true, &format!("straight to {address}"));
    says("connection", &findings, true, &format!("{address} takes connections"));
    says("link TLS", &findings, true, "under the pinned authority");
    says("session leg", &findings, true, "legs travel in the clear, as SSH");

    let proxy = Tinyproxy::start("127.0.0.1", "BasicAuth ne-17 right");
    let (at, password) = (proxy.address, files.password("right\n"));
    files.config(&format!("[link]\nproxy = \"http://{at}\"\nproxy_user = \"ne-17\"\nproxy_password_file = {password:?}\n"));
    let findings = doctor();
    says("way", &findings, true, &format!("through the proxy http://{at} as ne-17 (password in {}) to {address}", password.display()));
    says("connection", &findings, true, &format!("{at} takes connections"));
    says("session leg", &findings, true, "legs travel inside TLS");
    files.password("wrong\n");
    says("link TLS", &doctor(), false, "does not take the password of ne-17");
    drop(proxy);
    says("connection", &doctor(), false, "Connection refused");
}
