//! `lineman-server init`: everything that a new support centre needs, made once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use lineman_common::api::{NewApiToken, NewPerson};
use lineman_common::name::PersonName;
use lineman_common::people::Role;
use lineman_common::statement::SignerList;

use crate::config;
use crate::gateway;
use crate::people;
use crate::store::{Store, files::write_new};
use crate::trust::Authority;

#[derive(Debug, clap::Args)]
pub struct Init {
    /// The folder to make.
    #[arg(long)]
    dir: PathBuf,
    /// The vendor root's public keys: an allowed_signers file with `vendor-root namespaces="roster@lineman,anchors@lineman" KEY`.
    #[arg(long)]
    vendor_root: PathBuf,
    /// A host name or address by which this server is reached; may be given several times.
    #[arg(long = "name", default_values_t = ["127.0.0.1".to_owned(), "localhost".to_owned()])]
    names: Vec<String>,
    #[arg(long, default_value = "127.0.0.1:7443")]
    listen: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:2222")]
    jump: SocketAddr,
    /// The first administrator's name.
    #[arg(long, default_value = "admin")]
    admin: PersonName,
    /// Where to write the administrator's API token (readable by you only). Default: DIR/admin-token.
    #[arg(long)]
    admin_token_file: Option<PathBuf>,
    /// Mark everything in this server as demonstration data.
    #[arg(long)]
    demo: bool,
}

pub async fn run(init: Init) -> anyhow::Result<()> {
    let root = std::fs::read_to_string(&init.vendor_root).with_context(|| init.vendor_root.display().to_string())?;
    SignerList::parse("vendor root", &root)?;
    if init.dir.join("server.toml").exists() {
        bail!("{} is a server's folder already", init.dir.display());
    }
    make_private(&init.dir)?;
    Authority::create(&init.dir)?;
    gateway::keys::make_host_key(&init.dir)?;
    gateway::keys::client_key(&init.dir)?;
    write_new(&init.dir.join("vendor-root"), root.as_bytes(), 0o644)?;
    let token = first_admin(&init.dir.join("lineman.db"), init.admin.clone()).await?;
    let token_file = init.admin_token_file.unwrap_or_else(|| init.dir.join("admin-token"));
    write_new(&token_file, format!("{token}\n").as_bytes(), 0o600)?;
    // Last: a folder without it is not a server's yet.
    let config = config::template(init.listen, init.jump, &init.names, init.demo);
    write_new(&init.dir.join("server.toml"), config.as_bytes(), 0o644)?;
    eprintln!("made {}; the API token of {} is in {}", init.dir.display(), init.admin, token_file.display());
    eprintln!("next: lineman-server run --config {}", init.dir.join("server.toml").display());
    eprintln!("it prints a one-time code, with which {} gets a password for the console", init.admin);
    Ok(())
}

fn make_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(|| dir.display().to_string())
}

async fn first_admin(database: &Path, name: PersonName) -> anyhow::Result<String> {
    let store = Store::open(database, crate::LISTENERS)?;
    let add = move |tx: &mut crate::store::Tx<'_>| -> Result<_, people::Error> {
        let new = NewPerson { name: name.clone(), role: Role::Admin, customer: None, password: None };
        people::add(tx, "init", new, None)?;
        people::issue_token(tx, "init", &name, &NewApiToken { label: "init".into(), days: 366 })
    };
    Ok(store.write(add).await.map_err(|e: people::Error| anyhow::anyhow!(e))?.token)
}
