//! The clients that engineers have, under a consent of their own: they run as people run them, in a folder of their own, and what the
//! device recorded of them is proved.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Demo, Output, approver_of, eventually, run};

/// An engineer with a live consent on one device.
#[derive(Clone)]
pub struct Inside<'a> {
    demo: &'a Demo,
    pub ne: String,
    pub fault: String,
    pub consent: String,
    /// For `-F`: on lines over the API's port, as `lineman ssh-config` writes it.
    pub config: PathBuf,
    jump: PathBuf,
    /// Where the clients run.
    pub folder: PathBuf,
}

impl Demo {
    /// Files a fault, asks and approves, as `engineer-a`.
    pub fn let_in(&self, ne: &str, doors: &str) -> Inside<'_> {
        self.let_in_as("engineer-a", ne, doors)
    }

    pub fn let_in_as(&self, engineer: &str, ne: &str, doors: &str) -> Inside<'_> {
        let customer = ne.split('.').nth(1).unwrap_or_else(|| panic!("{ne} is no device's name"));
        let filed = json!({"equipment": ne, "title": "work for a client", "impact": "none"});
        let filed = self.http(Some(&format!("noc-{customer}"))).post("/api/v1/faults", &filed).ok();
        let fault = filed["number"].as_str().expect("a number").to_owned();
        let ask = ["consent", "request", &fault, "--doors", doors, "--for", "1h", "-o", "json"];
        let view = self.person(engineer).args(ask).output().json();
        let view = view.as_array().and_then(|list| list.first()).cloned().unwrap_or(view);
        let consent = view["id"].as_str().unwrap_or_else(|| panic!("no id in {view}")).to_owned();
        let approver = approver_of(&fault);
        self.person(&approver).args(["consent", "approve", &consent, "--key", &self.of_person(&approver, "key")]).output().ok();
        let folder = self.scratch(&format!("{fault}-{engineer}"));
        let [config, jump] = [vec![], vec!["--jump"]].map(|options| {
            let file = folder.join(format!("config{}", options.concat()));
            let write = ["ssh-config", "--write", &file.display().to_string()].map(str::to_owned);
            self.person(engineer).args(write).args(options).output().ok();
            file
        });
        Inside { demo: self, ne: ne.to_owned(), fault, consent, config, jump, folder }
    }
}

impl Inside<'_> {
    /// The same engineer, whose clients go through the gateway's SSH port, as `ssh -J` does.
    #[must_use]
    pub fn by_jump(&self) -> Self {
        Self { config: self.jump.clone(), ..self.clone() }
    }

    /// A command in the folder, without a terminal. Its environment says `F`, the configuration, and `NE`, the device.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).stdin(Stdio::null());
        command.env("F", &self.config).env("NE", &self.ne).env("HOME", &self.folder).env("LC_ALL", "C.UTF-8").env("TERM", "xterm-256color");
        command.env("RSYNC_RSH", format!("ssh -F {}", self.config.display())).env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY");
        command
    }

    /// Lines as somebody types them, into a shell that stops at the first one that fails.
    pub fn script(&self, lines: &str) -> Output {
        run(self.command("bash").args(["-euo", "pipefail", "-c", lines]))
    }

    /// A script for expect(1), with `$F` and `$NE`; a minute without what it waits for is a failure.
    pub fn expect(&self, lines: &str) -> Output {
        let preamble = r#"
            set timeout 60
            set F $env(F)
            set NE $env(NE)
            set stty_init "rows 30 cols 100"
            expect_after {
                -i $any_spawn_id timeout { send_user "\n(did not come in time)\n"; exit 99 }
                eof { send_user "\n(ended too early)\n"; exit 98 }
            }
        "#;
        run(self.command("expect").arg("-c").arg(format!("{preamble}{lines}")))
    }

    /// `ssh NE command`.
    pub fn ssh(&self, args: &[&str]) -> Output {
        run(self.command("ssh").arg("-F").arg(&self.config).args(args))
    }

    /// A file that a client made or fetched.
    pub fn here(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file on the device.
    pub fn there(&self, name: &str) -> PathBuf {
        let handle = self.ne.split('.').next().unwrap_or_default();
        self.demo.element(handle).join(name)
    }

    /// All sessions under this consent, when as many as are expected have ended and all of their recording is stored.
    pub fn sessions(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} sessions have ended"), || {
            let path = format!("/api/v1/sessions?fault={}", self.fault);
            let sessions = self.demo.http(Some("manager-d")).get(&path).ok();
            let all: Vec<_> =
                sessions["items"].as_array().into_iter().flatten().filter(|s| s["consent"] == self.consent.as_str()).collect();
            let whole = all.iter().all(|session| session["state"] == "ended" && session["chunks"] == session["chunks_stored"]);
            if whole && all.len() == count {
                Ok(all.into_iter().cloned().collect())
            } else {
                Err(format!("{} of them: {sessions}", all.len()))
            }
        })
    }

    /// What the recordings of all sessions say and what the device noted with them; each is proved.
    pub fn recorded(&self, count: usize) -> String {
        let ids = self.sessions(count).into_iter().map(|session| session["id"].as_str().expect("an id").to_owned());
        let transcript = |id: String| {
            let proof = self.demo.person("engineer-a").args(["session", "verify", &id]).output().ok().says("good").stdout;
            let export = ["session", "export", &id, "--format", "txt"];
            proof + &self.demo.person("engineer-a").args(export).output().ok().stdout
        };
        ids.map(transcript).collect()
    }
}
