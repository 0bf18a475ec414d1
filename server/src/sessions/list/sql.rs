use jiff::SignedDuration;
use lineman_common::Printable;
use lineman_common::api::{RecordingState, SessionRow, SessionState};
use lineman_common::query::Key;
use rusqlite::{Row, params_from_iter};

use super::super::sql::{COLUMNS, session};
use super::Filter;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::asked::{self, Ask, Conditions, Field, Kind};
use crate::web::{ApiError, Scope};

/// Who looked within so long, watches: what is looked at for longer is noted again.
const WATCHING: SignedDuration = SignedDuration::from_mins(15);

const FROM: &str = "FROM session s CROSS JOIN fault f ON f.id = s.fault CROSS JOIN customer c ON c.id = s.customer
    CROSS JOIN equipment e ON e.id = s.equipment CROSS JOIN site p ON p.id = e.site CROSS JOIN consent n ON n.id = s.consent";

/// Where free words are looked for.
pub const SEARCHED: [(&str, &str); 8] = [
    ("engineer", "s.engineer"),
    ("account", "s.account"),
    ("fault", "'F-' || c.code || '-' || f.serial"),
    ("title", "f.title"),
    ("equipment", "e.handle"),
    ("site", "p.name"),
    ("product", "e.product"),
    ("model", "e.model"),
];

pub const FIELDS: &[Field] = &[
    Field::new(Key::word("state").also(&["status", "状态"]), Kind::Words(asked::session_state), "iif(s.ended_at IS NULL, 'live', 'ended') {}"),
    Field::new(Key::word("engineer").also(&["who", "工程师"]), Kind::Person, "s.engineer {}"),
    Field::new(
        Key::word("equipment").also(&["ne", "网元", "设备"]),
        Kind::Name,
        "s.equipment IN (SELECT e.id FROM equipment e JOIN customer c ON c.id = e.customer
            WHERE e.handle {} OR e.handle || '.' || lower(c.code) || '.ne' {} OR e.id {})",
    ),
    Field::new(
        Key::word("customer").also(&["客户"]),
        Kind::Name,
        "s.customer IN (SELECT c.id FROM customer c WHERE c.code {} OR c.name {})",
    ),
    Field::new(
        Key::word("site").also(&["站点", "局站"]),
        Kind::Part,
        "s.equipment IN (SELECT e.id FROM equipment e JOIN site s ON s.id = e.site WHERE s.name {})",
    ),
    Field::new(Key::word("product").also(&["产品"]), Kind::Part, "s.equipment IN (SELECT e.id FROM equipment e WHERE e.product {})"),
    Field::new(Key::word("model").also(&["型号", "机型"]), Kind::Part, "s.equipment IN (SELECT e.id FROM equipment e WHERE e.model {})"),
    Field::new(Key::word("fault").also(&["故障", "故障单"]), Kind::Name, "'F-' || c.code || '-' || f.serial {}"),
    Field::new(Key::word("grade").also(&["方式"]), Kind::Words(asked::grade), "n.grade {}"),
    Field::new(Key::word("account").also(&["账号"]), Kind::Name, "s.account {}"),
    Field::new(Key::word("end").also(&["结束原因"]), Kind::Words(asked::end_reason), "s.end_reason {}").or_none("s.ended_at IS NULL"),
    Field::new(
        Key::word("recording").also(&["录制", "录像"]),
        Kind::Words(recording),
        "CASE WHEN s.ended_at IS NULL THEN 'arriving'
            WHEN coalesce((SELECT r.chunks FROM recording r WHERE r.equipment = s.equipment AND r.session = s.id), 0) >= s.chunks THEN 'whole'
            WHEN EXISTS (SELECT 1 FROM recording r WHERE r.equipment = s.equipment AND r.session = s.id) THEN 'arriving' ELSE 'missing' END {}",
    )
    .moving(),
    Field::new(Key::ordered("started").also(&["开始"]), Kind::Time, "s.started_at {}"),
    Field::new(Key::ordered("ended").also(&["结束"]), Kind::Time, "s.ended_at {}").or_none("s.ended_at IS NULL"),
    Field::new(Key::ordered("length").also(&["时长"]), Kind::Span, "(coalesce(s.ended_at, {now}) - s.started_at) {}"),
    Field::new(
        Key::word("text").also(&["文本"]),
        Kind::Part,
        "s.engineer || char(10) || s.account || char(10) || f.title || char(10) || e.handle || char(10) || p.name {}",
    ),
];

