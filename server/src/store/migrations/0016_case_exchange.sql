-- Where imported cases came from: who imports them again changes the same cases.
CREATE TABLE library_source (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    number INTEGER NOT NULL REFERENCES library_case(number),
    -- The case's version that held what was imported last: both sides are held against it.
    version INTEGER NOT NULL,
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX library_source_number ON library_source(number);

-- Groups of phrases that users gave the same meaning.
CREATE TABLE synonym_group (
    id TEXT PRIMARY KEY,
    zh TEXT NOT NULL,
    en TEXT NOT NULL,
    person TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Groups that are switched off, users' and built-in ones.
CREATE TABLE synonym_off (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Rises with every change of the two tables above, so that a copy in memory knows when it is old.
CREATE TABLE synonym_revision (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO synonym_revision VALUES (1, 0);
