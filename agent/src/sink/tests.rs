//! Real sockets, a real HTTP server, a real program in sendmail's place.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::sync::mpsc;

use lineman_common::statement::{Signed, sha256_hex};

use super::*;
use crate::journal::{Entry, Line, List};

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    dir: tempfile::TempDir,
    journal: Arc<Journal>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = Arc::new(Journal::open(dir.path()).unwrap());
        Self { dir, journal }
    }

    fn note(&self, upto: u64) {
        let last = *self.journal.last().borrow();
        for counter in last + 1..=upto {
            self.journal.write(&Entry::List { list: List::Roster, counter, sha256: "风扇".into() }).unwrap();
        }
    }

    fn sink(&self, config: &str) -> Sink {
        let settings = toml::from_str::<config::SinkConfig>(config).unwrap().settings().unwrap();
        Sink::open(&settings, self.dir.path(), Arc::clone(&self.journal), "ne-1.jw.ne".parse().unwrap()).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The journal's lines, as the sinks must get them.
    fn texts(&self) -> Vec<String> {
        self.journal.after(0, usize::MAX).unwrap().into_iter().map(|written| written.text).collect()
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A host's own side, which doesn't wait for ever either.
fn datagrams() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut accepted = None;
    until(|| {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, _) = accepted.unwrap();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether syslog's form is kept; returns the message.
fn syslog_text(message: &[u8], world: &World) -> String {
    let text = std::str::from_utf8(message).unwrap();
    let (head, line) = text.split_once("] ").unwrap();
    let words: Vec<_> = head.split(' ').collect();
    let [priority, at, host, app, pid, kind, id, n, hash] = words[..] else { panic!("{head}") };
    assert_eq!((priority, host, app), ("<85>1", "ne-1.jw.ne", "lineman-agent"));
    assert!(at.ends_with('Z') && at.split('.').nth(1).is_none_or(|digits| digits.len() <= 7) && at.parse::<Timestamp>().is_ok(), "{at}");
    assert_eq!((pid.parse(), kind, id), (Ok(std::process::id()), "list", "[lineman@32473"));
    let parsed: Line = serde_json::from_str(line).unwrap();
    assert_eq!((n, hash), (format!("n=\"{}\"", parsed.n).as_str(), format!("sha256=\"{}\"", sha256_hex(line)).as_str()));
    assert!(world.texts().iter().any(|text| text == line), "the exact line of the journal");
    line.to_owned()
}

#[test]
fn syslog_over_udp() {
    let world = World::new();
    let host = datagrams();
    let sink = world.sink(&format!("syslog = 'udp://{}'", host.local_addr().unwrap()));
    world.note(3);
    run(sink.deliver_now(PATIENCE)).unwrap();
    let mut buffer = [0; 8192];
    let got: Vec<_> = (0..3).map(|_| host.recv(&mut buffer).map(|n| syslog_text(&buffer[..n], &world)).unwrap()).collect();
    assert_eq!(got, world.texts());
    assert_eq!(sink.status()[0].waiting, 0);
    let address = host.local_addr().unwrap();
    drop(host);
    world.note(4);
    let refused = run(sink.deliver_now(PATIENCE)).unwrap_err().to_string();
    assert!(refused.contains("syslog udp://127.0.0.1") && refused.contains("refused"), "{refused}");
    assert_eq!((sink.status()[0].waiting, sink.status()[0].sent), (1, 3));
    let host = UdpSocket::bind(address).unwrap();
    host.set_read_timeout(Some(PATIENCE)).unwrap();
    run(sink.deliver_now(PATIENCE)).unwrap();
    let n = host.recv(&mut buffer).unwrap();
    assert_eq!(syslog_text(&buffer[..n], &world), world.texts()[3], "what was refused comes, and only that");
}

/// Reads octet-counted messages until the end.
fn counted(stream: impl Read, world: &World) -> Vec<String> {
    let mut stream = BufReader::new(stream);
    let mut got = Vec::new();
    loop {
        let mut length = Vec::new();
        stream.read_until(b' ', &mut length).unwrap();
        if length.is_empty() {
            return got;
        }
        let mut message = vec![0; std::str::from_utf8(&length).unwrap().trim().parse().unwrap()];
        stream.read_exact(&mut message).unwrap();
        got.push(syslog_text(&message, world));
    }
}

#[test]
fn syslog_over_tcp_in_order_and_many_at_a_time() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sink = world.sink(&format!("syslog = 'tcp://{}'", listener.local_addr().unwrap()));
    let many = BATCH as u64 * 2 + 5;
    world.note(many);
    let got = std::thread::scope(|scope| {
        let host = scope.spawn(|| (0..3).flat_map(|_| counted(accept(&listener), &world)).collect::<Vec<_>>());
        run(sink.deliver_now(PATIENCE)).unwrap();
        host.join().unwrap()
    });
    assert_eq!(got, world.texts());
    assert_eq!(sink.status(), [SinkStatus { delivered_at: sink.status()[0].delivered_at, ..status("syslog", &listener, many) }]);
}

fn status(kind: &str, listener: &TcpListener, sent: u64) -> SinkStatus {
    let sink = format!("{kind} tcp://{}", listener.local_addr().unwrap());
    SinkStatus { sink, waiting: 0, sent, delivered_at: None, problem: None }
}

#[test]
fn a_host_that_hangs_up_with_something_unread_has_not_got_it() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sink = world.sink(&format!("syslog = 'tcp://{}'", listener.local_addr().unwrap()));
    world.note(1);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let stream = accept(&listener);
            // Something is there, and stays unread: closing resets the connection.
            stream.peek(&mut [0]).unwrap();
        });
        run(sink.deliver_now(PATIENCE)).unwrap_err();
    });
    assert_eq!(sink.status()[0].waiting, 1);
    let got = std::thread::scope(|scope| {
        let host = scope.spawn(|| counted(accept(&listener), &world));
        run(sink.deliver_now(PATIENCE)).unwrap();
        host.join().unwrap()
    });
    assert_eq!(got, world.texts());
}