fn recording(text: &str) -> Result<Vec<String>, String> {
    let word = match text {
        "完整" => "whole",
        "传输中" => "arriving",
        "缺失" => "missing",
        word => word,
    };
    word.parse::<RecordingState>().map(|state| vec![state.to_string()]).map_err(|error| error.to_string())
}

pub fn conditions(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter) -> Result<Conditions, ApiError> {
    let mut all = Conditions::default();
    all.add("s.customer = ?", scope.customer());
    all.add("s.fault = ?", filter.fault.map(|fault| fault.to_string()));
    let is_live =
        |words: &[String]| !words.is_empty() && words.iter().all(|word| asked::session_state(word).is_ok_and(|word| word == ["live"]));
    let asks_for_live = ask.query.filters().any(|filter| filter.key == "state" && !filter.negate && is_live(asked::values(filter)));
    match filter.state {
        Some(SessionState::Ended) => all.push("s.ended_at IS NOT NULL"),
        // Word for word as in the index of live ones.
        Some(SessionState::Live) => all.push("s.ended_at IS NULL"),
        None if asks_for_live => all.push("s.ended_at IS NULL"),
        None => {}
    }
    ask.conditions(FIELDS, db.now(), &mut all)?;
    let columns = SEARCHED.map(|(_, column)| column);
    ask.texts().for_each(|text| all.contains(&columns, text));
    Ok(all)
}

pub fn count(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter, most: u32) -> Result<u64, ApiError> {
    let mut all = conditions(db, scope, ask, filter)?;
    let limit = all.bind(i64::from(most) + 1);
    let sql = format!("SELECT count(*) FROM (SELECT 1 {FROM}{} LIMIT {limit})", all.narrowed());
    let mut statement = db.sql().prepare_cached(&sql).map_err(StoreError::from)?;
    let count: i64 = statement.query_row(params_from_iter(all.values()), |row| row.get(0)).map_err(StoreError::from)?;
    Ok(count.unsigned_abs())
}

/// Newest first; ids sort by time.
pub fn page(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter) -> Result<Vec<SessionRow>, ApiError> {
    let mut all = conditions(db, scope, ask, filter)?;
    all.add("s.id < ?", filter.after.map(|id| id.to_string()));
    let limit = all.bind(i64::from(filter.limit));
    let narrowed = all.narrowed();
    let since = all.bind(db.now().saturating_sub(WATCHING).unwrap_or(db.now()).as_microsecond());
    let inside = all.bind(i64::from(scope.sees_internal()));
    let sql = format!(
        "SELECT {COLUMNS}, n.grade, f.title, p.name, e.product, e.model, n.live_until,
           (SELECT json_group_array(DISTINCT iif({inside} OR w.customer IS NOT NULL, v.person, 'support')) FROM recording_view v
              LEFT JOIN person w ON w.name = v.person WHERE v.session = s.id AND v.told_at > {since})
         {FROM}{narrowed} ORDER BY s.id DESC LIMIT {limit}"
    );
    let mut statement = db.sql().prepare_cached(&sql).map_err(StoreError::from)?;
    let rows = statement.query_map(params_from_iter(all.values()), row).map_err(StoreError::from)?;
    Ok(rows.collect::<Result<_, _>>().map_err(StoreError::from)?)
}

fn row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let text = |index| -> rusqlite::Result<Printable> { Ok(Printable::new(row.get::<_, String>(index)?)) };
    let session = session(row)?;
    let recording = match (session.state, session.chunks) {
        (SessionState::Ended, Some(chunks)) if session.chunks_stored >= chunks => RecordingState::Whole,
        (SessionState::Ended, _) if session.chunks_stored == 0 => RecordingState::Missing,
        (SessionState::Ended | SessionState::Live, _) => RecordingState::Arriving,
    };
    Ok(SessionRow {
        grade: row.get::<_, Option<Text<_>>>(14)?.map(|grade| grade.0),
        title: text(15)?,
        site: text(16)?,
        product: text(17)?,
        model: text(18)?,
        live_until: row.get::<_, Option<At>>(19)?.map(|at| at.0),
        watchers: row.get::<_, Json<_>>(20)?.0,
        recording,
        session,
    })
}
