-- Walls of the monitoring centre, and what the audit list asks the log for.

-- A token opens one wall, and nothing else, until it is revoked.
CREATE TABLE wall_token (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL UNIQUE,
    -- NULL: the wall of all customers.
    customer TEXT REFERENCES customer(id),
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    last_used_at INTEGER,
    -- Both are set, or none.
    revoked_at INTEGER,
    revoked_by TEXT
) STRICT;
CREATE UNIQUE INDEX wall_token_name ON wall_token(name) WHERE revoked_at IS NULL;

CREATE INDEX event_kind ON event(kind, seq);
CREATE INDEX event_actor ON event(actor, seq);
CREATE INDEX event_recorded ON event(recorded_at, seq);
