//! Commands on a server's files, while it runs or not.

use std::path::PathBuf;

use clap::Subcommand;

use crate::cases;
use crate::config::Settings;
use crate::gateway;
use crate::store::{self, Store};

#[derive(Debug, clap::Args)]
pub struct Config {
    /// The server's `server.toml`.
    #[arg(long)]
    pub config: PathBuf,
}

#[derive(Subcommand)]
pub enum Data {
    /// Check the configuration and say what is wrong with it.
    CheckConfig(Config),
    /// Bring the database to this version's schema (`run` does it too).
    Migrate(Config),
    /// Copy the database into a file, also while the server runs.
    Backup {
        #[command(flatten)]
        config: Config,
        /// The copy; must not exist.
        #[arg(long)]
        to: PathBuf,
    },
    /// Put a backup in the database's place; the server must not run.
    Restore {
        #[command(flatten)]
        config: Config,
        #[arg(long)]
        from: PathBuf,
    },
    /// Print the public key that the gateway signs in with on devices, for consents of grade gateway. The vendor root lists it in
    /// the roster: `gateway namespaces="gateway@lineman" KEY`. Made when it is missing.
    GatewayKey(Config),
    /// The case library.
    #[command(subcommand)]
    Cases(Cases),
    /// Print the API's description.
    Openapi,
}

#[derive(Subcommand)]
pub enum Cases {
    /// Build the library's search index anew from the cases, with progress on stderr; while a server runs, it does so and goes on
    /// answering. The index heals by itself: this is for when you don't believe it.
    Rebuild(Config),
}

impl Data {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::CheckConfig(config) => {
                let settings = Settings::read(&config.config)?;
                println!("{} is good: listens on {} and {}", config.config.display(), settings.listen, settings.jump);
            }
            Self::Migrate(config) => drop(Store::open(&Settings::read(&config.config)?.database(), crate::LISTENERS)?),
            Self::Backup { config, to } => {
                anyhow::ensure!(!to.exists(), "{} exists already: name a new file", to.display());
                store::backup(&Settings::read(&config.config)?.database(), &to)?;
                println!("backed up into {}", to.display());
            }
            Self::Restore { config, from } => {
                let settings = Settings::read(&config.config)?;
                // Whoever listens on the server's port may be the server itself.
                std::net::TcpListener::bind(settings.listen)
                    .map_err(|e| anyhow::anyhow!("the server seems to run ({}: {e}): stop it first", settings.listen))?;
                let aside = store::restore(&from, &settings.database())?;
                println!("restored from {}", from.display());
                if let Some(aside) = aside {
                    println!("the database that was there is kept as {}", aside.display());
                }
            }
            Self::GatewayKey(config) => {
                let key = gateway::keys::client_key(&Settings::read(&config.config)?.dir)?;
                println!("{}", key.public_key().to_openssh()?);
            }
            Self::Cases(Cases::Rebuild(config)) => cases::library::rebuild::run(&config.config).await?,
            Self::Openapi => println!("{}", crate::api::description()),
        }
        Ok(())
    }
}
