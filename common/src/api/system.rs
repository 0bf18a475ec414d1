//! What the server is and how it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/system`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct System {
    pub version: String,
    /// `release` or `debug`, and what the build was given as `LINEMAN_BUILD`.
    pub build: String,
    pub now: Timestamp,
    pub started_at: Timestamp,
    pub uptime_s: u64,
    /// Made-up data for trying things out.
    pub demo: bool,
    pub database: SystemDatabase,
    pub counts: SystemCounts,
    /// Agents by their version, the most common first.
    pub agents: Vec<AgentVersion>,
    pub case_index: SystemCaseIndex,
    pub search_by_meaning: SystemMeaning,
    /// What works in the background, and what waits for it.
    pub jobs: Vec<SystemJob>,
    /// When the newest backup by `lineman-server backup` was made; absent when none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_at: Option<Timestamp>,
    pub licences: SystemLicences,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemDatabase {
    pub path: String,
    pub size_bytes: u64,
    /// The write-ahead log beside it.
    pub wal_bytes: u64,
    /// In the file, and not in use.
    pub unused_bytes: u64,
    /// For this server's user, on the file's disk.
    pub disk_free_bytes: u64,
    pub disk_total_bytes: u64,
    /// Of migrations.
    pub schema: u32,
    pub sqlite: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemCounts {
    pub customers: u64,
    pub sites: u64,
    pub people: u64,
    pub equipment: u64,
    pub agents_enrolled: u64,
    pub agents_online: u64,
    pub faults: u64,
    pub faults_open: u64,
    pub alarms: u64,
    pub sessions: u64,
    pub sessions_live: u64,
    pub cases: u64,
    /// The newest number of the log.
    pub events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentVersion {
    /// Absent for agents that were never connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub agents: u64,
    pub online: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemCaseIndex {
    pub cases: u32,
    /// Everything that is in use is in it.
    pub is_whole: bool,
    /// While it is built anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<u32>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemMeaning {
    /// Off is a sound state: words are searched for all the same.
    pub is_on: bool,
    /// Cases whose meaning is still to be computed.
    pub waiting: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemJob {
    /// `alarms`, `clocks`, `notices`, `meaning`.
    pub name: String,
    /// What lies before it now.
    pub waiting: u64,
    /// Since when the oldest of it waits, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SystemLicences {
    pub own: String,
    /// Where the list of all that is built in is to be found.
    pub list: String,
}
