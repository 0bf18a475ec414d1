use jiff::{SignedDuration, Timestamp};
use lineman_common::api::GrepHit;
use lineman_common::name::{FaultNumber, NeName};
use rusqlite::{Row, params};

use super::{Found, Search};
use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const FOUND: &str = "SELECT s.customer, l.session, c.code, f.serial, e.handle, s.engineer, l.channel, l.seconds, s.started_at, l.text";
/// `CROSS JOIN` keeps the order: the lines first, newest first, until there are enough.
const JOINS: &str = "JOIN fault f ON f.id = s.fault JOIN customer c ON c.id = s.customer JOIN equipment e ON e.id = s.equipment";
const FILTERS: &str = "(?2 IS NULL OR s.customer = ?2) AND (?3 IS NULL OR c.code = ?3) AND (?4 IS NULL OR s.fault = ?4)
    AND (?5 IS NULL OR s.equipment = ?5) AND (?6 IS NULL OR s.engineer = ?6)";

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let Text(code): Text<lineman_common::name::CustomerCode> = row.get(2)?;
    let (seconds, started): (f64, At) = (row.get(7)?, row.get(8)?);
    let hit = GrepHit {
        session: row.get::<_, Text<_>>(1)?.0,
        fault: FaultNumber { customer: code.clone(), serial: row.get(3)? },
        device: NeName { customer: code, handle: row.get::<_, Text<_>>(4)?.0 },
        engineer: row.get::<_, Text<_>>(5)?.0,
        channel: row.get(6)?,
        seconds,
        at: after(started.0, seconds),
        line: row.get::<_, String>(9)?.into(),
    };
    Ok(Found { customer: row.get::<_, Text<_>>(0)?.0, hit })
}

/// A device may say any number of seconds.
fn after(started: Timestamp, seconds: f64) -> Timestamp {
    let passed = SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
    started.checked_add(passed).unwrap_or(started)
}

pub fn find(db: &Db<'_>, scope: &Scope, search: &Search) -> Result<Vec<Found>, StoreError> {
    let is_narrow = search.fault.is_some() || search.device.is_some() || search.engineer.is_some();
    let of_session = "l.session = s.id AND l.equipment = s.equipment";
    let lines = match (search.is_short(), is_narrow) {
        (false, _) => format!(
            "FROM transcript_index i CROSS JOIN transcript_line l ON l.id = i.rowid CROSS JOIN session s ON {of_session} {JOINS}
             WHERE i.transcript_index MATCH ?1 AND {FILTERS} ORDER BY i.rowid DESC"
        ),
        (true, false) => format!(
            "FROM transcript_line l CROSS JOIN session s ON {of_session} {JOINS}
             WHERE l.text LIKE ?1 ESCAPE '\\' AND {FILTERS} ORDER BY l.id DESC"
        ),
        // A few sessions: their lines only.
        (true, true) => format!(
            "FROM session s CROSS JOIN transcript_line l ON {of_session} {JOINS}
             WHERE l.text LIKE ?1 ESCAPE '\\' AND {FILTERS} ORDER BY l.id DESC"
        ),
    };
    let text = if search.is_short() { search.pattern() } else { search.phrase() };
    let mut statement = db.sql().prepare_cached(&format!("{FOUND} {lines} LIMIT ?7"))?;
    let asked = params![
        text,
        scope.customer(),
        search.customer.as_ref().map(Text),
        search.fault.map(Text),
        search.device.map(Text),
        search.engineer.as_ref().map(Text),
        search.most
    ];
    Ok(statement.query_map(asked, found)?.collect::<Result<_, _>>()?)
}
