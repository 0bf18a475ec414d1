//! Why a demo did not do what it was asked.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::client::ClientError;
use crate::context::ContextError;
use crate::exit::{Exit, Failure};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("can't {doing} {}: {source}", path.display())]
    File { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("there is no home directory for the demo's files: set HOME or XDG_STATE_HOME")]
    NoHome,
    #[error("{} holds something that is not a demo's, and it stays as it is", dir.display())]
    NotOurs { dir: PathBuf },
    #[error("{} is too deep: the agents' sockets under it would have longer names than the system takes", dir.display())]
    PathTooLong { dir: PathBuf },
    #[error("a demo runs in {} already", dir.display())]
    Running { dir: PathBuf },
    #[error("no demo runs in {}", dir.display())]
    NotRunning { dir: PathBuf },
    #[error("this host has no account `{0}` for the elements' sessions, and sessions never run as root")]
    NoAccount(&'static str),
    #[error("the elements' accounts can't get to {}, nor to a directory for temporary files", dir.display())]
    Unreachable { dir: PathBuf },
    #[error("can't find {name}: it is neither beside this program ({}) nor in PATH", beside.display())]
    NoProgram { name: &'static str, beside: PathBuf },
    #[error("{address} can't be listened on: {source}")]
    Port { address: SocketAddr, source: io::Error },
    #[error("{what} did not work ({why}); its log is {}", log.display())]
    Step { what: String, why: String, log: PathBuf },
    #[error("the centre refused {what}: {source}")]
    Seed { what: String, source: Box<ClientError> },
    #[error("the demo has no element `{handle}`; it has {known}")]
    NoElement { handle: String, known: String },
    #[error("these processes would not end: {names}")]
    StillThere { names: String },
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Context(#[from] ContextError),
    /// Our own data is not as it should be.
    #[error("the demo's own data is wrong: {0}")]
    Data(String),
}

impl Error {
    pub fn file(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { doing, path: path.to_owned(), source }
    }

    pub fn trust(why: impl std::fmt::Display) -> Self {
        Self::Data(why.to_string())
    }

    /// For `map_err` on calls of the API.
    pub fn seed(what: impl Into<String>) -> impl FnOnce(ClientError) -> Self {
        let what = what.into();
        move |source| Self::Seed { what, source: Box::new(source) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let what = error.to_string();
        match error {
            Error::Running { dir } => Self::new(Exit::Conflict, what).hint(format!(
                "`lineman demo down --dir {0}` ends it, `lineman demo up --fresh` replaces it, `lineman demo status --dir {0}` shows it",
                dir.display()
            )),
            Error::NotRunning { .. } => Self::new(Exit::NotFound, what).hint("`lineman demo up` starts one; `--dir` names another place"),
            Error::NoElement { .. } => Self::new(Exit::NotFound, what),
            Error::NotOurs { .. } => Self::new(Exit::Conflict, what).hint("name an empty directory, or one that doesn't exist, with --dir"),
            Error::PathTooLong { .. } => Self::usage(what).hint("name a shorter one with --dir"),
            Error::Port { .. } => Self::failed(what).hint("leave the port away to let the demo find a free one"),
            Error::NoProgram { .. } => Self::failed(what).hint("build the whole workspace: `cargo build` makes all three programs"),
            Error::Interrupted => Self::new(Exit::Interrupted, what),
            Error::Seed { source, .. } => {
                let cause = Self::from(*source);
                Self { what, ..cause }
            }
            Error::File { .. }
            | Error::NoHome
            | Error::NoAccount(_)
            | Error::Unreachable { .. }
            | Error::Step { .. }
            | Error::StillThere { .. }
            | Error::Context(_)
            | Error::Data(_) => Self::failed(what),
        }
    }
}
