use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::query::Key;
use rusqlite::params_from_iter;

use super::super::sql::{VIEW, view};
use super::Filter;
use crate::store::{Db, StoreError};
use crate::web::asked::{self, Ask, Conditions, Field, Kind};
use crate::web::{ApiError, Scope};

/// Where free words are looked for.
pub const SEARCHED: [(&str, &str); 7] = [
    ("engineer", "n.engineer"),
    ("fault", "'F-' || c.code || '-' || f.serial"),
    ("title", "f.title"),
    ("equipment", "e.handle"),
    ("reason", "n.reason"),
    ("decided_by", "n.decided_by"),
    ("account", "n.account"),
];

pub const FIELDS: &[Field] = &[
    Field::new(Key::word("state").also(&["status", "状态"]), Kind::Words(asked::consent_state), "n.state {}"),
    Field::new(Key::word("engineer").also(&["who", "工程师"]), Kind::Person, "n.engineer {}"),
    Field::new(Key::word("approver").also(&["审批人"]), Kind::Person, "n.decided_by {}").or_none("n.decided_by IS NULL"),
    Field::new(
        Key::word("equipment").also(&["ne", "网元", "设备"]),
        Kind::Name,
        "n.equipment IN (SELECT e.id FROM equipment e JOIN customer c ON c.id = e.customer
            WHERE e.handle {} OR e.handle || '.' || lower(c.code) || '.ne' {} OR e.id {})",
    ),
    Field::new(
        Key::word("customer").also(&["客户"]),
        Kind::Name,
        "n.customer IN (SELECT c.id FROM customer c WHERE c.code {} OR c.name {})",
    ),
    Field::new(
        Key::word("site").also(&["站点", "局站"]),
        Kind::Part,
        "n.equipment IN (SELECT e.id FROM equipment e JOIN site s ON s.id = e.site WHERE s.name {})",
    ),
    Field::new(Key::word("product").also(&["产品"]), Kind::Part, "n.equipment IN (SELECT e.id FROM equipment e WHERE e.product {})"),
    Field::new(Key::word("model").also(&["型号", "机型"]), Kind::Part, "n.equipment IN (SELECT e.id FROM equipment e WHERE e.model {})"),
    Field::new(Key::word("fault").also(&["故障", "故障单"]), Kind::Name, "'F-' || c.code || '-' || f.serial {}"),
    Field::new(Key::word("grade").also(&["方式"]), Kind::Words(asked::grade), "n.grade {}"),
    Field::new(Key::word("account").also(&["账号"]), Kind::Name, "n.account {}"),
    Field::new(Key::ordered("requested").also(&["申请时间"]), Kind::Time, "n.requested_at {}"),
    Field::new(Key::ordered("lapses").also(&["剩余"]), Kind::Span, "(n.lapses_at - {now}) {}"),
    Field::new(
        Key::word("text").also(&["文本"]),
        Kind::Part,
        "concat_ws(char(10), n.engineer, f.title, e.handle, n.reason, n.decided_by, n.account) {}",
    ),
];

pub fn conditions(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter) -> Result<Conditions, ApiError> {
    let mut all = Conditions::default();
    // A challenge without a request is nothing that anybody has asked for.
    all.push("n.request IS NOT NULL");
    all.add("n.customer = ?", scope.customer());
    all.add("n.fault = ?", filter.fault.map(|fault| fault.to_string()));
    all.add("n.state = ?", filter.state.map(ConsentState::as_str).map(str::to_owned));
    ask.conditions(FIELDS, db.now(), &mut all)?;
    let columns = SEARCHED.map(|(_, column)| column);
    ask.texts().for_each(|text| all.contains(&columns, text));
    Ok(all)
}

/// [`VIEW`] without its columns.
fn source() -> &'static str {
    VIEW.find("FROM consent n").map_or("", |at| &VIEW[at..])
}

pub fn count(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter, most: u32) -> Result<u64, ApiError> {
    let mut all = conditions(db, scope, ask, filter)?;
    let limit = all.bind(i64::from(most) + 1);
    let sql = format!("SELECT count(*) FROM (SELECT 1 {}{} LIMIT {limit})", source(), all.narrowed());
    let mut statement = db.sql().prepare_cached(&sql).map_err(StoreError::from)?;
    let count: i64 = statement.query_row(params_from_iter(all.values()), |row| row.get(0)).map_err(StoreError::from)?;
    Ok(count.unsigned_abs())
}

/// Newest first; ids sort by time.
pub fn page(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter) -> Result<Vec<ConsentView>, ApiError> {
    let mut all = conditions(db, scope, ask, filter)?;
    all.add("n.id < ?", filter.after.map(|id| id.to_string()));
    let limit = all.bind(i64::from(filter.limit));
    let sql = format!("{VIEW}{} ORDER BY n.id DESC LIMIT {limit}", all.narrowed());
    let mut statement = db.sql().prepare_cached(&sql).map_err(StoreError::from)?;
    let rows = statement.query_map(params_from_iter(all.values()), view).map_err(StoreError::from)?;
    Ok(rows.collect::<Result<_, _>>().map_err(StoreError::from)?)
}
