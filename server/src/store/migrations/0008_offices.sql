-- Offices, shifts, routing, escalation.

ALTER TABLE person ADD COLUMN skills TEXT NOT NULL DEFAULT '[]';
ALTER TABLE person ADD COLUMN level INTEGER;
ALTER TABLE person ADD COLUMN mail TEXT;
-- All three are set, or none.
ALTER TABLE person ADD COLUMN disabled_at INTEGER;
ALTER TABLE person ADD COLUMN disabled_by TEXT;
ALTER TABLE person ADD COLUMN disabled_reason TEXT;
CREATE INDEX api_token_person ON api_token(person);

CREATE TABLE office (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    parent TEXT REFERENCES office(name),
    -- The whole office as the API shows it.
    body TEXT NOT NULL
) STRICT;
CREATE INDEX office_parent ON office(parent) WHERE parent IS NOT NULL;
-- There is one.
CREATE UNIQUE INDEX office_hq ON office(kind) WHERE kind = 'hq';

CREATE TABLE shift (
    office TEXT NOT NULL REFERENCES office(name),
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (office, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE shift_override (
    -- Overrides apply in this order.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    office TEXT NOT NULL REFERENCES office(name),
    begins_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX shift_override_office ON shift_override(office, ends_at);

CREATE TABLE routing_rule (
    place INTEGER PRIMARY KEY,
    office TEXT NOT NULL REFERENCES office(name),
    body TEXT NOT NULL
) STRICT;
CREATE INDEX routing_rule_office ON routing_rule(office);

-- Where a fault is. The name of an office outlives the office: a fault that is over may have been with one that is gone.
CREATE TABLE fault_duty (
    fault TEXT PRIMARY KEY REFERENCES fault(id),
    office TEXT NOT NULL,
    proposed TEXT,
    -- What the person must know, and how much.
    skills TEXT NOT NULL,
    level INTEGER NOT NULL,
    since INTEGER NOT NULL,
    why TEXT NOT NULL,
    -- The offices that it came from, the first first.
    trail TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fault_duty_office ON fault_duty(office, fault);
CREATE INDEX fault_duty_proposed ON fault_duty(proposed) WHERE proposed IS NOT NULL;
CREATE INDEX fault_owner ON fault(owner) WHERE owner IS NOT NULL AND status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate');

-- Warnings of clocks that were heard: each counts once.
CREATE TABLE clock_heard (
    fault TEXT NOT NULL REFERENCES fault(id),
    clock TEXT NOT NULL,
    percent INTEGER NOT NULL,
    target_s INTEGER NOT NULL,
    PRIMARY KEY (fault, clock, percent, target_s)
) STRICT, WITHOUT ROWID;

CREATE TABLE handover (
    id TEXT PRIMARY KEY,
    office TEXT NOT NULL,
    at INTEGER NOT NULL,
    person TEXT NOT NULL,
    note TEXT NOT NULL,
    incoming TEXT NOT NULL,
    faults TEXT NOT NULL,
    taken_at INTEGER,
    taken_by TEXT,
    taken_note TEXT
) STRICT;
CREATE INDEX handover_office ON handover(office, id);
CREATE INDEX handover_waiting ON handover(office, id) WHERE taken_at IS NULL;

-- Terminals for browsers that are open.
CREATE TABLE open_terminal (
    terminal TEXT PRIMARY KEY,
    consent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX open_terminal_consent ON open_terminal(consent);
CREATE INDEX session_live ON session(customer, id) WHERE ended_at IS NULL;
