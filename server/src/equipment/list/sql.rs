use lineman_common::Printable;
use lineman_common::alarm::Severity;
use lineman_common::api::{EquipmentRow, EquipmentSort, Presence, Trigger};
use lineman_common::query::Key;
use rusqlite::params_from_iter;

use super::super::sql::{COLUMNS, FROM, equipment};
use super::Filter;
use crate::store::value::Json;
use crate::store::{Db, StoreError};
use crate::web::asked::{self, Ask, Conditions, Field, Kind};
use crate::web::{ApiError, Scope};

/// Where free words are looked for.
pub const SEARCHED: [(&str, &str); 9] = [
    ("name", "e.handle || '.' || lower(c.code) || '.ne'"),
    ("customer", "c.name"),
    ("site", "s.name"),
    ("product", "e.product"),
    ("model", "e.model"),
    ("serial", "e.serial"),
    ("software", "e.software"),
    ("agent", "a.software"),
    ("code", "c.code"),
];

/// The worst raised alarm of a piece of equipment as a number, the worst the smallest.
const WORST: &str =
    "coalesce((SELECT min(CASE m.severity WHEN 'critical' THEN 0 WHEN 'major' THEN 1 WHEN 'minor' THEN 2 WHEN 'warning' THEN 3 ELSE 4 END)
    FROM alarm m WHERE m.equipment = e.id AND m.state = 'raised'), 9)";
const FAULTS: &str =
    "(SELECT count(*) FROM fault f WHERE f.equipment = e.id AND f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate'))";

pub const FIELDS: &[Field] = &[
    Field::new(
        Key::word("customer").also(&["客户"]),
        Kind::Name,
        "e.customer IN (SELECT c.id FROM customer c WHERE c.code {} OR c.name {})",
    ),
    Field::new(Key::word("site").also(&["站点", "局站"]), Kind::Part, "s.name {}"),
    Field::new(Key::word("product").also(&["产品"]), Kind::Part, "e.product {}"),
    Field::new(Key::word("model").also(&["型号", "机型"]), Kind::Part, "e.model {}"),
    Field::new(Key::word("software").also(&["version", "版本"]), Kind::Part, "e.software {}").or_none("e.software = ''"),
    Field::new(Key::word("serial").also(&["序列号"]), Kind::Part, "e.serial {}").or_none("e.serial = ''"),
    Field::new(Key::word("agent").also(&["代理"]), Kind::Part, "a.software {}").or_none("a.software IS NULL"),
    Field::new(
        Key::word("equipment").also(&["ne", "name", "网元", "设备"]),
        Kind::Name,
        "e.handle {} OR e.handle || '.' || lower(c.code) || '.ne' {} OR e.id {}",
    ),
    Field::new(
        Key::word("parent").also(&["上级"]),
        Kind::Name,
        "p.handle {} OR p.handle || '.' || lower(c.code) || '.ne' {}",
    )
    .or_none("e.parent IS NULL"),
    Field::new(Key::word("online").also(&["在线"]), Kind::Flag, "coalesce(a.online, 0)"),
    Field::new(Key::word("enrolled").also(&["已登记"]), Kind::Flag, "d.equipment IS NOT NULL"),
    Field::new(Key::word("vouched").also(&["已担保"]), Kind::Flag, "d.statement IS NOT NULL"),
    Field::new(
        Key::word("worst").also(&["health", "sev", "severity", "健康", "级别"]),
        Kind::Words(asked::severity),
        "(SELECT m.severity FROM alarm m WHERE m.equipment = e.id AND m.state = 'raised'
            ORDER BY CASE m.severity WHEN 'critical' THEN 0 WHEN 'major' THEN 1 WHEN 'minor' THEN 2 WHEN 'warning' THEN 3 ELSE 4 END LIMIT 1) {}",
    )
    .or_none("NOT EXISTS (SELECT 1 FROM alarm m WHERE m.equipment = e.id AND m.state = 'raised')"),
    Field::new(
        Key::ordered("alarms").also(&["告警"]),
        Kind::Number,
        "(SELECT count(*) FROM alarm m WHERE m.equipment = e.id AND m.state = 'raised') {}",
    ),
    Field::new(
        Key::ordered("faults").also(&["故障"]),
        Kind::Number,
        "(SELECT count(*) FROM fault f WHERE f.equipment = e.id AND f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate')) {}",
    ),
    Field::new(Key::ordered("seen").also(&["心跳"]), Kind::Time, "a.last_seen_at {}").or_none("a.last_seen_at IS NULL"),
    Field::new(
        Key::word("tier").also(&["服务", "服务级别"]),
        Kind::Words(asked::tier),
        "coalesce((SELECT k.tier FROM contract k WHERE k.customer = c.id AND k.from_at <= {now} AND (k.until_at IS NULL OR k.until_at > {now})
            ORDER BY k.from_at DESC LIMIT 1), c.tier) {}",
    ),
    Field::new(
        Key::word("text").also(&["文本"]),
        Kind::Part,
        "concat_ws(char(10), e.handle, c.name, s.name, e.product, e.model, e.serial, e.software, a.software) {}",
    ),
];

