-- Times are microseconds since 1970 in UTC. Ids and closed vocabularies are text. JSON documents are text.

CREATE TABLE tier (
    name TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE customer (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    tier TEXT NOT NULL REFERENCES tier(name),
    last_fault INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE site (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    name TEXT NOT NULL,
    zone TEXT NOT NULL,
    latitude_deg REAL,
    longitude_deg REAL,
    access_notes TEXT NOT NULL,
    UNIQUE (customer, name)
) STRICT;

CREATE TABLE person (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    customer TEXT REFERENCES customer(id),
    password TEXT,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_token (
    sha256 TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person(id),
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE equipment (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    handle TEXT NOT NULL,
    site TEXT NOT NULL REFERENCES site(id),
    parent TEXT REFERENCES equipment(id),
    product TEXT NOT NULL,
    model TEXT NOT NULL,
    serial TEXT NOT NULL,
    software TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (customer, handle)
) STRICT;

-- Enrolment: one-time tokens, and what a device brought with it.
CREATE TABLE enrolment_token (
    sha256 TEXT PRIMARY KEY,
    equipment TEXT NOT NULL REFERENCES equipment(id),
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;

CREATE TABLE device (
    equipment TEXT PRIMARY KEY REFERENCES equipment(id),
    link_key_sha256 TEXT NOT NULL,
    host_key TEXT NOT NULL,
    statement TEXT,
    statement_counter INTEGER NOT NULL DEFAULT 0,
    enrolled_at INTEGER NOT NULL
) STRICT;

-- Lists that the vendor root signed: name is `roster` or `anchors CODE`.
CREATE TABLE trust_list (
    name TEXT PRIMARY KEY,
    counter INTEGER NOT NULL,
    signed TEXT NOT NULL,
    published_at INTEGER NOT NULL
) STRICT;

-- Agents: presence, what of each stream is stored, orders that wait.
CREATE TABLE agent (
    equipment TEXT PRIMARY KEY REFERENCES equipment(id),
    epoch TEXT,
    software TEXT,
    boot_id TEXT,
    online INTEGER NOT NULL DEFAULT 0,
    last_seen_at INTEGER
) STRICT;

CREATE TABLE agent_stream (
    equipment TEXT NOT NULL REFERENCES equipment(id),
    epoch TEXT NOT NULL,
    stream TEXT NOT NULL,
    stored INTEGER NOT NULL,
    PRIMARY KEY (equipment, epoch, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_order (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    equipment TEXT NOT NULL REFERENCES equipment(id),
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX agent_order_equipment ON agent_order(equipment, id);

-- The append-only log, chained per customer ('' = the support centre itself).
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    customer TEXT NOT NULL,
    equipment TEXT,
    fault TEXT,
    internal INTEGER NOT NULL DEFAULT 0,
    actor TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    text TEXT NOT NULL,
    data TEXT NOT NULL,
    payload_sha256 TEXT NOT NULL,
    chain_sha256 TEXT NOT NULL,
    -- Place in the customer's own chain: what its people see as the event's number, so that nobody counts another's events.
    link INTEGER NOT NULL
) STRICT;
CREATE INDEX event_fault ON event(fault, seq) WHERE fault IS NOT NULL;
CREATE UNIQUE INDEX event_customer ON event(customer, link);
CREATE INDEX event_presence ON event(equipment, seq) WHERE kind IN ('agent.online', 'agent.offline');
CREATE TRIGGER event_is_never_changed BEFORE UPDATE OF kind, customer, actor, occurred_at, recorded_at, payload_sha256, chain_sha256 ON event
BEGIN SELECT raise(ABORT, 'events are append-only'); END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN SELECT raise(ABORT, 'events are append-only'); END;

CREATE TABLE event_chain (
    customer TEXT PRIMARY KEY,
    head TEXT NOT NULL,
    links INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Alarms: one row per equipment, type and qualifier, for life (RFC 8632).
CREATE TABLE alarm (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    equipment TEXT NOT NULL REFERENCES equipment(id),
    alarm_type TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    event_type TEXT NOT NULL,
    probable_cause TEXT NOT NULL,
    text TEXT NOT NULL,
    value TEXT,
    threshold TEXT,
    raised_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    cleared_at INTEGER,
    count INTEGER NOT NULL,
    operator_state TEXT NOT NULL,
    operator TEXT,
    operator_note TEXT,
    operator_at INTEGER,
    fault TEXT,
    UNIQUE (equipment, alarm_type, qualifier)
) STRICT;
CREATE INDEX alarm_raised ON alarm(customer, raised_at) WHERE state = 'raised';
CREATE INDEX alarm_fault ON alarm(fault) WHERE fault IS NOT NULL;

-- The last 32 status changes of each alarm.
CREATE TABLE alarm_change (
    alarm TEXT NOT NULL REFERENCES alarm(id),
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_change_alarm ON alarm_change(alarm, at);

-- Faults. The row is the newest picture; the events are what happened.
CREATE TABLE fault (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    serial INTEGER NOT NULL,
    equipment TEXT REFERENCES equipment(id),
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    severity TEXT NOT NULL,
    impact TEXT NOT NULL,
    status TEXT NOT NULL,
    pending_reason TEXT,
    owner TEXT,
    reported_by TEXT NOT NULL,
    reported_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    proposes_restored INTEGER NOT NULL DEFAULT 0,
    cause TEXT,
    plan TEXT,
    resolution TEXT,
    duplicate_of TEXT REFERENCES fault(id),
    UNIQUE (customer, serial)
) STRICT;
CREATE INDEX fault_open ON fault(customer, reported_at) WHERE status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate');
CREATE INDEX fault_equipment ON fault(equipment);

CREATE TABLE consent (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    equipment TEXT NOT NULL REFERENCES equipment(id),
    fault TEXT NOT NULL REFERENCES fault(id),
    engineer TEXT NOT NULL,
    state TEXT NOT NULL,
    lapses_at INTEGER NOT NULL,
    requested_at INTEGER,
    decided_at INTEGER,
    decided_by TEXT,
    refusal TEXT,
    live_until INTEGER,
    device_says TEXT,
    ended_at INTEGER,
    end_reason TEXT,
    doors TEXT,
    account TEXT,
    duration_s INTEGER,
    reason TEXT,
    request TEXT,
    consent TEXT
) STRICT;
CREATE INDEX consent_fault ON consent(fault);

CREATE TABLE session (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    equipment TEXT NOT NULL REFERENCES equipment(id),
    fault TEXT NOT NULL REFERENCES fault(id),
    consent TEXT NOT NULL REFERENCES consent(id),
    engineer TEXT NOT NULL,
    account TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    first_byte_at INTEGER,
    ended_at INTEGER,
    end_reason TEXT,
    chunks INTEGER,
    head_sha256 TEXT,
    summary TEXT
) STRICT;
CREATE INDEX session_fault ON session(fault);

-- What is stored of each recording, counted as it comes.
CREATE TABLE recording (
    equipment TEXT NOT NULL,
    session TEXT NOT NULL,
    chunks INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (equipment, session)
) STRICT, WITHOUT ROWID;

-- Chunks may arrive before the session's opening does: they travel on a stream of their own. A device writes under its own
-- name only.
CREATE TABLE recording_chunk (
    equipment TEXT NOT NULL,
    session TEXT NOT NULL,
    chunk INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (equipment, session, chunk)
) STRICT, WITHOUT ROWID;
