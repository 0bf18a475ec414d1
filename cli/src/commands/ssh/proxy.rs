//! `lineman proxy`: what `ssh` runs to get to a device.

use std::io::stdout;
use std::path::PathBuf;

use clap::Args;
use lineman_common::api::NewLine;
use lineman_common::id::ConsentId;
use lineman_common::name::NeName;
use reqwest::Url;
use tokio::net::TcpStream;

use super::App;
use crate::client::{Client, server_url};
use crate::context::Config;
use crate::exit::{Exit, Failure, Outcome};
use crate::line::{self, LineError, Stdout, Ticket, dial};

/// Connect stock ssh to a device: the ProxyCommand that `lineman ssh-config` writes
///
/// Asks for a line over the API, connects to the API's port, and hands the connected socket to ssh, which has to be told
/// `ProxyUseFdpass yes`. For a client that can't take a socket, and gives pipes, it copies the bytes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman ssh-config | grep -A2 ProxyCommand
  lineman proxy ne-1.jw.ne
  lineman proxy --user cns_0123456789abcdef0123456789abcdef ne-1.jw.ne 22")]
pub struct Proxy {
    /// The configuration file with the contexts [default: ~/.config/lineman/config.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The user name that ssh signs in under: where it is a consent's id, the line is for that consent
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[arg(value_name = "NE")]
    device: NeName,
    /// A device's SSH has no other port than 22
    #[arg(default_value_t = 22, value_parser = clap::value_parser!(u16).range(22..=22))]
    port: u16,
}

impl Proxy {
    pub async fn run(self, app: &App) -> Outcome {
        let stdout_is = Stdout::of(stdout());
        if stdout_is == Stdout::Other {
            return Err(Failure::usage("stdout is no socket: `lineman proxy` is what ssh runs as its ProxyCommand, with ProxyUseFdpass")
                .hint(format!("lineman ssh {0}, or: lineman ssh-config --write lineman.ssh && ssh -F lineman.ssh {0}", self.device)));
        }
        let connection = self.connect(app).await?.into_std().and_then(|stream| stream.set_nonblocking(false).map(|()| stream));
        let connection = connection.map_err(LineError::Pass)?;
        match stdout_is {
            Stdout::Socket => line::pass(&connection, stdout())?,
            Stdout::Pipe | Stdout::Other => {
                line::copy(&connection).map_err(|error| Failure::failed(format!("the connection to {} broke: {error}", self.device)))?;
            }
        }
        Ok(Exit::Done)
    }

    async fn connect(&self, app: &App) -> Result<TcpStream, Failure> {
        if let Some((server, ticket)) = self.asked_before(app)? {
            match dial(&server, &ticket).await {
                // It was good for seconds, and once.
                Err(LineError::Refused(_)) => {}
                dialled => return Ok(dialled?),
            }
        }
        let config = self.config.as_deref().map_or_else(|| app.config(), |path| Ok(Config::load(path)?))?;
        let client = Client::new(&app.settings_from(&config)?.connect()?)?;
        let consent = self.user.as_deref().and_then(|user| user.parse::<ConsentId>().ok());
        let ticket = client.line(&NewLine { device: self.device.clone(), consent }).await?;
        Ok(dial(client.base(), &ticket).await?)
    }

    /// The line that `lineman ssh` has asked for, with the server that it belongs to.
    fn asked_before(&self, app: &App) -> Result<Option<(Url, Ticket)>, Failure> {
        let ticket = app.env.get(line::VARIABLE).and_then(|text| text.parse::<Ticket>().ok());
        let ticket = ticket.filter(|ticket| ticket.device == self.device);
        let server = app.global.server.as_deref();
        ticket.zip(server).map(|(ticket, server)| Ok((server_url(server)?, ticket))).transpose()
    }
}
