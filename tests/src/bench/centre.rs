//! A server process with a folder of its own, and its administrator.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::report::dir;
use crate::{Process, bin, run};

pub struct Centre {
    /// Keeps the folder.
    root: tempfile::TempDir,
    server: Option<Process>,
    api: Option<Api>,
    /// Of every simulated device: nobody enters one.
    pub host_key: String,
}

/// The API, as the administrator.
#[derive(Clone)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Api {
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        self.request(method, path, &[], body).await
    }

    /// With parameters that need not be escaped before.
    pub async fn ask(&self, path: &str, query: &[(&str, Value)]) -> anyhow::Result<Value> {
        self.request(Method::GET, path, query, None).await
    }

    async fn request(&self, method: Method, path: &str, query: &[(&str, Value)], body: Option<&Value>) -> anyhow::Result<Value> {
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
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// All pages of a list.
    pub async fn all(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut next) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{joint}limit=1000{next}")).await?;
            items.extend(page["items"].as_array().context("no list")?.iter().cloned());
            match page["next"].as_str() {
                Some(after) => next = format!("&after={}", after.replace('+', "%2B")),
                None => return Ok(items),
            }
        }
    }

    /// A customer with a tier and a site; answers the site's id.
    pub async fn customer(&self, code: &str, tier: &Value) -> anyhow::Result<String> {
        let name = tier["name"].as_str().context("a tier's name")?;
        self.send(Method::PUT, &format!("/api/v1/tiers/{name}"), Some(tier)).await?;
        self.post("/api/v1/customers", &json!({"code": code, "name": code, "tier": name})).await?;
        let site = self.post("/api/v1/sites", &json!({"customer": code, "name": "bench", "zone": "UTC"})).await?;
        Ok(site["id"].as_str().context("a site's id")?.to_owned())
    }

    /// Equipment; answers its name.
    pub async fn equipment(&self, code: &str, site: &str, handle: &str, parent: Option<&str>) -> anyhow::Result<String> {
        let mut new = json!({
            "customer": code, "handle": handle, "site": site, "product": "router", "model": "m", "serial": handle, "software": "1"
        });
        if let Some(parent) = parent {
            new["parent"] = parent.into();
        }
        let made = self.post("/api/v1/equipment", &new).await?;
        Ok(made["name"].as_str().context("a name")?.to_owned())
    }
}

impl Centre {
    /// Beside the report of a bench, and by its name.
    pub fn new(bench: &str) -> anyhow::Result<Self> {
        let dir = dir()?;
        std::fs::create_dir_all(&dir)?;
        let root = tempfile::Builder::new().prefix(&format!("{bench}-")).tempdir_in(dir)?;
        let key = root.path().join("key");
        run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&key).stdin(Stdio::null())).ok();
        let public = std::fs::read_to_string(root.path().join("key.pub"))?;
        let roots = root.path().join("vendor-root");
        std::fs::write(&roots, format!("vendor-root namespaces=\"roster@lineman,anchors@lineman\" {public}"))?;
        let mut init = Command::new(bin("lineman-server"));
        init.arg("init").arg("--dir").arg(root.path().join("server")).arg("--vendor-root").arg(&roots);
        init.args(["--listen", "127.0.0.1:0", "--jump", "127.0.0.1:0", "--admin", "admin-z"]);
        run(init.stdin(Stdio::null())).ok();
        let host_key = public.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" ");
        Ok(Self { root, server: None, api: None, host_key })
    }

    pub fn dir(&self) -> PathBuf {
        self.root.path().join("server")
    }

    pub fn database(&self) -> PathBuf {
        self.dir().join("lineman.db")
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
        let api = Api { http, base: ready["server"].as_str().context("an address")?.to_owned(), token };
        (self.server, self.api) = (Some(server), Some(api.clone()));
        Ok(api)
    }

    /// `HOST:PORT`.
    pub fn address(&self) -> anyhow::Result<String> {
        Ok(self.api.as_ref().context("no server runs")?.base.trim_start_matches("https://").to_owned())
    }

    /// As a power cut would.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// In peace, with everything in one file.
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
}
