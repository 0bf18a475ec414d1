//! `lineman approver`: the list in a real terminal, the page over real HTTP, the lines for programs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lineman_common::api::ConsentState;
use lineman_common::session::Grade;
use lineman_common::statement::Consent;

use super::at;
use super::desk::Centre;
use super::server::Server;

const PATIENCE: Duration = Duration::from_secs(20);

fn approver(server: &Server, centre: &Centre) -> Command {
    let mut command = at(server, centre.world.home());
    command.env("LINEMAN_TRUST", centre.world.carrier_trust()).env("LINEMAN_KEY", centre.world.path("approver"));
    command
}

#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

// ---- The terminal ---------------------------------------------------------------------------------------------------

/// The program in a terminal of its own (`script` makes one), with a screen that tests can read.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<vt100::Parser>>,
    bells: Arc<AtomicUsize>,
}

impl Terminal {
    fn start(server: &Server, centre: &Centre, columns: u16, rows: u16, more: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_lineman");
        let line = format!("stty cols {columns} rows {rows}; exec {program} approver {more}");
        let mut child = Command::new("script")
            .args(["-qefc", &line, "/dev/null"])
            .env_clear()
            .envs(approver(server, centre).get_envs().filter_map(|(key, value)| Some((key, value?))))
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let bells = Arc::new(AtomicUsize::new(0));
        let (mut out, shown, rung) = (child.stdout.take().unwrap(), screen.clone(), bells.clone());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut bytes) {
                rung.fetch_add(bytes[..count].split(|byte| *byte == 7).count() - 1, Ordering::Relaxed);
                shown.lock().unwrap().process(&bytes[..count]);
            }
        });
        Self { keys: child.stdin.take().unwrap(), child, screen, bells }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.text().contains(text) {
            assert!(Instant::now() < deadline, "`{text}` is not shown:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    fn ends(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_request_arrives_is_looked_at_narrowed_and_approved() {
    let centre = Centre::new();
    let server = centre.start();
    let mut terminal = Terminal::start(&server, &centre, 80, 24, "--bell");
    terminal.shows("Nobody is asking");
    terminal.shows("connected");
    let id = centre.ask("shell,exec,forward:10.0.0.5:443", Grade::EndToEnd, "风扇2停转", 1);
    server.tell("consent.requested");
    terminal.shows("engineer-a asks for ne-1.jw.ne for 2h 00m");
    terminal.shows("F-JW-1: 风扇2停转");
    terminal.shows("1 waiting");
    eventually("the bell rings", || terminal.bells.load(Ordering::Relaxed) == 1);

    // Nothing is signed from the list: `a` shows the statement first.
    terminal.press("a");
    terminal.shows("You sign exactly this:");
    terminal.shows(&format!("id: {id}"));
    terminal.shows("doors: shell,exec,forward:10.0.0.5:443");
    assert!(centre.consent(id).consents.is_empty());
    terminal.press("n");
    terminal.shows("Narrow what engineer-a gets on ne-1.jw.ne");
    // The second door off; to the time, which is written anew.
    terminal.press("\x1b[B \t\t\x1530m\r");
    terminal.shows("doors: shell,forward:10.0.0.5:443");
    terminal.shows("duration-s: 1800");
    let shown = terminal.text();
    terminal.press("a");
    terminal.shows("ne-1.jw.ne verified it");
    let signed = &centre.consent(id).consents[0];
    let consent = Consent::read_unverified(signed).unwrap();
    assert_eq!((consent.doors.to_string().as_str(), consent.duration_s), ("shell,forward:10.0.0.5:443", 1800));
    for line in signed.text.lines() {
        // Long values go on in the next line of the screen.
        assert!(shown.contains(&line[..line.len().min(70)]), "`{line}` was signed and not shown:\n{shown}");
    }
    terminal.press("q");
    assert!(terminal.ends());
}

#[test]
fn a_refusal_has_a_reason_and_what_was_answered_is_not_offered_again() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let both = centre.ask("shell", Grade::Gateway, "second look", 2);
    let mut terminal = Terminal::start(&server, &centre, 80, 24, "");
    terminal.shows("2 waiting");
    terminal.shows("GATEWAY");
    // The newest is on top and chosen: it needs two people.
    terminal.press("\r");
    terminal.shows("the centre could act in this session");
    terminal.press(" ");
    terminal.shows("with yours, 1 of 2 people have approved");
    terminal.press("a");
    terminal.shows("another person has to approve it too");
    terminal.shows("you approved it");
    terminal.press("a");
    terminal.shows("you approved it already");
    assert_eq!(centre.consent(both).consents.len(), 1);

    terminal.press("jr\r");
    terminal.shows("say why: the engineer reads it");
    // A pasted line end presses nothing.
    terminal.press("\x1b[200~wait for\nthe window\x1b[201~");
    terminal.shows("> wait for the window_");
    assert_eq!(centre.consent(id).state, ConsentState::Requested);
    terminal.press("\r");
    terminal.shows("refused: engineer-a on ne-1.jw.ne");
    assert_eq!(centre.consent(id).refusal.unwrap().raw(), "wait for the window");
    terminal.press("\x03");
    assert!(terminal.ends());
}

