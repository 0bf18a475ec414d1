-- Alarms: three axes, rings of changes, topology, shelves, windows, profiles, rules.

-- What equipment hangs on besides its link (equipment.parent): power, and the thing that it is part of. `via` is the part of the
-- parent that it hangs on, like `shelf-1/card-2/port-3`.
ALTER TABLE equipment ADD COLUMN via TEXT;
CREATE INDEX equipment_parent ON equipment(parent) WHERE parent IS NOT NULL;
CREATE TABLE equipment_relation (
    child TEXT NOT NULL REFERENCES equipment(id),
    relation TEXT NOT NULL,
    parent TEXT NOT NULL REFERENCES equipment(id),
    via TEXT,
    PRIMARY KEY (child, relation, parent)
) STRICT, WITHOUT ROWID;
CREATE INDEX equipment_relation_parent ON equipment_relation(parent, relation);
CREATE VIEW equipment_edge AS
    SELECT id AS child, 'link' AS relation, parent, via FROM equipment WHERE parent IS NOT NULL
    UNION ALL SELECT child, relation, parent, via FROM equipment_relation;

-- When the silence of an agent was told as an alarm.
ALTER TABLE agent ADD COLUMN silent_at INTEGER;
CREATE INDEX agent_away ON agent(last_seen_at) WHERE online = 0 AND silent_at IS NULL;

-- One row per equipment, type and qualifier, for life. `place` is what the other tables call it.
CREATE TABLE alarm_list (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    customer TEXT NOT NULL REFERENCES customer(id),
    equipment TEXT NOT NULL REFERENCES equipment(id),
    alarm_type TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    -- The resource's axis. `severity` is the one that counts; a profile may have put it in the place of the reported one.
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    reported_severity TEXT NOT NULL,
    event_type TEXT NOT NULL,
    probable_cause TEXT NOT NULL,
    text TEXT NOT NULL,
    value TEXT,
    threshold TEXT,
    raised_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    cleared_at INTEGER,
    -- The newest time at which the state was told, also where that changed nothing: what is older is late.
    heard_at INTEGER NOT NULL DEFAULT 0,
    -- What the newest change's time is worth: `future`, `old`, or `assumed`; nothing when there is nothing to say.
    mark TEXT,
    count INTEGER NOT NULL,
    -- Status changes ever written; the ring's next place is this modulo 32.
    changes INTEGER NOT NULL DEFAULT 0,
    -- The operator's axis.
    operator_state TEXT NOT NULL,
    operator TEXT,
    operator_note TEXT,
    operator_at INTEGER,
    -- The third axis, and what correlation found.
    shelf TEXT,
    maintenance TEXT,
    suppressed_by INTEGER,
    suppressed_rule TEXT,
    is_root INTEGER NOT NULL DEFAULT 0,
    flapping INTEGER NOT NULL DEFAULT 0,
    flap_from INTEGER NOT NULL DEFAULT 0,
    flap_count INTEGER NOT NULL DEFAULT 0,
    fault TEXT,
    UNIQUE (equipment, alarm_type, qualifier)
) STRICT;
INSERT INTO alarm_list(id, customer, equipment, alarm_type, qualifier, state, severity, reported_severity, event_type, probable_cause, text,
        value, threshold, raised_at, changed_at, received_at, cleared_at, count, operator_state, operator, operator_note, operator_at, fault)
    SELECT id, customer, equipment, alarm_type, qualifier, state, severity, severity, event_type, probable_cause, text,
        value, threshold, raised_at, changed_at, received_at, cleared_at, count, operator_state, operator, operator_note, operator_at, fault
    FROM alarm ORDER BY id;

-- The last 32 status changes of each alarm: 32 slots that are written over.
CREATE TABLE alarm_ring (
    alarm INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    text TEXT NOT NULL,
    mark TEXT,
    PRIMARY KEY (alarm, slot)
) STRICT, WITHOUT ROWID;
-- Oldest in slot 0, as the ring is written.
INSERT INTO alarm_ring
    SELECT l.place, min(numbered.of, 32) - numbered.newest_first, numbered.at, numbered.at, numbered.state, numbered.severity, numbered.text, NULL
    FROM (SELECT *, row_number() OVER (PARTITION BY alarm ORDER BY at DESC, rowid DESC) AS newest_first,
        count(*) OVER (PARTITION BY alarm) AS of FROM alarm_change) AS numbered
    JOIN alarm_list l ON l.id = numbered.alarm WHERE numbered.newest_first <= 32;
