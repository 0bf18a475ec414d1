use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{FaultRow, FaultSort, LastActivity, Trigger};
use lineman_common::id::FaultId;
use lineman_common::query::{Key, Test};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params, params_from_iter};
use serde::Deserialize;

use super::super::clocks::{self, left::Left};
use super::super::sql::{self as faults, Filter, IS_OPEN, VIEW};
use super::{Page, grams};
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::asked::{self, Ask, Conditions, Field, Kind};
use crate::web::{ApiError, Scope};

/// A customer's tier today.
const TIER: &str =
    "coalesce((SELECT k.tier FROM contract k WHERE k.customer = c.id AND k.from_at <= {now} AND (k.until_at IS NULL OR k.until_at > {now})
    ORDER BY k.from_at DESC LIMIT 1), c.tier)";

/// The condition of `due:`: the least that is left of any clock.
const DUE: &str = "f.id IN (SELECT w.fault FROM clock_watch w WHERE (w.deadline_at IS NOT NULL OR w.held_us IS NOT NULL)
    AND min(coalesce(w.deadline_at - {now}, 9000000000000000000), coalesce(w.held_us, 9000000000000000000)) {})";

/// With a `+` a condition is held against faults in the order of the list, and nothing is collected and sorted for it.
pub const FIELDS: &[Field] = &[
    Field::new(Key::word("severity").also(&["sev", "级别", "级", "严重度"]), Kind::Words(asked::severity), "f.severity {}"),
    Field::new(Key::word("status").also(&["state", "状态"]), Kind::Words(asked::fault_status), "f.status {}"),
    Field::new(
        Key::word("customer").also(&["客户"]),
        Kind::Name,
        "+f.customer IN (SELECT c.id FROM customer c WHERE c.code {} OR c.name {})",
    ),
    Field::new(
        Key::word("tier").also(&["服务", "服务级别"]),
        Kind::Words(asked::tier),
        "+f.customer IN (SELECT c.id FROM customer c WHERE coalesce((SELECT k.tier FROM contract k WHERE k.customer = c.id AND k.from_at <= {now}
            AND (k.until_at IS NULL OR k.until_at > {now}) ORDER BY k.from_at DESC LIMIT 1), c.tier) {})",
    ),
    Field::new(
        Key::word("site").also(&["站点", "局站"]),
        Kind::Part,
        "+f.equipment IN (SELECT e.id FROM equipment e JOIN site s ON s.id = e.site WHERE s.name {})",
    )
    .or_none("f.equipment IS NULL"),
    Field::new(Key::word("product").also(&["产品"]), Kind::Part, "+f.equipment IN (SELECT e.id FROM equipment e WHERE e.product {})")
        .or_none("f.equipment IS NULL"),
    Field::new(Key::word("model").also(&["型号", "机型"]), Kind::Part, "+f.equipment IN (SELECT e.id FROM equipment e WHERE e.model {})")
        .or_none("f.equipment IS NULL"),
    Field::new(
        Key::word("software").also(&["version", "版本"]),
        Kind::Part,
        "+f.equipment IN (SELECT e.id FROM equipment e WHERE e.software {})",
    )
    .or_none("f.equipment IS NULL"),
    Field::new(
        Key::word("equipment").also(&["ne", "网元", "设备"]),
        Kind::Name,
        "+f.equipment IN (SELECT e.id FROM equipment e JOIN customer c ON c.id = e.customer
            WHERE e.handle {} OR e.handle || '.' || lower(c.code) || '.ne' {} OR e.id {})",
    )
    .or_none("f.equipment IS NULL"),
    Field::new(Key::word("owner").also(&["负责人"]), Kind::Person, "f.owner {}").or_none("f.owner IS NULL"),
    Field::new(Key::word("reporter").also(&["by", "报障人"]), Kind::Person, "f.reported_by {}"),
    Field::new(Key::word("kind").also(&["type", "类型"]), Kind::Words(asked::fault_kind), "f.kind {}"),
    Field::new(Key::word("impact").also(&["影响"]), Kind::Words(asked::impact), "f.impact {}"),
    Field::new(Key::word("pending").also(&["挂起"]), Kind::Words(asked::pending), "f.pending_reason {}").or_none("f.pending_reason IS NULL"),
    Field::new(Key::ordered("due").also(&["left", "剩余", "时限"]), Kind::Span, DUE)
        .or_none("f.id NOT IN (SELECT w.fault FROM clock_watch w WHERE w.deadline_at IS NOT NULL OR w.held_us IS NOT NULL)"),
    Field::new(
        Key::word("breached").also(&["超时"]),
        Kind::Flag,
        "EXISTS (SELECT 1 FROM clock_said s WHERE s.fault = f.id AND s.percent = 100)",
    ),
    Field::new(Key::ordered("age").also(&["历时"]), Kind::Span, "({now} - f.reported_at) {}"),
    Field::new(Key::ordered("opened").also(&["reported", "报障时间"]), Kind::Time, "f.reported_at {}"),
    Field::new(Key::ordered("updated").also(&["更新"]), Kind::Time, "{touched} {}"),
    Field::new(Key::ordered("resolved").also(&["解决时间"]), Kind::Time, "f.resolved_at {}").or_none("f.resolved_at IS NULL"),
    Field::new(
        Key::word("code").also(&["cause", "alarm", "告警码", "告警", "原因"]),
        Kind::Name,
        "EXISTS (SELECT 1 FROM alarm a WHERE a.fault = f.id AND (a.alarm_type {} OR a.qualifier {} OR a.probable_cause {}))",
    )
    .or_none("NOT EXISTS (SELECT 1 FROM alarm a WHERE a.fault = f.id)"),
    Field::new(
        Key::word("consent").also(&["同意"]),
        Kind::Words(asked::consent_state),
        "f.id IN (SELECT n.fault FROM consent n WHERE n.state {})",
    )
    .or_none("NOT EXISTS (SELECT 1 FROM consent n WHERE n.fault = f.id)"),
    Field::new(Key::word("reference").also(&["ticket", "客户单号"]), Kind::Name, "f.customer_reference {}")
        .or_none("f.customer_reference IS NULL"),
    Field::new(Key::word("number").also(&["编号", "单号"]), Kind::Name, "'F-' || (SELECT c.code FROM customer c WHERE c.id = f.customer) || '-' || f.serial {}"),
    Field::new(Key::ordered("problem").also(&["问题"]), Kind::Number, "f.problem {}").or_none("f.problem IS NULL").inside(),
];

