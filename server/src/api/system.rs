//! What the server is and how it is: for those who run it.

mod sql;

use std::path::Path;

use axum::Json;
use axum::extract::{FromRef, State};
use jiff::Timestamp;
use lineman_common::api::{System, SystemCaseIndex, SystemDatabase, SystemLicences, SystemMeaning};
use lineman_common::people::Role;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::cases::library::Library;
use crate::meaning::Meaning;
use crate::store::{Db, Store, mark_of};
use crate::web::{Actor, ApiError};

/// What is known since the start.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub started_at: Timestamp,
    pub demo: bool,
}

#[derive(Clone, FromRef)]
pub struct Handles {
    pub store: Store,
    pub library: Library,
    pub meaning: Meaning,
    pub about: About,
}

pub fn routes() -> OpenApiRouter<Handles> {
    OpenApiRouter::new().routes(routes!(system))
}

/// Version, database, disk, agents, indexes, background work (admin, duty manager, auditor of the support centre).
#[utoipa::path(get, path = "/api/v1/system", tag = "server", responses((status = 200, body = System)))]
async fn system(actor: Actor, State(handles): State<Handles>) -> Result<Json<System>, ApiError> {
    let what = "look at the server itself";
    actor.must_be(&[Role::Admin, Role::DutyManager, Role::Auditor], what)?;
    if actor.customer.is_some() {
        return Err(ApiError::forbidden(format!("{actor} belongs to a customer, and may not {what}")));
    }
    let Handles { store, library, meaning, about } = handles;
    let path = store.path().to_owned();
    let read = move |db: &Db<'_>| -> Result<System, ApiError> {
        let health = library.health();
        let (done, of) = health.rebuild.map(|progress| (progress.cases, progress.of)).unzip();
        Ok(System {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: build(),
            now: db.now(),
            started_at: about.started_at,
            uptime_s: u64::try_from(db.now().duration_since(about.started_at).as_secs()).unwrap_or(0),
            demo: about.demo,
            database: database(db, &path)?,
            counts: sql::counts(db)?,
            agents: sql::agents(db)?,
            case_index: SystemCaseIndex { cases: health.cases, is_whole: health.is_whole, done, of },
            search_by_meaning: SystemMeaning { is_on: meaning.is_on(), waiting: sql::without_vector(db)? },
            jobs: sql::jobs(db)?,
            backup_at: backup_at(&path),
            licences: SystemLicences {
                own: env!("CARGO_PKG_LICENSE").to_owned(),
                list: "Cargo.lock and server/console/package-lock.json of the source name every part that is built in; each part's own \
                       package says its licence"
                    .to_owned(),
            },
        })
    };
    Ok(Json(store.read(read).await?))
}

fn build() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    option_env!("LINEMAN_BUILD").map_or_else(|| profile.to_owned(), |build| format!("{profile} {build}"))
}

fn database(db: &Db<'_>, path: &Path) -> Result<SystemDatabase, ApiError> {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let disk = rustix::fs::statvfs(path).map_err(ApiError::internal)?;
    Ok(SystemDatabase {
        path: path.display().to_string(),
        size_bytes: size(path),
        wal_bytes: size(Path::new(&wal)),
        unused_bytes: sql::unused_bytes(db)?,
        disk_free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
        disk_total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        schema: sql::schema(db)?,
        sqlite: sql::sqlite_version(db)?,
    })
}

/// The mark that a backup leaves beside the database when it is whole.
fn backup_at(path: &Path) -> Option<Timestamp> {
    std::fs::metadata(mark_of(path)).ok()?.modified().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;
    use crate::trust::testing::place;

    #[test]
    fn the_counts_are_those_of_the_store() {
        let mut store = TestStore::new();
        store.write(|tx| (place(tx, "JW"), place(tx, "YW")));
        let (counts, jobs) = store.read(|db| (sql::counts(db).unwrap(), sql::jobs(db).unwrap()));
        assert_eq!((counts.customers, counts.faults, counts.sessions_live), (2, 0, 0));
        assert!(counts.equipment >= 2 && counts.events > 0, "{counts:?}");
        assert_eq!(jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["alarms", "clocks", "notices", "meaning"]);
        assert!(store.read(|db| sql::schema(db).unwrap()) >= 19);
    }

    #[test]
    fn the_newest_backup_is_known_by_its_mark() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        assert_eq!(backup_at(&path), None);
        std::fs::write(dir.path().join("x.db.last-backup"), "").unwrap();
        assert!(backup_at(&path).is_some());
    }
}