#[test]
fn nobody_elses_text_draws_on_the_screen_and_what_does_not_fit_is_not_signed_unseen() {
    let centre = Centre::new();
    let server = centre.start();
    let doors = (1..=16).map(|n| format!("forward:far-away-host-number-{n}.example:44{n}")).collect::<Vec<_>>().join(",");
    let id = centre.ask(&doors, Grade::EndToEnd, "x", 1);
    let hostile = "\x1b[2J\x1b[H\u{202e}a approve\r\n\x1b]0;title\x07";
    centre.consents.lock().unwrap()[0].reason = Some(hostile.into());
    let mut terminal = Terminal::start(&server, &centre, 80, 24, "");
    terminal.shows("1 waiting");
    terminal.shows("\\u{1b}[2J\\u{1b}[H");
    assert!(terminal.text().lines().count() <= 24);
    terminal.press("\r");
    terminal.shows("Space more");
    terminal.press("a");
    terminal.shows("look at all of it first");
    assert!(centre.consent(id).consents.is_empty());
    for _ in 0..4 {
        terminal.press(" ");
    }
    terminal.shows("a approve");
    terminal.press("a");
    eventually("it is signed", || centre.consent(id).consents.len() == 1);
    terminal.shows("you approved it");
    terminal.press("q");
    assert!(terminal.ends());
}

#[test]
fn a_request_that_does_not_hold_can_only_be_refused() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    // The centre shows another doors than the engineer signed.
    if let Some(request) = &mut centre.consents.lock().unwrap()[0].request {
        request.text = request.text.replace("doors: shell", "doors: exec");
    }
    let mut terminal = Terminal::start(&server, &centre, 60, 12, "");
    terminal.shows("1 waiting");
    terminal.press("\r");
    terminal.shows("This request can't be approved:");
    terminal.shows("does not match its text");
    terminal.press("aa");
    terminal.press("rforged\r");
    eventually("it is refused", || centre.consent(id).state == ConsentState::Refused);
    assert!(centre.consent(id).consents.is_empty());
}

#[test]
fn a_lost_connection_is_said_and_mended() {
    let centre = Centre::new();
    let server = centre.start();
    let terminal = Terminal::start(&server, &centre, 100, 30, "");
    terminal.shows("connected");
    server.cut();
    terminal.shows("NOT CONNECTED");
    let _id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    terminal.shows("1 waiting");
    terminal.shows("connected");
}

// ---- Lines for programs ---------------------------------------------------------------------------------------------

struct Lines {
    child: Child,
    lines: Receiver<String>,
}

impl Lines {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (tell, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, lines }
    }

    #[track_caller]
    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn programs_get_a_line_when_a_request_comes_and_when_it_goes() {
    let centre = Centre::new();
    let server = centre.start();
    let first = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let lines = Lines::start(approver(&server, &centre).args(["approver", "-o", "json"]));
    let read = |lines: &Lines| -> serde_json::Value { serde_json::from_str(&lines.next()).unwrap() };
    assert_eq!(read(&lines)["id"], first.to_string());
    let second = centre.ask("exec", Grade::EndToEnd, "fan 3 stopped", 1);
    server.tell("consent.requested");
    let line = read(&lines);
    assert_eq!((line["id"].as_str().unwrap(), line["state"].as_str().unwrap()), (second.to_string().as_str(), "requested"));
    centre.consents.lock().unwrap()[0].state = ConsentState::Lapsed;
    server.tell("consent.lapsed");
    let line = read(&lines);
    assert_eq!((line["id"].as_str().unwrap(), line["state"].as_str().unwrap()), (first.to_string().as_str(), "lapsed"));
}

// ---- The page -------------------------------------------------------------------------------------------------------

struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// A browser, in so far as it keeps a cookie; every header can be another one.
struct Browser {
    port: u16,
    room: String,
    link: String,
    cookie: Option<String>,
    language: &'static str,
    _lines: Lines,
}

impl Browser {
    /// Starts the page and reads its link.
    fn start(server: &Server, centre: &Centre) -> Self {
        let lines = Lines::start(approver(server, centre).args(["approver", "--page"]));
        let url = lines.next();
        let (host, rest) = url.strip_prefix("http://127.0.0.1:").unwrap().split_once('/').unwrap();
        let (room, _) = rest.split_once('/').unwrap();
        Self {
            port: host.parse().unwrap(),
            room: format!("/{room}/"),
            link: format!("/{rest}"),
            cookie: None,
            language: "en",
            _lines: lines,
        }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut all = BTreeMap::from([
            ("host", format!("127.0.0.1:{}", self.port)),
            ("connection", "close".into()),
            ("accept-language", self.language.into()),
            ("content-length", body.len().to_string()),
        ]);
        if let Some(cookie) = &self.cookie {
            all.insert("cookie", cookie.clone());
        }
        if method == "POST" {
            all.insert("origin", format!("http://127.0.0.1:{}", self.port));
            all.insert("content-type", "application/x-www-form-urlencoded".into());
        }
        for (name, value) in headers {
            all.insert(name, (*value).to_owned());
        }
        let head = all
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .fold(String::new(), |head, (name, value)| head + &format!("{name}: {value}\r\n"));
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{method} {path} HTTP/1.1\r\n{head}\r\n{body}").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Reply { status, headers: headers.collect(), body: body.to_owned() }
    }

    fn get(&self, page: &str) -> Reply {
        self.send("GET", &format!("{}{page}", self.room), &[], "")
    }

    fn post(&self, page: &str, body: &str) -> Reply {
        self.send("POST", &format!("{}{page}", self.room), &[], body)
    }

    /// Comes in by the link.
    fn enter(&mut self) {
        let reply = self.send("GET", &self.link, &[], "");
        assert_eq!(reply.status, 303, "{}", reply.body);
        assert_eq!(reply.headers["location"], self.room);
        let cookie = &reply.headers["set-cookie"];
        assert!(
            cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains(&format!("Path={}", self.room)),
            "{cookie}"
        );
        self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
    }

    fn wait_for(&self, page: &str, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reply = self.get(page);
            if reply.body.contains(text) {
                return reply.body;
            }
            assert!(Instant::now() < deadline, "`{text}` is not in {}", reply.body);
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> String {
    let at = page.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name} in {page}"));
    let rest = &page[at..];
    rest.split('"').nth(3).unwrap().to_owned()
}

#[test]
fn the_page_shows_a_statement_and_signs_exactly_that() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell,exec", Grade::Gateway, "<b>风扇2</b> stopped", 1);
    let mut browser = Browser::start(&server, &centre);
    browser.enter();
    let list = browser.wait_for("", "engineer-a asks for ne-1.jw.ne");
    assert!(list.contains("&lt;b&gt;风扇2&lt;/b&gt;") && !list.contains("<b>风扇2"), "{list}");
    let page = browser.get(&format!("request-{id}")).body;
    assert!(page.contains("the centre could act in this session"), "{page}");
    assert!(page.contains("doors: shell,exec\n") && page.contains("duration-s: 7200\n"), "{page}");
    // Narrowing asks for another statement; the one before stays unsigned.
    let narrowed = browser.get(&format!("request-{id}?door=shell&for=30m")).body;
    assert!(narrowed.contains("doors: shell\nduration-s: 1800\n"), "{narrowed}");
    let wrong = browser.get(&format!("request-{id}?door=shell&for=3h")).body;
    assert!(wrong.contains("role=\"alert\"") && wrong.contains("duration-s: 7200\n"), "{wrong}");
    let body = format!("form={}&draft={}", field(&narrowed, "form"), field(&narrowed, "draft"));
    let reply = browser.post("approve", &body);
    assert_eq!((reply.status, reply.headers["location"].as_str()), (303, format!("consent-{id}").as_str()), "{}", reply.body);
    let consents = centre.consent(id).consents;
    assert_eq!(consents.len(), 1);
    let signed = consents[0].text.lines().map(|line| line.to_owned() + "\n").collect::<String>();
    assert!(narrowed.contains(&signed), "{signed} was signed, and not shown in {narrowed}");
    assert!(browser.get(&format!("consent-{id}")).body.contains("Live: the device verified it"));
    // Once, and no more.
    assert_eq!(browser.post("approve", &body).status, 409);
    assert_eq!(centre.consent(id).consents.len(), 1);
}