/// A fault that is on the page.
pub struct Found {
    pub fault: FaultId,
    pub stage: usize,
    pub key: i64,
}

/// What is asked, ready to be counted and listed.
pub struct Question {
    all: Conditions,
    /// What the text index is asked.
    text: Option<String>,
    /// Only open ones can fit.
    open: bool,
    as_of: Timestamp,
    inside: bool,
}

/// One part of an order.
struct Stage {
    condition: Option<&'static str>,
    /// What it is sorted by, before the fault's place.
    key: &'static str,
    descending: bool,
    oldest_first: bool,
}

impl Stage {
    const fn places(condition: Option<&'static str>) -> Self {
        Self { condition, key: "0", descending: false, oldest_first: false }
    }
}

/// What has no clock comes after all that has.
const LEFT: &str = "coalesce((SELECT min(coalesce(w.deadline_at, 9000000000000000000), coalesce(w.held_us + {as_of}, 9000000000000000000))
    FROM clock_watch w WHERE w.fault = f.id), 9000000000000000000)";
/// Word for word the opposite of what open is.
const IS_OVER: &str = "f.status IN ('closed', 'rejected', 'cancelled', 'duplicate')";

impl Question {
    pub fn new(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter, phrases: &[String], as_of: Timestamp) -> Result<Self, ApiError> {
        let inside = scope.sees_internal();
        // The words go through the index, and the page has a cursor of its own.
        let mut all = faults::conditions(scope, &Filter { text: None, after: None, ..filter.clone() });
        let fields: Vec<_> = FIELDS.iter().copied().filter(|field| inside || !field.inside).collect();
        if let Some(hidden) = FIELDS.iter().find(|field| !inside && field.inside && ask.has(field.key.name)) {
            return Err(ApiError::forbidden(format!("`{}:` is for the support centre's people", hidden.key.name)));
        }
        ask.conditions(&fields, db.now(), &mut all)?;
        all.replace("{touched}", if inside { "f.updated_at" } else { "coalesce(f.shown_at, f.reported_at)" });
        let open = filter.open || asks_for_open(ask);
        if open {
            // Open faults are few: of all that are as severe, most are over.
            all.replace("f.severity", "+f.severity");
        }
        if open && !filter.open {
            all.push(IS_OPEN);
        }
        let text = (!phrases.is_empty()).then(|| {
            let columns = if inside { "{shown inside}" } else { "shown" };
            let mut text = format!("{columns} : ({})", phrases.join(" AND "));
            if open {
                text.push_str(" AND marks : \"open\"");
            }
            if let Some(customer) = scope.customer() {
                text.push_str(&format!(" AND marks : \"{}\"", mark(&customer)));
            }
            text
        });
        Ok(Self { all, text, open, as_of, inside })
    }

