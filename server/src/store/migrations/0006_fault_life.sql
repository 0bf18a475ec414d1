-- The life of faults: activities, links, merges, problems, attachments, versions, idempotency.

-- What is asked for.
ALTER TABLE fault ADD COLUMN kind TEXT NOT NULL DEFAULT 'fault';
-- The customer's own ticket number.
ALTER TABLE fault ADD COLUMN customer_reference TEXT;
ALTER TABLE fault ADD COLUMN resolved_at INTEGER;
UPDATE fault SET resolved_at = updated_at WHERE status = 'resolved';
-- Raised by every event of the fault; and by those that the customer may see, so that nobody counts what is internal.
ALTER TABLE fault ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fault ADD COLUMN shown_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fault ADD COLUMN shown_at INTEGER;
UPDATE fault SET shown_at = updated_at;
CREATE TRIGGER fault_has_a_new_version AFTER INSERT ON event WHEN new.fault IS NOT NULL AND new.kind NOT LIKE 'clock.%'
BEGIN
    UPDATE fault SET version = version + 1, updated_at = new.recorded_at,
        shown_version = shown_version + NOT new.internal, shown_at = iif(new.internal, shown_at, new.recorded_at)
    WHERE id = new.fault;
END;

-- A customer's people number the events that they may see.
ALTER TABLE event ADD COLUMN shown INTEGER;
ALTER TABLE event_chain ADD COLUMN shown INTEGER NOT NULL DEFAULT 0;
UPDATE event SET shown = numbered.place
    FROM (SELECT seq, row_number() OVER (PARTITION BY customer ORDER BY seq) AS place FROM event WHERE NOT internal) AS numbered
    WHERE numbered.seq = event.seq;
UPDATE event_chain SET shown = (SELECT count(*) FROM event e WHERE e.customer = event_chain.customer AND NOT e.internal);
CREATE UNIQUE INDEX event_shown ON event(customer, shown) WHERE shown IS NOT NULL;

-- Lists: newest first, by whatever they are narrowed to. (Ids sort by time.)
DROP INDEX fault_open;
CREATE INDEX fault_open ON fault(customer, id) WHERE status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate');
CREATE INDEX fault_open_id ON fault(id) WHERE status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate');
CREATE INDEX fault_customer ON fault(customer, id);
CREATE INDEX fault_status ON fault(status, id);
CREATE INDEX fault_owned ON fault(owner, id) WHERE owner IS NOT NULL;
CREATE INDEX fault_kind ON fault(kind, id);
CREATE INDEX fault_severity ON fault(severity, id);
CREATE INDEX fault_reference ON fault(customer_reference, id) WHERE customer_reference IS NOT NULL;
CREATE INDEX fault_duplicate_of ON fault(duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX fault_resolved ON fault(resolved_at) WHERE status = 'resolved';
DROP INDEX fault_equipment;
CREATE INDEX fault_equipment ON fault(equipment, id) WHERE equipment IS NOT NULL;

-- How long resolved faults wait before they close by themselves: '' is for tiers that say nothing; no seconds = never.
CREATE TABLE fault_closing (
    tier TEXT PRIMARY KEY,
    after_s INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO fault_closing VALUES ('', 7 * 24 * 3600);

-- A fault that was merged into another: the way back.
CREATE TABLE fault_merge (
    fault TEXT PRIMARY KEY REFERENCES fault(id),
    into_fault TEXT NOT NULL REFERENCES fault(id),
    before TEXT NOT NULL,
    -- The alarms that moved, as a JSON list of ids.
    alarms TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Phone calls, guidance, visits: started and ended by people.
CREATE TABLE fault_activity (
    id TEXT PRIMARY KEY,
    fault TEXT NOT NULL REFERENCES fault(id),
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    person TEXT NOT NULL,
    other TEXT,
    text TEXT NOT NULL,
    planned_at INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    outcome TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX fault_activity_fault ON fault_activity(fault, id);

-- Each link once: `related`, `caused_by` or `blocks`, from one fault to another of the same customer.
CREATE TABLE fault_link (
    fault TEXT NOT NULL REFERENCES fault(id),
    kind TEXT NOT NULL,
    other TEXT NOT NULL REFERENCES fault(id),
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (fault, kind, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX fault_link_other ON fault_link(other);

-- Problems: one root of many faults, of any customers. The number counts for the whole centre.
CREATE TABLE problem (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    fits TEXT NOT NULL,
    owner TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    cause TEXT,
    workaround TEXT,
    resolution TEXT,
    resolved_at INTEGER
) STRICT;
ALTER TABLE fault ADD COLUMN problem INTEGER REFERENCES problem(serial);
CREATE INDEX fault_problem ON fault(problem, id) WHERE problem IS NOT NULL;
CREATE INDEX equipment_product ON equipment(product, model);

-- Files of faults. The bytes lie beside the database, under their hash; a row comes after they are on disk.
CREATE TABLE attachment (
    id TEXT PRIMARY KEY,
    fault TEXT NOT NULL REFERENCES fault(id),
    name TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    media_type TEXT NOT NULL,
    internal INTEGER NOT NULL,
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_fault ON attachment(fault, id) WHERE deleted_at IS NULL;
CREATE INDEX attachment_sha256 ON attachment(sha256) WHERE deleted_at IS NULL;

-- POSTs under an `Idempotency-Key`: written with their effect. Without a reply, the effect is there and its answer was lost.
CREATE TABLE idempotency (
    person TEXT NOT NULL,
    key TEXT NOT NULL,
    route TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    -- Which arrival of it had the effect.
    arrival TEXT NOT NULL,
    at INTEGER NOT NULL,
    status INTEGER,
    content_type TEXT,
    etag TEXT,
    reply BLOB,
    PRIMARY KEY (person, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_at ON idempotency(at);
