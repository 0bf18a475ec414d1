//! `ssh -L` and `-D` as stock clients make them, against real servers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

use lineman_common::recording::{Flow, What};
use lineman_common::session::{Door, EndReason};
use lineman_common::statement::sha256_hex;

use super::device::{Device, text};

/// Reads until the client says that it is done, and only then answers: what came in, reversed.
fn reversing_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut all = Vec::new();
                if stream.read_to_end(&mut all).is_ok() {
                    all.reverse();
                    let _ = stream.write_all(&all);
                }
            });
        }
    });
    port
}

/// One page for whoever asks.
fn web_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).is_ok_and(|n| n > 0) {}
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n\xe6\x9d\xbf\xe5\x8d");
        }
    });
    port
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `ssh -N` with these forwards, listening.
struct Forwarding {
    ssh: Child,
    port: u16,
    /// What it says on standard error.
    said: tempfile::NamedTempFile,
}

impl Forwarding {
    fn start(device: &Device, option: &str, of: impl Fn(u16) -> String) -> Self {
        let (port, said) = (free_port(), tempfile::NamedTempFile::new().unwrap());
        let mut ssh = device.ssh(&["-N", "-o", "ExitOnForwardFailure=yes", option, &of(port)]);
        let mut ssh = ssh.stderr(said.reopen().unwrap()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !listens(port) {
            assert_eq!(ssh.try_wait().unwrap(), None, "ssh ended");
            assert!(Instant::now() < deadline, "ssh does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { ssh, port, said }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn says(&self, wanted: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let said = || std::fs::read_to_string(self.said.path()).unwrap();
        while !said().contains(wanted) {
            assert!(Instant::now() < deadline, "ssh does not say `{wanted}`, but {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(mut self) {
        self.ssh.kill().unwrap();
        self.ssh.wait().unwrap();
    }
}

/// Without connecting: that would open a channel.
fn listens(port: u16) -> bool {
    let wanted = format!("0100007F:{port:04X} 00000000:0000 0A");
    std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&wanted)
}

#[test]
fn fifty_at_once_carry_both_ways_with_half_closes_and_are_recorded() {
    let server = reversing_server();
    let device = Device::start(&format!("forward:127.0.0.1:{server}"));
    let forwarding = Forwarding::start(&device, "-L", |port| format!("{port}:127.0.0.1:{server}"));
    let clients: Vec<_> = (0..50u32)
        .map(|n| {
            let mut stream = forwarding.connect();
            std::thread::spawn(move || {
                let data: Vec<u8> = (0..200_000u32).map(|at| (at.wrapping_mul(2_654_435_761 + 2 * n) >> 24) as u8).collect();
                stream.write_all(&data).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut back = Vec::new();
                stream.read_to_end(&mut back).unwrap();
                back.reverse();
                assert!(back == data, "client {n}: {} bytes came back", back.len());
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    forwarding.end();
    let recording = device.recording();
    let target = format!("127.0.0.1:{server}");
    let opened: Vec<_> = recording.channels().filter(|(_, opened)| opened.door == Door::Forward).collect();
    assert_eq!(opened.len(), 50);
    assert!(opened.iter().all(|(_, opened)| opened.target.as_deref() == Some(&target)));
    for (channel, _) in opened {
        let bytes = |wanted| {
            let events = recording.events.iter().filter(|event| event.channel == channel);
            let bytes = events
                .filter_map(|event| if let What::Bytes(flow, bytes) = &event.what { (*flow == wanted).then_some(bytes) } else { None });
            bytes.flatten().copied().collect::<Vec<u8>>()
        };
        let (sent, mut received) = (bytes(Flow::Input), bytes(Flow::Output));
        received.reverse();
        assert!(sent.len() == 200_000 && sent == received, "channel {channel}");
    }
    let ended = format!("the forward to {target} ended (both sides were done): 200000 bytes to it, 200000 bytes from it");
    assert_eq!(device.notes().iter().filter(|note| **note == ended).count(), 50, "{:?}", device.notes());
    assert_eq!(device.ended().summary.forwards, [target]);
}

#[test]
fn a_long_forward_is_recorded_in_part_and_hashed_whole() {
    let server = reversing_server();
    let device = Device::start(&format!("forward:localhost:{server}"));
    let forwarding = Forwarding::start(&device, "-L", |port| format!("{port}:LocalHost:{server}"));
    let data: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
    let mut stream = forwarding.connect();
    stream.write_all(&data).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert_eq!(back.len(), data.len());
    forwarding.end();
    let recording = device.recording();
    for (flow, bytes) in [(Flow::Input, &data), (Flow::Output, &back)] {
        let total = What::Total { flow, bytes: 5_000_000, sha256: sha256_hex(bytes) };
        assert!(recording.events.iter().any(|event| event.what == total), "{flow:?}");
    }
}

#[test]
fn a_dynamic_forward_goes_where_the_consent_says_and_says_which_door_is_missing() {
    let (server, other) = (web_server(), web_server());
    let device = Device::start(&format!("exec,forward:127.0.0.1:{server}"));
    let forwarding = Forwarding::start(&device, "-D", |port| port.to_string());
    let curl = |server: u16| {
        let proxy = format!("socks5h://127.0.0.1:{}", forwarding.port);
        let mut curl = std::process::Command::new("curl");
        curl.args(["-sS", "--noproxy", "", "-x", &proxy, &format!("http://127.0.0.1:{server}/")]).output().unwrap()
    };
    let page = curl(server);
    assert!(page.status.success(), "{}", text(&page.stderr));
    assert_eq!(page.stdout, b"\xe6\x9d\xbf\xe5\x8d");
    assert!(!curl(other).status.success());
    let door = format!(
        "administratively prohibited: lineman: the consent does not allow a forward to 127.0.0.1:{other}: it has no door \
         `forward:127.0.0.1:{other}`, only exec,forward:127.0.0.1:{server}"
    );
    forwarding.says(&door);
    forwarding.end();
    assert!(device.notes().iter().any(|note| note.contains(&format!("no door `forward:127.0.0.1:{other}`"))), "refusals are recorded");
    assert_eq!(device.ended().summary.forwards, [format!("127.0.0.1:{server}")]);
}

#[test]
fn a_forward_ends_with_its_session() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().port();
    let device = Device::start(&format!("forward:127.0.0.1:{server}"));
    let forwarding = Forwarding::start(&device, "-L", |port| format!("{port}:127.0.0.1:{server}"));
    let mut stream = forwarding.connect();
    stream.write_all(b"half a question").unwrap();
    let (mut served, _) = listener.accept().unwrap();
    let mut question = [0; 15];
    served.read_exact(&mut question).unwrap();
    assert!(device.agent.kill(device.session().session, "lead-a"));
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest);
    assert!(end.is_err() || rest.is_empty(), "{rest:?}");
    let end = served.read_to_end(&mut rest);
    assert!(end.is_err() || rest.is_empty(), "the device's connection has ended, too: {rest:?}");
    forwarding.says("the session was killed by lead-a");
    forwarding.end();
    assert_eq!(device.recording().end, Some(EndReason::Killed));
    assert!(device.notes().iter().any(|note| note.contains("(the session was killed by lead-a): 15 bytes to it")), "{:?}", device.notes());
}

#[test]
fn a_name_of_the_device_does_not_lead_to_its_own_ssh() {
    let address = own_address();
    let listener = address.and_then(|ip| TcpListener::bind(SocketAddr::new(ip, 22)).ok());
    let (Some(address), Some(_listener)) = (address, listener) else {
        eprintln!("skipped: this needs an address that is not loopback, and its port 22");
        return;
    };
    let device = Device::start(&format!("forward:{address}:22"));
    let output = device.ssh(&["-W", &format!("{address}:22")]).output().unwrap();
    assert!(!output.status.success());
    let said = format!("lineman: {address}:22 leads to the device's own SSH: a forward never goes there");
    assert!(text(&output.stderr).contains(&said), "{}", text(&output.stderr));
}

/// What this machine is called by others.
fn own_address() -> Option<IpAddr> {
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Sends nothing: the kernel only chooses the way.
    probe.connect("198.51.100.1:9").ok()?;
    Some(probe.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[test]
fn a_place_that_does_not_answer_is_said_to_be_so() {
    let closed = free_port();
    let device = Device::start(&format!("forward:127.0.0.1:{closed},forward:no-such-host.invalid:80"));
    let output = device.ssh(&["-W", &format!("127.0.0.1:{closed}")]).output().unwrap();
    let said = format!("connect failed: lineman: the device can't reach 127.0.0.1:{closed}: ");
    assert!(text(&output.stderr).contains(&said), "{}", text(&output.stderr));
    let output = device.ssh(&["-W", "no-such-host.invalid:80"]).output().unwrap();
    assert!(text(&output.stderr).contains("the device can't reach no-such-host.invalid:80: "), "{}", text(&output.stderr));
}

#[test]
fn every_other_kind_of_forward_is_refused_in_words() {
    let device = Device::start("exec,forward:127.0.0.1:1");
    let output = device.ssh(&["-R", "0:127.0.0.1:22", "true"]).output().unwrap();
    assert!(
        text(&output.stderr).contains("remote forwarding (ssh -R) is refused: a consent opens no way from the device"),
        "{}",
        text(&output.stderr)
    );
    let socket = tempfile::tempdir().unwrap();
    let forwarding = Forwarding::start(&device, "-L", |port| format!("{port}:{}", socket.path().join("s").display()));
    let mut rest = Vec::new();
    let _ = forwarding.connect().read_to_end(&mut rest);
    forwarding.says("lineman: forwarding to a Unix socket is refused");
    forwarding.end();
    let mut ssh = device.ssh(&["-o", "ForwardX11=yes", "-o", "ForwardX11Trusted=yes", "true"]);
    let output = ssh.env("DISPLAY", "127.0.0.1:99").output().unwrap();
    assert!(text(&output.stderr).contains("lineman: X11 forwarding is refused"), "{}", text(&output.stderr));
    let agent = socket.path().join("agent");
    let (key, public) = super::device::fido::ed25519();
    super::device::fido::serve(&agent, key, public, super::device::fido::TOUCHED);
    let output = device.ssh(&["-A", "-o", &format!("IdentityAgent={}", agent.display()), "true"]).output().unwrap();
    assert!(text(&output.stderr).contains("lineman: forwarding of your SSH agent is refused"), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "the command runs all the same");
    let notes = device.notes();
    for what in ["remote forwarding", "X11 forwarding", "your SSH agent"] {
        assert!(notes.iter().any(|note| note.contains(what)), "{notes:?}");
    }
}
