-- What is derived from recordings (transcripts, keyframes), how much room they take, who looked at them, and notices.

-- How far each recording was read into lines and keyframes. Derived: may be emptied, and is made again.
CREATE TABLE recording_digest (
    equipment TEXT NOT NULL,
    session TEXT NOT NULL,
    -- Chunks read, in order, and the head of their chain.
    chunks INTEGER NOT NULL,
    head_sha256 TEXT NOT NULL,
    -- Why nothing more is read: the end record was there, or the chain does not go on.
    finished TEXT,
    -- Printers in the middle of a line, and which terminals are open since when.
    state TEXT NOT NULL,
    lines INTEGER NOT NULL,
    line_bytes INTEGER NOT NULL,
    keyframe_bytes INTEGER NOT NULL,
    PRIMARY KEY (equipment, session)
) STRICT, WITHOUT ROWID;

CREATE TABLE transcript_line (
    id INTEGER PRIMARY KEY,
    equipment TEXT NOT NULL,
    session TEXT NOT NULL,
    channel INTEGER NOT NULL,
    seconds REAL NOT NULL,
    text TEXT NOT NULL
) STRICT;

CREATE INDEX transcript_line_session ON transcript_line(session, id);

-- Any three characters in a row are found, Chinese too, in small letters or capitals.
CREATE VIRTUAL TABLE transcript_index USING fts5(text, content = 'transcript_line', content_rowid = 'id', tokenize = 'trigram');

-- What a terminal showed at a moment; `screen` is compressed with zstd.
CREATE TABLE recording_keyframe (
    equipment TEXT NOT NULL,
    session TEXT NOT NULL,
    channel INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    events INTEGER NOT NULL,
    seconds REAL NOT NULL,
    cols INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    screen BLOB NOT NULL,
    PRIMARY KEY (equipment, session, channel, chunks, events)
) STRICT, WITHOUT ROWID;

-- Room that recordings take, counted as they come, and room that they may take: '' is what the configuration says for all.
CREATE TABLE recording_use (
    customer TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    -- Since when a chunk waits for room.
    full_since INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO recording_use(customer, bytes)
    SELECT e.customer, sum(r.bytes) FROM recording r JOIN equipment e ON e.id = r.equipment GROUP BY e.customer;

CREATE INDEX recording_session ON recording(session);

CREATE TABLE recording_quota (
    customer TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who looked at a recording, and when that was told last.
CREATE TABLE recording_view (
    session TEXT NOT NULL,
    person TEXT NOT NULL,
    how TEXT NOT NULL,
    told_at INTEGER NOT NULL,
    PRIMARY KEY (session, person, how)
) STRICT, WITHOUT ROWID;

CREATE TABLE notice_settings (
    customer TEXT PRIMARY KEY REFERENCES customer(id),
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Notices that wait, and those that are done.
CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer TEXT NOT NULL REFERENCES customer(id),
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- When it is tried next; none when it is done.
    next_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER,
    problem TEXT
) STRICT;
CREATE INDEX notice_waiting ON notice(next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notice_customer ON notice(customer, id);
