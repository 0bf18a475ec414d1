-- The life of a case: who owns it, what waits for review, doubts, duplicates, translations, and what nobody found.

ALTER TABLE library_case ADD COLUMN owner TEXT NOT NULL DEFAULT '';
UPDATE library_case SET owner = author;
CREATE INDEX library_case_owner ON library_case(owner, number);

-- When somebody last said that it is true: a review, or a confirmation.
ALTER TABLE library_case ADD COLUMN confirmed_at INTEGER NOT NULL DEFAULT 0;
UPDATE library_case SET confirmed_at = updated_at;
CREATE INDEX library_case_confirmed ON library_case(confirmed_at) WHERE state = 'validated';

-- The first time.
ALTER TABLE library_case ADD COLUMN published_at INTEGER;
UPDATE library_case SET published_at = updated_at WHERE state = 'validated';

-- A duplicate is archived and says what it is the same as; `state_before` is the way back, also of other archived cases.
ALTER TABLE library_case ADD COLUMN same_as INTEGER REFERENCES library_case(number);
ALTER TABLE library_case ADD COLUMN state_before TEXT;
CREATE INDEX library_case_same ON library_case(same_as) WHERE same_as IS NOT NULL;

-- Who sent it back to its author, why and when; until it is submitted again.
ALTER TABLE library_case ADD COLUMN returned TEXT;

-- In which version each field of each language was last written or found to say what the other one says.
ALTER TABLE library_case ADD COLUMN marks TEXT NOT NULL DEFAULT '{}';
-- The language that lacks something or is older: zh, en or both.
ALTER TABLE library_case ADD COLUMN translate TEXT;
UPDATE library_case SET translate = 'zh' WHERE json_extract(body, '$.zh') IS NULL;
UPDATE library_case SET translate = 'en' WHERE json_extract(body, '$.en') IS NULL;
CREATE INDEX library_case_translate ON library_case(updated_at, number) WHERE translate IS NOT NULL AND state <> 'archived';

ALTER TABLE library_version ADD COLUMN note TEXT NOT NULL DEFAULT '';
-- The older version that this one brings back.
ALTER TABLE library_version ADD COLUMN restored INTEGER;

-- One row for each case that waits for review.
CREATE TABLE library_review (
    number INTEGER PRIMARY KEY REFERENCES library_case(number),
    since INTEGER NOT NULL,
    why TEXT NOT NULL,
    claimed_by TEXT,
    claimed_at INTEGER
) STRICT;
CREATE INDEX library_review_since ON library_review(since, number);
INSERT INTO library_review(number, since, why)
SELECT number, updated_at, CASE WHEN version > 1 THEN 'edited' WHEN source_fault IS NOT NULL THEN 'drafted' ELSE 'submitted' END
FROM library_case WHERE state = 'not_validated';

-- Doubts about a case: raised by people and by the job that looks for old ones; closed by a confirmation or a new reviewed version.
CREATE TABLE library_flag (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL REFERENCES library_case(number),
    kind TEXT NOT NULL,
    person TEXT NOT NULL,
    reason TEXT NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    closed_at INTEGER,
    closed_by TEXT,
    answer TEXT
) STRICT;
CREATE INDEX library_flag_case ON library_flag(number, id);
CREATE INDEX library_flag_open ON library_flag(kind, at, id) WHERE closed_at IS NULL;

-- `of_number` is the case that was linked, where a duplicate's links moved to this one.
ALTER TABLE library_link ADD COLUMN of_number INTEGER;
ALTER TABLE library_link ADD COLUMN reason TEXT;
CREATE INDEX library_link_fault ON library_link(fault);
CREATE INDEX library_link_at ON library_link(at);

-- Whether a published case helped a reader: once for each person and version. `number` is where it counts.
CREATE TABLE library_feedback (
    of_number INTEGER NOT NULL REFERENCES library_case(number),
    version INTEGER NOT NULL,
    person TEXT NOT NULL,
    number INTEGER NOT NULL REFERENCES library_case(number),
    customer TEXT REFERENCES customer(id),
    helpful INTEGER NOT NULL,
    comment TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (of_number, version, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX library_feedback_case ON library_feedback(number, at);

-- Questions that the library did not answer, masked, one row for each question. `asker` asked last:
-- a longer question by the same person takes the place of what was typed on the way to it.
CREATE TABLE library_gap (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    question TEXT NOT NULL UNIQUE,
    text TEXT NOT NULL,
    language TEXT NOT NULL,
    product TEXT NOT NULL,
    asked INTEGER NOT NULL,
    none_fits INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    asker TEXT NOT NULL,
    state TEXT NOT NULL,
    case_number INTEGER REFERENCES library_case(number),
    note TEXT NOT NULL DEFAULT '',
    handled_by TEXT,
    handled_at INTEGER
) STRICT;
CREATE INDEX library_gap_state ON library_gap(state, asked DESC, id);
CREATE INDEX library_gap_asker ON library_gap(asker, last_at);

-- After how many months without a confirmation a case is flagged.
CREATE TABLE library_setting (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    stale_after_months INTEGER NOT NULL
) STRICT;
INSERT INTO library_setting VALUES (1, 12);

-- For the link rate of a period.
CREATE INDEX library_fault_resolved ON fault(resolved_at) WHERE resolved_at IS NOT NULL;

-- The index knows doubts and links too.
CREATE TRIGGER case_outbox_flag AFTER INSERT ON library_flag BEGIN
    INSERT INTO case_outbox(number) VALUES (new.number);
END;
CREATE TRIGGER case_outbox_flag_closed AFTER UPDATE ON library_flag BEGIN
    INSERT INTO case_outbox(number) VALUES (new.number);
END;
CREATE TRIGGER case_outbox_link AFTER INSERT ON library_link BEGIN
    INSERT INTO case_outbox(number) VALUES (new.number);
END;
CREATE TRIGGER case_outbox_link_changed AFTER UPDATE ON library_link BEGIN
    INSERT INTO case_outbox(number) VALUES (old.number), (new.number);
END;
CREATE TRIGGER case_outbox_unlink AFTER DELETE ON library_link BEGIN
    INSERT INTO case_outbox(number) VALUES (old.number);
END;