UPDATE alarm_list SET changes = (SELECT count(*) FROM alarm_ring r WHERE r.alarm = place);

DROP TABLE alarm_change;
DROP TABLE alarm;
ALTER TABLE alarm_list RENAME TO alarm;
CREATE INDEX alarm_state ON alarm(state, changed_at, place);
CREATE INDEX alarm_customer ON alarm(customer, state, changed_at, place, severity, operator_state, shelf);
CREATE INDEX alarm_fault ON alarm(fault, state) WHERE fault IS NOT NULL;
CREATE INDEX alarm_on_shelf ON alarm(shelf) WHERE shelf IS NOT NULL;
CREATE INDEX alarm_maintenance ON alarm(maintenance) WHERE maintenance IS NOT NULL;
CREATE INDEX alarm_suppressed ON alarm(suppressed_by) WHERE suppressed_by IS NOT NULL;
CREATE INDEX alarm_flapping ON alarm(received_at) WHERE flapping;

-- What operators said, newest 32 for each alarm.
CREATE TABLE alarm_operator (
    alarm INTEGER NOT NULL,
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_operator_alarm ON alarm_operator(alarm, at);
INSERT INTO alarm_operator SELECT place, operator_at, operator_state, operator, coalesce(operator_note, '')
    FROM alarm WHERE operator_at IS NOT NULL AND operator IS NOT NULL;

-- How many entries a device has in the list.
CREATE TABLE alarm_entries (
    equipment TEXT PRIMARY KEY REFERENCES equipment(id),
    entries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO alarm_entries SELECT equipment, count(*) FROM alarm GROUP BY equipment;

-- Facts of which no conclusions are drawn yet, in their order.
CREATE TABLE alarm_news (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    alarm INTEGER NOT NULL,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    at INTEGER NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;

-- Raised alarms that explain others, by the rule that says so.
CREATE TABLE alarm_root (
    alarm INTEGER NOT NULL,
    rule TEXT NOT NULL,
    equipment TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    PRIMARY KEY (alarm, rule)
) STRICT, WITHOUT ROWID;
CREATE INDEX alarm_root_equipment ON alarm_root(equipment);

-- Alarms that are looked at for faults at that time: a correlation hold.
CREATE TABLE alarm_due (
    alarm INTEGER PRIMARY KEY,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX alarm_due_at ON alarm_due(due_at);

CREATE TABLE alarm_shelf (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    place INTEGER NOT NULL,
    body TEXT NOT NULL,
    until INTEGER,
    created_at INTEGER NOT NULL,
    by TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_shelf_customer ON alarm_shelf(customer, place);
CREATE INDEX alarm_shelf_until ON alarm_shelf(until) WHERE until IS NOT NULL;

CREATE TABLE alarm_window (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    why TEXT NOT NULL,
    by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- `planned`, `active`, `ended`, `cancelled`.
    state TEXT NOT NULL,
    -- Who ended it before its time, and why.
    ended_by TEXT,
    ended_why TEXT
) STRICT;
CREATE INDEX alarm_window_customer ON alarm_window(customer, starts_at);
CREATE INDEX alarm_window_starts ON alarm_window(starts_at) WHERE state = 'planned';
CREATE INDEX alarm_window_ends ON alarm_window(ends_at) WHERE state = 'active';
CREATE TABLE alarm_window_equipment (
    window TEXT NOT NULL REFERENCES alarm_window(id),
    equipment TEXT NOT NULL REFERENCES equipment(id),
    PRIMARY KEY (window, equipment)
) STRICT, WITHOUT ROWID;

CREATE TABLE alarm_profile (
    id TEXT PRIMARY KEY,
    customer TEXT REFERENCES customer(id),
    product TEXT,
    alarm_type TEXT NOT NULL,
    qualifier TEXT,
    severity TEXT NOT NULL,
    why TEXT NOT NULL,
    by TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Rules that people set; the built-in ones are in the program until somebody changes one.
CREATE TABLE alarm_rule (
    name TEXT PRIMARY KEY,
    enabled INTEGER NOT NULL,
    body TEXT NOT NULL,
    why TEXT NOT NULL,
    by TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