#[test]
fn syslog_over_the_local_socket_of_either_kind() {
    let world = World::new();
    let datagrams = UnixDatagram::bind(world.path("dgram")).unwrap();
    datagrams.set_read_timeout(Some(PATIENCE)).unwrap();
    let sink = world.sink(&format!("syslog = 'unix:{}'", world.path("dgram").display()));
    world.note(2);
    run(sink.deliver_now(PATIENCE)).unwrap();
    let mut buffer = [0; 8192];
    let got: Vec<_> = (0..2).map(|_| datagrams.recv(&mut buffer).map(|n| syslog_text(&buffer[..n], &world)).unwrap()).collect();
    assert_eq!(got, world.texts());

    let world = World::new();
    let listener = UnixListener::bind(world.path("stream")).unwrap();
    let sink = world.sink(&format!("syslog = 'unix:{}'", world.path("stream").display()));
    world.note(2);
    let got = std::thread::scope(|scope| {
        let host = scope.spawn(|| counted(listener.accept().unwrap().0, &world));
        run(sink.deliver_now(PATIENCE)).unwrap();
        host.join().unwrap()
    });
    assert_eq!(got, world.texts());
}

/// What an HTTP client sent: head and body.
struct Posted {
    head: String,
    body: serde_json::Value,
}

