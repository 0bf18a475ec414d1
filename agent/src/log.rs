//! Logs: on standard error, one line an event, with a level that the centre may change.

use lineman_common::link::LogLevel;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

/// Changes the level while the agent runs.
#[derive(Clone)]
pub struct LogLevelHandle(Option<reload::Handle<LevelFilter, Registry>>);

impl LogLevelHandle {
    /// For tests and one-shot commands.
    pub const fn none() -> Self {
        Self(None)
    }

    pub fn set(&self, level: LogLevel) -> Result<(), String> {
        match &self.0 {
            Some(handle) => handle.reload(filter(level)).map_err(|e| e.to_string()),
            None => Ok(()),
        }
    }
}

pub fn start(level: LogLevel) -> LogLevelHandle {
    let (level, handle) = reload::Layer::new(filter(level));
    let lines =
        fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // Fails only when there is a logger already, and then that one has the lines.
    let _ = tracing_subscriber::registry().with(level).with(lines).try_init();
    LogLevelHandle(Some(handle))
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}