#[test]
fn the_page_refuses_with_a_reason_and_speaks_chinese() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let mut browser = Browser { language: "zh-CN,zh;q=0.9,en;q=0.1", ..Browser::start(&server, &centre) };
    browser.enter();
    browser.wait_for("", "申请进入");
    let page = browser.get(&format!("request-{id}")).body;
    assert!(page.contains("您签署的正是以下文本") && page.contains("由您的设备商根密钥签名") && page.contains("lang=\"zh\""), "{page}");
    let form = field(&page, "form");
    assert_eq!(browser.post("refuse", &format!("form={form}&id={id}&reason=+")).status, 409);
    assert_eq!(centre.consent(id).state, ConsentState::Requested);
    assert_eq!(browser.post("refuse", &format!("form={form}&id={id}&reason=not+today")).status, 303);
    assert_eq!(centre.consent(id).refusal.unwrap().raw(), "not today");
    assert!(browser.get(&format!("consent-{id}")).body.contains("已拒绝"));
}

#[test]
fn strangers_stay_outside_of_the_page() {
    let centre = Centre::new();
    let server = centre.start();
    let id = centre.ask("shell", Grade::EndToEnd, "fan 2 stopped", 1);
    let mut browser = Browser::start(&server, &centre);
    let port = browser.port;
    let room = browser.room.clone();
    // Without the link, with a wrong one, with another path.
    assert_eq!(browser.get("").status, 403);
    assert_eq!(browser.send("GET", &format!("{room}?token={}", "0".repeat(32)), &[], "").status, 403);
    assert_eq!(browser.send("GET", "/", &[], "").status, 404);
    // By a name that somebody points here.
    let rebound = browser.link.clone();
    assert_eq!(browser.send("GET", &rebound, &[("host", &format!("evil.example:{port}"))], "").status, 421);
    assert_eq!(browser.send("GET", &rebound, &[("host", "")], "").status, 421);
    browser.enter();
    // The link is used up; `localhost` is this machine, too.
    let link = browser.link.clone();
    assert_eq!(browser.send("GET", &link, &[("cookie", "")], "").status, 403);
    assert_eq!(browser.send("GET", &room, &[("host", &format!("localhost:{port}"))], "").status, 200);
    let page = browser.get(&format!("request-{id}")).body;
    let body = format!("form={}&draft={}", field(&page, "form"), field(&page, "draft"));
    let approve = format!("{room}approve");
    // From another origin, another port of this machine, no origin at all; without the cookie; without the form's token.
    for origin in
        ["http://evil.example", "null", "", &format!("http://127.0.0.1:{}", port.wrapping_add(1)), &format!("https://127.0.0.1:{port}")]
    {
        assert_eq!(browser.send("POST", &approve, &[("origin", origin)], &body).status, 403, "{origin}");
    }
    assert_eq!(browser.send("POST", &approve, &[("cookie", "")], &body).status, 403);
    assert_eq!(browser.send("POST", &approve, &[("cookie", "lineman=0000")], &body).status, 403);
    let unsigned = format!("form={}&draft={}", "0".repeat(32), field(&page, "draft"));
    assert_eq!(browser.post("approve", &unsigned).status, 409);
    assert_eq!(browser.send("DELETE", &approve, &[], "").status, 403);
    assert_eq!(browser.send("GET", &approve, &[], "").status, 405);
    assert!(centre.consent(id).consents.is_empty(), "something was signed");
    // Every answer, also of a stranger, says what a browser may load.
    for reply in [browser.get(""), browser.send("GET", "/", &[], "")] {
        assert!(reply.headers["content-security-policy"].starts_with("default-src 'none'"), "{:?}", reply.headers);
        assert_eq!((reply.headers["cache-control"].as_str(), reply.headers["x-frame-options"].as_str()), ("no-store", "DENY"));
    }
    // It listens on this machine alone.
    let listening = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{port:04X} ");
    let mine: Vec<_> = listening.lines().filter(|line| line.contains(" 0A ") && line.contains(&port)).collect();
    assert!(mine.iter().all(|line| line.contains("0100007F")) && !mine.is_empty(), "{mine:?}");
    assert_eq!(browser.post("approve", &body).status, 303);
    assert_eq!(centre.consent(id).consents.len(), 1);
}
