-- A second factor: time-based one-time passwords (RFC 6238).
CREATE TABLE second_factor (
    person TEXT PRIMARY KEY REFERENCES person(id),
    secret TEXT NOT NULL,
    -- Nothing is asked of a person who has not shown once that their device has the secret.
    confirmed_at INTEGER,
    -- The step of the newest code that was taken: none is taken twice.
    last_step INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE recovery_code (
    person TEXT NOT NULL REFERENCES person(id),
    sha256 TEXT NOT NULL,
    PRIMARY KEY (person, sha256)
) STRICT, WITHOUT ROWID;