/// Answers one request.
fn answer(mut stream: impl Read + Write, reply: &str) -> Posted {
    let mut reader = BufReader::new(&mut stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    // A client that doesn't like the answer may be gone before its end.
    let _ = stream.write_all(reply.as_bytes());
    Posted { head, body: serde_json::from_slice(&body).unwrap() }
}

const TAKEN: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn a_webhook_gets_json_with_the_exact_lines_and_the_token() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let token = world.path("token");
    fs::write(&token, "s3cret\n").unwrap();
    let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
    let sink = world.sink(&format!("webhook = '{url}'\nwebhook_token_file = '{}'", token.display()));
    world.note(2);
    let posted = std::thread::scope(|scope| {
        let host = scope.spawn(|| answer(accept(&listener), TAKEN));
        run(sink.deliver_now(PATIENCE)).unwrap();
        host.join().unwrap()
    });
    assert!(posted.head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{}", posted.head);
    assert!(posted.head.contains("authorization: Bearer s3cret\r\n") && posted.head.contains("content-type: application/json\r\n"));
    assert_eq!(posted.body["device"], "ne-1.jw.ne");
    let entries = posted.body["entries"].as_array().unwrap();
    assert_eq!(entries.iter().map(|entry| entry["line"].as_str().unwrap()).collect::<Vec<_>>(), world.texts());
    assert_eq!((entries[1]["n"].as_u64(), entries[1]["kind"].as_str()), (Some(2), Some("list")));
    assert_eq!(entries[0]["sha256"].as_str(), Some(sha256_hex(entries[0]["line"].as_str().unwrap()).as_str()));
    let shown = sink.status()[0].to_string();
    assert!(!shown.contains("x=1") && !shown.contains("s3cret"), "{shown}");
}

#[test]
fn a_webhook_that_says_no_is_asked_again_and_redirects_go_nowhere() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sink = world.sink(&format!("webhook = 'http://{}'", listener.local_addr().unwrap()));
    world.note(1);
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let redirect = format!("HTTP/1.1 307 Go\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", elsewhere.local_addr().unwrap());
    let long_head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    for (reply, said) in [
        (redirect.as_str(), "redirects are not followed"),
        ("HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n", "it answers 503"),
        ("HTTP/1.1 401 Who\r\ncontent-length: 0\r\n\r\n", "does it want a token"),
        ("SSH-2.0-other\r\n\r\n", "HTTP: "),
        ("", "HTTP: "),
        (long_head.as_str(), "HTTP: "),
    ] {
        let error = std::thread::scope(|scope| {
            scope.spawn(|| answer(accept(&listener), reply));
            run(sink.deliver_now(PATIENCE)).unwrap_err().to_string()
        });
        assert!(error.contains(said), "{error}\nshould say\n{said}");
        let status = &sink.status()[0];
        assert!(status.waiting == 1 && status.problem.as_ref().is_some_and(|problem| problem.contains(said)), "{status}");
        assert!(finding(&sink.status()).unwrap_err().contains("1 entries wait"));
    }
    assert!(elsewhere.accept().is_err(), "nobody went there");
    // A long answer is a yes all the same, and is not read.
    let endless = format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n{}", "x".repeat(4096));
    std::thread::scope(|scope| {
        scope.spawn(|| answer(accept(&listener), &endless));
        run(sink.deliver_now(PATIENCE)).unwrap();
    });
    assert!(finding(&sink.status()).unwrap().contains("has all 1 entries"));
}

struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: rcgen::Issuer::new(params, key) }
    }

    /// TLS for a server of this name.
    fn server(&self, name: &str) -> Arc<rustls::ServerConfig> {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Arc::new(rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}

#[test]
fn a_webhook_over_tls_believes_the_named_authority_only() {
    let world = World::new();
    let (ours, theirs) = (Authority::new(), Authority::new());
    fs::write(world.path("ca.pem"), ours.certificate.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sink = world.sink(&format!("webhook = 'https://localhost:{port}/'\nwebhook_ca = '{}'", world.path("ca.pem").display()));
    world.note(1);
    let serve = |config: Arc<rustls::ServerConfig>| {
        let stream = accept(&listener);
        let connection = rustls::ServerConnection::new(config).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        // A client that does not believe the certificate hangs up.
        stream.conn.complete_io(&mut stream.sock).is_ok().then(|| answer(stream, TAKEN))
    };
    for (config, said) in [(theirs.server("localhost"), "TLS: "), (ours.server("other.example"), "TLS: ")] {
        std::thread::scope(|scope| {
            let host = scope.spawn(|| serve(config));
            let error = run(sink.deliver_now(PATIENCE)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(host.join().unwrap().is_none(), "nothing was said to it");
        });
    }
    std::thread::scope(|scope| {
        let host = scope.spawn(|| serve(ours.server("localhost")));
        run(sink.deliver_now(PATIENCE)).unwrap();
        assert_eq!(host.join().unwrap().unwrap().body["entries"][0]["n"], 1);
    });
    fs::write(world.path("ca.pem"), "nothing").unwrap();
    world.note(2);
    let error = std::thread::scope(|scope| {
        // Connected to before the file is looked at.
        scope.spawn(|| accept(&listener));
        run(sink.deliver_now(PATIENCE)).unwrap_err().to_string()
    });
    assert!(error.contains("ca.pem: there is no certificate in it"), "{error}");
}

/// Written by a process of its own: a file that is open for writing can't be run, and a child that another test forks
/// just then would hold it open.
fn install(program: &Path, script: &str) {
    let mut install = Command::new("install").args(["-m", "755", "/dev/stdin"]).arg(program).stdin(Stdio::piped()).spawn().unwrap();
    install.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(install.wait().unwrap().success());
}

/// A program in sendmail's place, which keeps what it gets in files.
fn sendmail(world: &World, ending: &str) -> PathBuf {
    let (program, dir) = (world.path("sendmail"), world.dir.path().display().to_string());
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > {dir}/arguments\nenv > {dir}/environment\ncat > {dir}/mail\necho once >> {dir}/runs\n{ending}\n"
    );
    install(&program, &script);
    program
}

fn mail_config(world: &World) -> String {
    format!("mail = {{ to = 'noc@carrier.example', from = 'ne-1@carrier.example', sendmail = '{}' }}", world.path("sendmail").display())
}

#[test]
fn a_mail_goes_through_the_systems_program_without_a_shell() {
    let world = World::new();
    sendmail(&world, "exit 0");
    let sink = world.sink(&mail_config(&world));
    world.note(1);
    world.journal.local(&Signed { text: "lineman-local: 1\n".into(), signature: "x".into() }).unwrap();
    run(sink.deliver_now(PATIENCE)).unwrap();
    let read = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    assert_eq!(read("arguments"), "-t\n-i\n-f\nne-1@carrier.example\n");
    let variables: Vec<_> = read("environment").lines().map(|line| line.split('=').next().unwrap().to_owned()).collect();
    assert!(variables.iter().all(|name| matches!(name.as_str(), "PATH" | "PWD" | "SHLVL" | "_" | "OLDPWD")), "{variables:?}");
    let mail = read("mail");
    let (head, body) = mail.split_once("\n\n").unwrap();
    for line in ["To: noc@carrier.example", "Subject: [lineman] ne-1.jw.ne: 2 entries, 1 to 2", "Auto-Submitted: auto-generated"] {
        assert!(head.lines().any(|l| l == line), "{head}");
    }
    assert!(body.replace("=\n", "").contains("roster 1 counts from now on"), "{body}");
    assert!(mail.is_ascii());
}

#[test]
fn a_mail_program_that_fails_or_hangs_is_named() {
    let world = World::new();
    let sink = world.sink(&mail_config(&world));
    world.note(1);
    let try_it = |patience| run(sink.deliver_now(patience)).unwrap_err().to_string();
    let missing = try_it(PATIENCE);
    assert!(missing.contains("running the mail program: No such file"), "{missing}");
    sendmail(&world, "echo 'queue is full' >&2; exit 75");
    let failed = try_it(PATIENCE);
    assert!(failed.contains("exit status: 75: queue is full"), "{failed}");
    sendmail(&world, "exec sleep 600");
    let hung = try_it(Duration::from_secs(1));
    assert!(hung.contains("it took longer than 1 s"), "{hung}");
    sendmail(&world, "exit 0");
    run(sink.deliver_now(PATIENCE)).unwrap();
    assert_eq!(sink.status()[0].waiting, 0);
}

/// Each sink has its own cursor: one that is down holds no other up, and none is told twice because of it.
#[test]
fn sinks_do_not_wait_for_each_other_and_a_restart_goes_on_at_the_cursor() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    sendmail(&world, "exit 1");
    let config = format!("webhook = 'http://{address}/'\n{}", mail_config(&world));
    let sink = world.sink(&config);
    world.note(2);
    let take = |sink: &Sink| {
        std::thread::scope(|scope| {
            let host = scope.spawn(|| answer(accept(&listener), TAKEN));
            let outcome = run(sink.deliver_now(PATIENCE));
            let body = host.join().unwrap().body;
            let numbers: Vec<_> = body["entries"].as_array().unwrap().iter().map(|entry| entry["n"].as_u64().unwrap()).collect();
            (outcome.map_err(|e| e.to_string()), numbers)
        })
    };
    let (outcome, numbers) = take(&sink);
    assert!(outcome.unwrap_err().starts_with("not everything could be sent: mail noc@carrier.example: "));
    assert_eq!(numbers, [1, 2]);
    drop(sink);
    sendmail(&world, "exit 0");
    let sink = world.sink(&config);
    assert_eq!(sink.status().iter().map(|status| status.waiting).collect::<Vec<_>>(), [0, 2]);
    world.note(3);
    let (outcome, numbers) = take(&sink);
    outcome.unwrap();
    assert_eq!(numbers, [3], "nothing twice");
    let mail = fs::read_to_string(world.path("mail")).unwrap();
    assert!(mail.contains("3 entries, 1 to 3"), "{mail}");
    let remembered = witnesses(world.dir.path()).unwrap();
    assert_eq!(remembered.iter().map(|witness| &witness.position).collect::<Vec<_>>(), [&world.journal.position(); 2]);
}

/// Killed between delivery and cursor: at least once, and no more than that batch twice.
#[test]
fn what_was_cut_off_comes_again() {
    let world = World::new();
    let host = datagrams();
    let config = format!("syslog = 'udp://{}'", host.local_addr().unwrap());
    let cursor = world.path("sink/syslog");
    world.note(1);
    run(world.sink(&config).deliver_now(PATIENCE)).unwrap();
    let before = fs::read(&cursor).unwrap();
    world.note(2);
    run(world.sink(&config).deliver_now(PATIENCE)).unwrap();
    fs::write(&cursor, before).unwrap();
    run(world.sink(&config).deliver_now(PATIENCE)).unwrap();
    let mut buffer = [0; 8192];
    let got: Vec<_> = (0..3).map(|_| host.recv(&mut buffer).map(|n| syslog_text(&buffer[..n], &world)).unwrap()).collect();
    let texts = world.texts();
    assert_eq!(got, [&texts[0], &texts[1], &texts[1]].map(Clone::clone));
}

#[test]
fn a_journal_that_was_replaced_is_sent_from_its_beginning() {
    let world = World::new();
    let host = datagrams();
    let config = format!("syslog = 'udp://{}'", host.local_addr().unwrap());
    world.note(3);
    run(world.sink(&config).deliver_now(PATIENCE)).unwrap();
    for file in ["journal.log", "journal.head"] {
        fs::remove_file(world.path(file)).unwrap();
    }
    let world = World { journal: Arc::new(Journal::open(world.dir.path()).unwrap()), ..world };
    world.note(3);
    let sink = world.sink(&config);
    assert_eq!(sink.status()[0].waiting, 3);
    run(sink.deliver_now(PATIENCE)).unwrap();
}

/// The loop: it finds by itself what is new, and comes back after an outage.
#[test]
fn the_loop_follows_the_journal_through_an_outage() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let sink = Arc::new(world.sink(&format!("syslog = 'tcp://{address}'")));
    drop(listener);
    world.note(1);
    let (sender, received) = mpsc::channel();
    let stop = CancellationToken::new();
    std::thread::scope(|scope| {
        let (running, stopping) = (Arc::clone(&sink), stop.clone());
        scope.spawn(move || run(async move { timeout(4 * PATIENCE, running.run(stopping)).await.unwrap() }));
        until(|| sink.status()[0].problem.is_some());
        let listener = TcpListener::bind(address).unwrap();
        let world = &world;
        scope.spawn(move || {
            let mut left = 3;
            while left > 0 {
                for text in counted(accept(&listener), world) {
                    sender.send(text).unwrap();
                    left -= 1;
                }
            }
        });
        assert_eq!(received.recv_timeout(PATIENCE).unwrap(), world.texts()[0]);
        until(|| sink.status()[0].problem.is_none());
        world.note(2);
        assert_eq!(received.recv_timeout(PATIENCE).unwrap(), world.texts()[1]);
        world.note(3);
        assert_eq!(received.recv_timeout(PATIENCE).unwrap(), world.texts()[2]);
        stop.cancel();
    });
}

fn until(mut condition: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "not in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn without_a_sink_there_is_nothing_to_wait_for() {
    let world = World::new();
    let sink = world.sink("");
    world.note(1);
    run(sink.deliver_now(PATIENCE)).unwrap();
    assert_eq!(finding(&sink.status()).unwrap(), "none is configured: the journal is on this device only");
}