pub fn conditions(db: &Db<'_>, scope: &Scope, ask: &Ask, customer: Option<&str>) -> Result<Conditions, ApiError> {
    let mut all = Conditions::default();
    all.add("e.customer = ?", scope.customer());
    all.add("e.customer = (SELECT id FROM customer WHERE code = ?)", customer.map(str::to_owned));
    ask.conditions(FIELDS, db.now(), &mut all)?;
    let columns = SEARCHED.map(|(_, column)| column);
    ask.texts().for_each(|text| all.contains(&columns, text));
    Ok(all)
}

pub fn count(db: &Db<'_>, scope: &Scope, ask: &Ask, customer: Option<&str>, most: u32) -> Result<u64, ApiError> {
    let mut all = conditions(db, scope, ask, customer)?;
    let limit = all.bind(i64::from(most) + 1);
    let sql = format!("SELECT count(*) FROM (SELECT 1 {FROM}{} LIMIT {limit})", all.narrowed());
    let mut statement = db.sql().prepare_cached(&sql).map_err(StoreError::from)?;
    let count: i64 = statement.query_row(params_from_iter(all.values()), |row| row.get(0)).map_err(StoreError::from)?;
    Ok(count.unsigned_abs())
}

/// The rows, and the last one's key in an order that is not by name.
pub fn page(db: &Db<'_>, scope: &Scope, ask: &Ask, filter: &Filter) -> Result<(Vec<EquipmentRow>, i64), ApiError> {
    let mut all = conditions(db, scope, ask, filter.customer.as_deref())?;
    // The smallest first.
    let key = match filter.sort {
        EquipmentSort::Name => "0".to_owned(),
        EquipmentSort::Worst => WORST.to_owned(),
        EquipmentSort::Faults => format!("-{FAULTS}"),
    };
    let place = "c.code || '/' || e.handle";
    match (filter.after.as_deref(), filter.sort) {
        (None, _) => {}
        (Some(after), EquipmentSort::Name) => all.add(&format!("{place} > ?"), Some(after.to_owned())),
        (Some(after), EquipmentSort::Worst | EquipmentSort::Faults) => {
            let cursor = after.split_once(':').and_then(|(key, name)| Some((key.parse::<i64>().ok()?, name)));
            let (of_key, name) = cursor.ok_or_else(|| ApiError::invalid("`after` is not the `next` of a page"))?;
            let (of_key, name) = (all.bind(of_key), all.bind(name.to_owned()));
            all.push(format!("({key} > {of_key} OR ({key} = {of_key} AND {place} > {name}))"));
        }
    }
    let limit = all.bind(i64::from(filter.limit));
    let order = if filter.sort == EquipmentSort::Name { "c.code, e.handle".to_owned() } else { format!("{key}, {place}") };
    let sql = format!(
        "SELECT {COLUMNS}, {key}, c.name,
           (SELECT json_object('severity', m.severity, 'text', m.text, 'value', m.value, 'threshold', m.threshold, 'raised', 0)
              FROM (SELECT * FROM alarm WHERE equipment = e.id AND state = 'raised' LIMIT 200) m
              ORDER BY CASE m.severity WHEN 'critical' THEN 0 WHEN 'major' THEN 1 WHEN 'minor' THEN 2 WHEN 'warning' THEN 3 ELSE 4 END,
                m.changed_at DESC LIMIT 1)
         {FROM}{} ORDER BY {order} LIMIT {limit}",
        all.narrowed()
    );
    let mut statement = db.sql().prepare_cached(&sql).map_err(StoreError::from)?;
    let rows = statement.query_map(params_from_iter(all.values()), |row| {
        let trigger = row.get::<_, Option<Json<Trigger>>>(18)?.map(|trigger| trigger.0);
        let equipment = equipment(row)?;
        let worst: Option<Severity> = trigger.as_ref().map(|trigger| trigger.severity);
        let trigger = trigger.map(|trigger| Trigger { raised: equipment.active_alarms, ..trigger });
        let row_of = EquipmentRow {
            customer_name: Printable::new(row.get::<_, String>(17)?),
            online: equipment.presence == Presence::Online,
            worst,
            trigger,
            equipment,
        };
        Ok((row_of, row.get::<_, i64>(16)?))
    });
    let rows: Vec<_> = rows.map_err(StoreError::from)?.collect::<Result<_, _>>().map_err(StoreError::from)?;
    let last_key = rows.last().map_or(0, |(_, key)| *key);
    Ok((rows.into_iter().map(|(row, _)| row).collect(), last_key))
}
