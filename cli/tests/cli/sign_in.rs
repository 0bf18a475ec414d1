use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use lineman_common::error::ErrorCode;
use serde_json::json;

use super::server::{Server, json as answer, problem};
use super::{at, ends, lineman, run, run_with_stdin, stderr, stdout};

fn centre() -> Server {
    Server::start(|route, asked| match route {
        "POST /api/v1/login" if asked.body["password"] == "correct horse battery" => {
            answer(json!({"token": "secret-token", "expires_at": Timestamp::now()}))
        }
        "POST /api/v1/login" => problem(ErrorCode::Unauthenticated, "name or password is wrong"),
        "GET /api/v1/whoami" if asked.header("authorization") == "Bearer secret-token" => answer(
            json!({"id": lineman_common::id::PersonId::new(), "name": "noc-c", "role": "noc", "customer": "JW", "created_at": Timestamp::now()}),
        ),
        "POST /api/v1/logout" => answer(()),
        _ => problem(ErrorCode::Unauthenticated, "the token is not valid"),
    })
}

#[test]
fn signing_in_keeps_the_token_and_never_shows_it() {
    let (server, home) = (centre(), tempfile::tempdir().unwrap());
    let login = ["login", "--server", &server.url, "--name", "noc-c", "--password-stdin", "--as", "demo"];
    let output = run_with_stdin(&mut lineman(home.path()), &login, "correct horse battery\n");
    ends(&output, 0);
    assert!(!stdout(&output).contains("secret-token") && !stderr(&output).contains("secret-token"));
    let file = home.path().join(".config/lineman/config.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).unwrap().contains("secret-token"));

    // From now on nothing needs to be named.
    let output = run(&mut lineman(home.path()), &["whoami"]);
    ends(&output, 0);
    assert!(stdout(&output).contains("name\tnoc-c\n") && stdout(&output).contains("context\tdemo\n"), "{}", stdout(&output));
    for args in [&["context", "list", "-o", "json"][..], &["context", "show"]] {
        let output = run(&mut lineman(home.path()), args);
        ends(&output, 0);
        assert!(!stdout(&output).contains("secret-token"));
    }
    ends(&run(&mut lineman(home.path()), &["logout"]), 0);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("secret-token"));
    ends(&run(&mut lineman(home.path()), &["whoami"]), 4);
    ends(&run(&mut lineman(home.path()), &["context", "rm", "demo"]), 0);
    ends(&run(&mut lineman(home.path()), &["context", "use", "demo"]), 3);
}

#[test]
fn a_wrong_password_keeps_nothing() {
    let (server, home) = (centre(), tempfile::tempdir().unwrap());
    let login = ["login", "--server", &server.url, "--name", "noc-c"];
    let output = run(lineman(home.path()).env("LINEMAN_PASSWORD", "guess"), &login);
    ends(&output, 4);
    assert!(!home.path().join(".config/lineman/config.toml").exists());
}

#[test]
fn a_token_can_come_from_stdin() {
    let (server, home) = (centre(), tempfile::tempdir().unwrap());
    let login = ["login", "--server", &server.url, "--token-stdin"];
    ends(&run_with_stdin(&mut lineman(home.path()), &login, "secret-token\n"), 0);
    ends(&run(&mut lineman(home.path()), &["whoami"]), 0);
    ends(&run_with_stdin(&mut lineman(home.path()), &login, ""), 2);
    ends(&run_with_stdin(&mut lineman(home.path()), &login, "wrong\n"), 4);
}

#[test]
fn the_exit_codes_are_documented() {
    let home = tempfile::tempdir().unwrap();
    let output = run(&mut lineman(home.path()), &["help", "exit-codes"]);
    ends(&output, 0);
    for code in ["  0  done", "  3  not found", "  8  a clock is breached", "130  interrupted"] {
        assert!(stdout(&output).contains(code), "{code} is not in {}", stdout(&output));
    }
    let output = run(&mut lineman(home.path()), &["completion", "bash"]);
    ends(&output, 0);
    assert!(stdout(&output).contains("_lineman"));
}

#[test]
fn an_interrupt_has_its_code() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start(|_, _| answer(json!({"items": [], "as_of": "2026-11-22T00:00:00Z"})));
    let mut child = at(&server, home.path()).args(["fault", "list", "--watch"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    // The first list is printed, so the program waits for changes and minds the signal.
    let mut header = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut header).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
