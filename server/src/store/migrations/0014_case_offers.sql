-- What was offered while a fault was filed, and what came of it.

-- What a fault says, beside the draft that shows it masked: never part of the case, and gone when the case's review is over.
CREATE TABLE case_draft (
    number INTEGER NOT NULL REFERENCES library_case(number),
    language TEXT NOT NULL,
    field TEXT NOT NULL,
    fault TEXT NOT NULL REFERENCES fault(id),
    raw TEXT NOT NULL,
    -- Where something was found, by byte, and which of it is shown all the same.
    spans TEXT NOT NULL,
    PRIMARY KEY (number, language, field)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER case_draft_is_over AFTER UPDATE OF state ON library_case WHEN new.state IN ('validated', 'archived')
BEGIN
    DELETE FROM case_draft WHERE number = new.number;
END;

-- Who put back and took out; the words themselves are not here.
CREATE TABLE case_mask_decision (
    id INTEGER PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES library_case(number),
    language TEXT NOT NULL,
    field TEXT NOT NULL,
    put_back INTEGER NOT NULL,
    rule TEXT NOT NULL,
    person TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX case_mask_decision_case ON case_mask_decision(number, id);

-- A file of a fault, or a time range of a recording, as evidence of a case.
CREATE TABLE case_evidence (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES library_case(number),
    kind TEXT NOT NULL,
    fault TEXT NOT NULL REFERENCES fault(id),
    title TEXT NOT NULL,
    -- Of a file.
    name TEXT,
    size_bytes INTEGER,
    sha256 TEXT,
    media_type TEXT,
    -- Of a clip.
    session TEXT,
    channel INTEGER,
    from_s REAL,
    to_s REAL,
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    released_by TEXT,
    released_at INTEGER,
    release_reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX case_evidence_case ON case_evidence(number, id);

-- The case's own copies: deleting a fault's attachment leaves them alone.
CREATE TABLE case_evidence_file (
    evidence TEXT PRIMARY KEY REFERENCES case_evidence(id) ON DELETE CASCADE,
    content BLOB NOT NULL
) STRICT;

-- One answer that offered cases. Under the person that had it: nobody's id can meet another's.
CREATE TABLE case_offer (
    person TEXT NOT NULL,
    id TEXT NOT NULL,
    customer TEXT REFERENCES customer(id),
    fault TEXT REFERENCES fault(id),
    place TEXT NOT NULL,
    query TEXT NOT NULL,
    none_fits INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (person, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX case_offer_at ON case_offer(at, id);

CREATE TABLE case_offered (
    person TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    number INTEGER NOT NULL REFERENCES library_case(number),
    score REAL NOT NULL,
    opened INTEGER NOT NULL DEFAULT 0,
    cited TEXT,
    PRIMARY KEY (person, id, position),
    FOREIGN KEY (person, id) REFERENCES case_offer(person, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE case_signal_setting (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    months INTEGER NOT NULL
) STRICT;
INSERT INTO case_signal_setting VALUES (1, 13);

-- Faults that were not filed, since a case solved them.
CREATE TABLE case_deflection (
    id TEXT PRIMARY KEY,
    number INTEGER NOT NULL REFERENCES library_case(number),
    customer TEXT REFERENCES customer(id),
    offer TEXT,
    question TEXT NOT NULL,
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    undone_by TEXT,
    undone_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX case_deflection_case ON case_deflection(number, at);
CREATE INDEX case_deflection_customer ON case_deflection(customer, at);
