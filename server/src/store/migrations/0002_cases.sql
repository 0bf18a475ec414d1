-- The case library. A case's number is also its key in the index.
CREATE TABLE library_case (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    audience TEXT NOT NULL,
    body TEXT NOT NULL,
    source_fault TEXT REFERENCES fault(id),
    author TEXT NOT NULL,
    -- Who wrote the newest version: may not review it.
    editor TEXT NOT NULL,
    reviewer TEXT,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX library_case_state ON library_case(state, updated_at);
CREATE INDEX library_case_source ON library_case(source_fault) WHERE source_fault IS NOT NULL;

-- Every version, also the newest.
CREATE TABLE library_version (
    number INTEGER NOT NULL REFERENCES library_case(number),
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    editor TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (number, version)
) STRICT, WITHOUT ROWID;

-- What a case was to a fault: one verdict each, the newest one counts.
CREATE TABLE library_link (
    number INTEGER NOT NULL REFERENCES library_case(number),
    fault TEXT NOT NULL REFERENCES fault(id),
    verdict TEXT NOT NULL,
    person TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (number, fault)
) STRICT, WITHOUT ROWID;

-- Derived from library_case; holds tokens, made by the one token function, never text. Archived cases are not in it.
CREATE VIRTUAL TABLE library_index USING fts5(
    code, equipment, title, symptom, cause, rest, content = '', contentless_delete = 1, tokenize = 'ascii'
);
CREATE VIRTUAL TABLE library_terms USING fts5vocab('library_index', 'row');