    /// Where the faults are looked for; with the text index, from there on.
    fn source(&self, all: &mut Conditions) -> String {
        match &self.text {
            Some(text) => {
                let place = all.bind(text.clone());
                format!("FROM fault_index({place}) i CROSS JOIN fault_list l ON l.place = i.rowid CROSS JOIN fault f ON f.id = l.fault")
            }
            // Open faults are few, and a planner may not know: it is told to walk along them.
            None if self.open && self.inside => "FROM fault f INDEXED BY fault_open_id".to_owned(),
            None if self.open => "FROM fault f INDEXED BY fault_open".to_owned(),
            None => "FROM fault f".to_owned(),
        }
    }

    /// How many fit, counted up to one more than `most`.
    pub fn count(&self, db: &Db<'_>, most: u32) -> Result<u64, StoreError> {
        let mut all = self.all.clone();
        let source = self.source(&mut all);
        let limit = all.bind(i64::from(most) + 1);
        // In the order of the list, so that it goes along the list's own index.
        let place = if self.text.is_some() { "i.rowid" } else { "f.id" };
        let sql = format!("SELECT count(*) FROM (SELECT 1 {source}{} ORDER BY {place} DESC LIMIT {limit})", all.narrowed());
        let count: i64 = db.sql().prepare_cached(&sql)?.query_row(params_from_iter(all.values()), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The page, and whether there may be more.
    pub fn page(&self, db: &Db<'_>, page: &Page) -> Result<(Vec<Found>, bool), StoreError> {
        let mut found = Vec::new();
        let stages = self.stages(page.sort);
        let from = page.after.as_ref().map_or(0, |after| after.stage);
        for (number, stage) in stages.iter().enumerate().skip(from) {
            let left = page.limit as usize - found.len();
            if left == 0 {
                return Ok((found, true));
            }
            self.stage(db, page, number, stage, left, &mut found)?;
        }
        let is_full = found.len() == page.limit as usize;
        Ok((found, is_full))
    }

    fn stages(&self, sort: FaultSort) -> Vec<Stage> {
        match sort {
            FaultSort::Newest => vec![Stage::places(None)],
            FaultSort::Oldest => vec![Stage { oldest_first: true, ..Stage::places(None) }],
            FaultSort::Left => {
                let open = Stage { key: LEFT, ..Stage::places(Some(IS_OPEN)) };
                if self.open { vec![open] } else { vec![open, Stage::places(Some(IS_OVER))] }
            }
            FaultSort::Severity if self.open => vec![Stage { key: RANK, ..Stage::places(None) }],
            FaultSort::Severity => SEVERITIES.iter().map(|condition| Stage::places(Some(condition))).collect(),
            FaultSort::Updated if self.inside => vec![Stage { key: "f.updated_at", descending: true, ..Stage::places(None) }],
            FaultSort::Updated => {
                vec![Stage { key: "coalesce(f.shown_at, f.reported_at)", descending: true, ..Stage::places(None) }]
            }
        }
    }

    fn stage(
        &self,
        db: &Db<'_>,
        page: &Page,
        number: usize,
        stage: &Stage,
        limit: usize,
        found: &mut Vec<Found>,
    ) -> Result<(), StoreError> {
        let (sql, values) = self.question(page, number, stage, limit);
        let mut statement = db.sql().prepare_cached(&sql)?;
        let rows = statement
            .query_map(params_from_iter(values), |row| Ok(Found { fault: row.get::<_, Text<_>>(0)?.0, stage: number, key: row.get(1)? }))?;
        for row in rows {
            found.push(row?);
        }
        Ok(())
    }

    fn question(&self, page: &Page, number: usize, stage: &Stage, limit: usize) -> (String, Vec<Value>) {
        let mut all = self.all.clone();
        let source = self.source(&mut all);
        if let Some(condition) = stage.condition {
            all.push(condition);
        }
        // Along the text index it is the index' own order: a fault's place in it is that of its report.
        let place = if self.text.is_some() && stage.key == "0" { "i.rowid" } else { "f.id" };
        let as_of = all.bind(self.as_of.as_microsecond());
        let key = stage.key.replace("{as_of}", &as_of);
        if let Some(after) = page.after.as_ref().filter(|after| after.stage == number) {
            let of_fault = all.bind(after.fault.to_string());
            let of_fault = if place == "f.id" { of_fault } else { format!("(SELECT place FROM fault_list WHERE fault = {of_fault})") };
            let beyond = format!("{place} {} {of_fault}", if stage.oldest_first { ">" } else { "<" });
            if stage.key == "0" {
                all.push(beyond);
            } else {
                let of_key = all.bind(after.key);
                let further = if stage.descending { "<" } else { ">" };
                all.push(format!("({key} {further} {of_key} OR ({key} = {of_key} AND {beyond}))"));
            }
        }
        let by_place = format!("{place} {}", if stage.oldest_first { "ASC" } else { "DESC" });
        let order = match (stage.key, stage.descending) {
            ("0", _) => by_place,
            (_, true) => format!("{key} DESC, {by_place}"),
            (_, false) => format!("{key}, {by_place}"),
        };
        let limit = all.bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let sql = format!("SELECT f.id, {key} {source}{} ORDER BY {order} LIMIT {limit}", all.narrowed());
        (sql, all.values().cloned().collect())
    }

    /// The plans of a page's questions, for tests: which indexes they go along, and whether they sort.
    #[cfg(test)]
    pub fn plans(&self, db: &Db<'_>, page: &Page) -> Vec<String> {
        let plan = |(number, stage): (usize, &Stage)| {
            let (sql, values) = self.question(page, number, stage, page.limit as usize);
            let mut statement = db.sql().prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let rows = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
        };
        self.stages(page.sort).iter().enumerate().map(plan).collect()
    }
}

/// From the worst on, each along the index by severity.
const SEVERITIES: [&str; 5] =
    ["f.severity = 'critical'", "f.severity = 'major'", "f.severity = 'minor'", "f.severity = 'warning'", "f.severity = 'indeterminate'"];

const RANK: &str = "CASE f.severity WHEN 'critical' THEN 0 WHEN 'major' THEN 1 WHEN 'minor' THEN 2 WHEN 'warning' THEN 3 ELSE 4 END";

/// Does the query say itself that only open faults are wanted?
fn asks_for_open(ask: &Ask) -> bool {
    ask.query.filters().any(|filter| match &filter.test {
        Test::AnyOf(values) if filter.key == "status" && !filter.negate => {
            values.iter().all(|value| asked::fault_status(value).is_ok_and(|words| words.iter().all(|word| !is_over(word))))
        }
        Test::AnyOf(_) | Test::Compare(..) => false,
    })
}

fn is_over(word: &str) -> bool {
    matches!(word, "closed" | "rejected" | "cancelled" | "duplicate")
}

// ---- Rows -----------------------------------------------------------------------------------------------------------

/// What a row shows besides the fault itself.
const AROUND: &str = "SELECT c.name, {tier}, s.name, e.product, e.model, w.clocks, w.looked_at, w.fault IS NULL OR coalesce(w.due_at <= ?2, 0) OR w.clocks IS NULL,
    EXISTS (SELECT 1 FROM clock_said x WHERE x.fault = f.id AND x.percent = 100),
    (SELECT json_object('severity', a.severity, 'text', a.text, 'value', a.value, 'threshold', a.threshold, 'raised', 0)
        FROM (SELECT * FROM alarm WHERE fault = f.id AND state = 'raised' LIMIT 200) a
        ORDER BY CASE a.severity WHEN 'critical' THEN 0 WHEN 'major' THEN 1 WHEN 'minor' THEN 2 WHEN 'warning' THEN 3 ELSE 4 END, a.changed_at DESC LIMIT 1),
    (SELECT count(*) FROM alarm a WHERE a.fault = f.id AND a.state = 'raised'),
    (SELECT count(*) FROM (SELECT place FROM alarm WHERE fault = f.id LIMIT 1000) a JOIN alarm_ring r ON r.alarm = a.place
        WHERE r.state = 'raised' AND r.received_at >= f.reported_at - 60000000)
        + (SELECT count(*) FROM fault d WHERE d.duplicate_of = f.id),
    (SELECT n.state FROM consent n WHERE n.fault = f.id AND n.request IS NOT NULL ORDER BY n.id DESC LIMIT 1),
    (SELECT count(*) FROM session x WHERE x.fault = f.id AND x.ended_at IS NULL),
    (SELECT json_object('who', x.actor, 'at', x.recorded_at, 'kind', x.kind, 'text', substr(x.text, 1, 120)) FROM event x
        WHERE x.fault = f.id AND (?3 OR NOT x.internal) AND x.kind NOT LIKE 'clock.%' AND x.kind <> 'fault.alarm_attached' ORDER BY x.seq DESC LIMIT 1)
    FROM fault f JOIN customer c ON c.id = f.customer LEFT JOIN equipment e ON e.id = f.equipment LEFT JOIN site s ON s.id = e.site
    LEFT JOIN clock_watch w ON w.fault = f.id WHERE f.id = ?1";

#[derive(Deserialize)]
struct Last {
    who: String,
    at: i64,
    kind: String,
    text: String,
}

/// A row of the list; the ids come from a question under the scope.
pub fn row(db: &Db<'_>, scope: &Scope, id: FaultId) -> Result<Option<FaultRow>, ApiError> {
    let sql = format!("{VIEW} WHERE f.id = ?1 AND (?2 IS NULL OR f.customer = ?2)");
    let mut statement = db.sql().prepare_cached(&sql).map_err(StoreError::from)?;
    let fault = statement.query_row(params![Text(id), scope.customer()], |row| faults::fault(row, scope));
    let Some(fault) = fault.optional().map_err(StoreError::from)? else { return Ok(None) };
    let is_over = fault.status.is_over();
    let (mut row, left) = around(db, scope, fault)?;
    row.clocks = match left {
        _ if is_over => Vec::new(),
        Some(left) => left.0,
        // Something happened to it that the watch has not looked at yet.
        None => clocks::left_of(db, id)?.0,
    };
    Ok(Some(row))
}

fn around(db: &Db<'_>, scope: &Scope, fault: lineman_common::api::Fault) -> Result<(FaultRow, Option<Left>), StoreError> {
    let sql = AROUND.replace("{tier}", TIER).replace("{now}", "?2");
    let mut statement = db.sql().prepare_cached(&sql)?;
    let id = Text(fault.id);
    Ok(statement.query_row(params![id, At(db.now()), scope.sees_internal()], |row| {
        let text = |index| -> rusqlite::Result<Option<Printable>> { Ok(row.get::<_, Option<String>>(index)?.map(Printable::new)) };
        let looked_at = row.get::<_, Option<At>>(6)?;
        let is_old: bool = row.get(7)?;
        let left = match (row.get::<_, Option<Json<Left>>>(5)?, looked_at) {
            (Some(Json(left)), Some(At(at))) if !is_old => Some(left.later(db.now().duration_since(at).as_secs())),
            _ => None,
        };
        let raised: u32 = row.get(10)?;
        let trigger = row.get::<_, Option<Json<Trigger>>>(9)?.map(|Json(trigger)| Trigger { raised, ..trigger });
        let last = row.get::<_, Option<Json<Last>>>(14)?.map(|Json(last)| LastActivity {
            who: last.who,
            at: Timestamp::from_microsecond(last.at).unwrap_or_default(),
            kind: last.kind,
            text: Printable::new(last.text),
        });
        Ok((
            FaultRow {
                customer_name: text(0)?.unwrap_or_default(),
                tier: row.get(1)?,
                site: text(2)?,
                product: text(3)?,
                model: text(4)?,
                clocks: Vec::new(),
                breached: row.get(8)?,
                trigger,
                repeats: row.get::<_, u32>(11)?.max(1),
                consent: row.get::<_, Option<Text<_>>>(12)?.map(|state| state.0),
                live_sessions: row.get(13)?,
                last,
                fault,
            },
            left,
        ))
    })?)
}

// ---- The text index -------------------------------------------------------------------------------------------------

/// A customer's id as a word of the index.
fn mark(customer: &str) -> String {
    customer.replace('_', "")
}

pub fn has_due(db: &Db<'_>) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT 1 FROM fault_text_due LIMIT 1")?.exists([])?)
}

pub fn is_due(db: &Db<'_>, fault: FaultId) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT 1 FROM fault_text_due WHERE fault = ?1")?.exists([Text(fault)])?)
}

/// The newest first: they are searched for most.
pub fn due(db: &Db<'_>, limit: u32) -> Result<Vec<FaultId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT fault FROM fault_text_due ORDER BY fault DESC LIMIT ?1")?;
    Ok(statement.query_map([limit], |row| Ok(row.get::<_, Text<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

/// Of one fault: more is not searched.
const MOST_TEXT: usize = 40_000;
const MOST_NOTES: u32 = 200;

/// Puts a fault's text into the index as it is now.
pub fn index(db: &Db<'_>, fault: FaultId) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT l.place, f.customer, {IS_OPEN}, concat_ws(char(10), 'F-' || c.code || '-' || f.serial, f.title, f.description, f.customer_reference, f.cause,
             f.plan, json_extract(f.resolution, '$.cause'), json_extract(f.resolution, '$.note'), e.handle || '.' || lower(c.code) || '.ne', e.product,
             e.model, e.serial, s.name, c.code, c.name)
         FROM fault f JOIN fault_list l ON l.fault = f.id JOIN customer c ON c.id = f.customer LEFT JOIN equipment e ON e.id = f.equipment
         LEFT JOIN site s ON s.id = e.site WHERE f.id = ?1"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let found = statement.query_row([Text(fault)], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?, row.get::<_, String>(3)?))
    });
    if let Some((place, customer, is_open, mut shown)) = found.optional()? {
        let mut inside = String::new();
        let mut notes = db.sql().prepare_cached(
            "SELECT internal, substr(text, 1, 4000) FROM event WHERE fault = ?1 AND kind = 'fault.note' ORDER BY seq DESC LIMIT ?2",
        )?;
        let mut notes = notes.query(params![Text(fault), MOST_NOTES])?;
        while let Some(note) = notes.next()? {
            let into = if note.get(0)? { &mut inside } else { &mut shown };
            if into.len() < MOST_TEXT {
                into.push('\n');
                into.push_str(note.get_ref(1)?.as_str().map_err(|error| StoreError::Corrupt(error.to_string()))?);
            }
        }
        let marks = format!("{}{}", mark(&customer), if is_open { " open" } else { "" });
        let mut put = db.sql().prepare_cached("INSERT OR REPLACE INTO fault_index(rowid, shown, inside, marks) VALUES (?1, ?2, ?3, ?4)")?;
        put.execute(params![place, grams::tokens(&shown), grams::tokens(&inside), marks])?;
    }
    db.sql().prepare_cached("DELETE FROM fault_text_due WHERE fault = ?1")?.execute([Text(fault)])?;
    Ok(())
}
