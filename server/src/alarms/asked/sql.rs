use lineman_common::query::Key;

use crate::web::asked::{self, Field, Kind};

/// Where free words are looked for. All of it is of the entry itself, or decided once for all lines.
pub const SEARCHED: [(&str, &str); 5] = [
    ("text", "alarm.text"),
    ("alarm_type", "alarm.alarm_type"),
    ("qualifier", "alarm.qualifier"),
    ("probable_cause", "alarm.probable_cause"),
    ("equipment", "(SELECT e.handle FROM equipment e WHERE e.id = alarm.equipment)"),
];

pub const FIELDS: &[Field] = &[
    Field::new(Key::word("severity").also(&["sev", "级别", "级", "严重度"]), Kind::Words(asked::severity), "alarm.severity {}"),
    Field::new(Key::word("state").also(&["status", "状态"]), Kind::Words(asked::alarm_state), "alarm.state {}"),
    Field::new(Key::word("operator").also(&["ack", "确认"]), Kind::Words(asked::operator_state), "alarm.operator_state {}"),
    Field::new(
        Key::word("customer").also(&["客户"]),
        Kind::Name,
        "alarm.customer IN (SELECT c.id FROM customer c WHERE c.code {} OR c.name {})",
    ),
    Field::new(
        Key::word("site").also(&["站点", "局站"]),
        Kind::Part,
        "alarm.equipment IN (SELECT e.id FROM equipment e JOIN site s ON s.id = e.site WHERE s.name {})",
    ),
    Field::new(Key::word("product").also(&["产品"]), Kind::Part, "alarm.equipment IN (SELECT e.id FROM equipment e WHERE e.product {})"),
    Field::new(
        Key::word("model").also(&["型号", "机型"]),
        Kind::Part,
        "alarm.equipment IN (SELECT e.id FROM equipment e WHERE e.model {})",
    ),
    Field::new(
        Key::word("equipment").also(&["ne", "网元", "设备"]),
        Kind::Name,
        "alarm.equipment IN (SELECT e.id FROM equipment e JOIN customer c ON c.id = e.customer
            WHERE e.handle {} OR e.handle || '.' || lower(c.code) || '.ne' {} OR e.id {})",
    ),
    Field::new(Key::word("code").also(&["type", "告警码", "类型"]), Kind::Name, "alarm.alarm_type {} OR alarm.qualifier {}"),
    Field::new(Key::word("cause").also(&["原因"]), Kind::Name, "alarm.probable_cause {}"),
    Field::new(
        Key::word("fault").also(&["故障", "故障单"]),
        Kind::Name,
        "alarm.fault IN (SELECT f.id FROM fault f JOIN customer c ON c.id = f.customer WHERE 'F-' || c.code || '-' || f.serial {})",
    )
    .or_none("alarm.fault IS NULL"),
    Field::new(Key::word("shelved").also(&["搁置"]), Kind::Flag, "alarm.shelf IS NOT NULL"),
    Field::new(Key::word("suppressed").also(&["抑制"]), Kind::Flag, "alarm.suppressed_by IS NOT NULL"),
    Field::new(Key::word("flapping").also(&["抖动"]), Kind::Flag, "alarm.flapping"),
    Field::new(Key::word("maintenance").also(&["维护"]), Kind::Flag, "alarm.maintenance IS NOT NULL"),
    Field::new(Key::ordered("count").also(&["次数"]), Kind::Number, "alarm.count {}"),
    Field::new(Key::ordered("changed").also(&["变化时间"]), Kind::Time, "alarm.changed_at {}"),
    Field::new(Key::ordered("raised").also(&["发生时间"]), Kind::Time, "alarm.raised_at {}"),
    Field::new(Key::ordered("age").also(&["历时"]), Kind::Span, "({now} - alarm.raised_at) {}"),
    Field::new(
        Key::word("text").also(&["文本"]),
        Kind::Part,
        "alarm.text || char(10) || alarm.alarm_type || char(10) || alarm.qualifier {}",
    ),
];
