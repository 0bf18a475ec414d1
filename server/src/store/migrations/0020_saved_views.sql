-- Lists: what their filters, orders and free words go along; and the views that people save of them.

-- A fault's place among all, the oldest first: its document's number in the text index.
CREATE TABLE fault_list (
    place INTEGER PRIMARY KEY,
    fault TEXT NOT NULL UNIQUE REFERENCES fault(id)
) STRICT;
INSERT INTO fault_list(fault) SELECT id FROM fault ORDER BY id;

-- Whose text is not in the index as it is now. Triggers write it, so that no code has to remember it.
CREATE TABLE fault_text_due (
    fault TEXT PRIMARY KEY REFERENCES fault(id)
) STRICT, WITHOUT ROWID;
INSERT INTO fault_text_due SELECT id FROM fault;

-- Every place of a text as a token: two characters from a Chinese one on, three from any other. So a phrase of tokens is a part of a text.
-- `marks` holds what nearly every question narrows by: the customer, and whether the fault is open.
CREATE VIRTUAL TABLE fault_index USING fts5(
    shown, inside, marks, content = '', contentless_delete = 1, prefix = '1 2', tokenize = 'ascii'
);

CREATE TRIGGER fault_is_new_in_the_list AFTER INSERT ON fault BEGIN
    INSERT INTO fault_list(fault) VALUES (new.id);
    INSERT OR IGNORE INTO fault_text_due VALUES (new.id);
END;
CREATE TRIGGER fault_has_another_text
AFTER UPDATE OF title, description, customer_reference, cause, plan, resolution, status, equipment ON fault
WHEN old.title <> new.title OR old.description <> new.description OR old.customer_reference IS NOT new.customer_reference
    OR old.cause IS NOT new.cause OR old.plan IS NOT new.plan OR old.resolution IS NOT new.resolution OR old.equipment IS NOT new.equipment
    OR (old.status IN ('closed', 'rejected', 'cancelled', 'duplicate')) <> (new.status IN ('closed', 'rejected', 'cancelled', 'duplicate'))
BEGIN
    INSERT OR IGNORE INTO fault_text_due VALUES (new.id);
END;
CREATE TRIGGER fault_has_another_note AFTER INSERT ON event WHEN new.kind = 'fault.note' AND new.fault IS NOT NULL BEGIN
    INSERT OR IGNORE INTO fault_text_due VALUES (new.fault);
END;
CREATE TRIGGER fault_is_at_a_renamed_site AFTER UPDATE OF name ON site WHEN old.name <> new.name BEGIN
    INSERT OR IGNORE INTO fault_text_due SELECT f.id FROM fault f JOIN equipment e ON e.id = f.equipment WHERE e.site = new.id;
END;

-- What a list says of a fault's clocks, as of the last look at them: the nearest moment at which a running one misses its target, and the
-- least time left of those that are held.
ALTER TABLE clock_watch ADD COLUMN looked_at INTEGER;
ALTER TABLE clock_watch ADD COLUMN deadline_at INTEGER;
ALTER TABLE clock_watch ADD COLUMN held_us INTEGER;
ALTER TABLE clock_watch ADD COLUMN clocks TEXT;
UPDATE clock_watch SET stale = 1;

-- What filters look at that have no index of their own, in the order of the list.
CREATE INDEX fault_walk ON fault(id, customer, equipment, status, severity, owner, kind, impact, pending_reason, reported_by, reported_at, serial);
CREATE INDEX fault_updated ON fault(updated_at, id);
CREATE INDEX fault_reporter ON fault(reported_by, id);
CREATE INDEX consent_state ON consent(state, fault);
CREATE INDEX consent_customer ON consent(customer, id);
CREATE INDEX session_customer ON session(customer, id);
CREATE INDEX session_equipment ON session(equipment, id);
CREATE INDEX alarm_raised_on ON alarm(equipment, severity) WHERE state = 'raised';

CREATE TABLE saved_view (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES person(id),
    list TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Came with the person under this name.
    built_in TEXT,
    query TEXT NOT NULL,
    sort TEXT,
    shared INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (person, list, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX saved_view_person ON saved_view(person, position, id);
CREATE INDEX saved_view_shared ON saved_view(position, id) WHERE shared;

-- Everybody begins with these. A carrier's people own no faults: theirs are those that they reported.
CREATE VIEW first_view(built_in, name, inside, query, sort, position) AS VALUES
    ('mine', 'Mine', 1, 'owner:me', 'left', 0),
    ('mine', 'Mine', 0, 'reporter:me', 'left', 0),
    ('due', 'Due in 10 minutes', 1, 'due:<10m', 'left', 1),
    ('due', 'Due in 10 minutes', 0, 'due:<10m', 'left', 1),
    ('consent', 'Waiting for consent', 1, 'consent:waiting', 'left', 2),
    ('consent', 'Waiting for consent', 0, 'consent:waiting', 'left', 2);
CREATE TRIGGER person_begins_with_views AFTER INSERT ON person BEGIN
    INSERT INTO saved_view(id, person, list, name, built_in, query, sort, position, created_at)
        SELECT 'viw_' || lower(hex(randomblob(16))), new.id, 'faults', name, built_in, query, sort, position, new.created_at
        FROM first_view WHERE inside = (new.customer IS NULL);
END;
INSERT INTO saved_view(id, person, list, name, built_in, query, sort, position, created_at)
    SELECT 'viw_' || lower(hex(randomblob(16))), p.id, 'faults', v.name, v.built_in, v.query, v.sort, v.position, p.created_at
    FROM person p JOIN first_view v ON v.inside = (p.customer IS NULL);
