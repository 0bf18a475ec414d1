-- Notices to people: targets with their keys, preferences, deliveries, digests, and what is repeated until somebody takes it on.

-- A place where notices arrive: of one person, or of a customer's people together. Removed ones stay for the log.
CREATE TABLE notice_target (
    id TEXT PRIMARY KEY,
    customer TEXT REFERENCES customer(id),
    person TEXT REFERENCES person(id),
    channel TEXT NOT NULL,
    address TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    removed_at INTEGER,
    -- What signs: of webhooks only. The old one signs too until its time.
    key_id TEXT,
    secret TEXT,
    old_key_id TEXT,
    old_secret TEXT,
    old_until INTEGER,
    -- Failed attempts since the last that worked, and until when nothing is sent there.
    failures INTEGER NOT NULL DEFAULT 0,
    paused_until INTEGER,
    CHECK ((customer IS NULL) <> (person IS NULL))
) STRICT;
CREATE INDEX notice_target_customer ON notice_target(customer) WHERE customer IS NOT NULL;
CREATE INDEX notice_target_person ON notice_target(person) WHERE person IS NOT NULL;
-- Who has a role, for each event.
CREATE INDEX person_role ON person(role, customer);

-- What is told at a customer's shared targets.
CREATE TABLE notice_topics (
    customer TEXT PRIMARY KEY REFERENCES customer(id),
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notice_preference (
    person TEXT PRIMARY KEY REFERENCES person(id),
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO notice_target(id, customer, channel, address, created_at, created_by, key_id, secret)
SELECT 'ntt_' || lower(hex(randomblob(16))), s.customer, 'webhook', hook.value, 0, 'system',
       'k_' || lower(hex(randomblob(4))), 'whs_' || lower(hex(randomblob(32)))
FROM notice_settings s, json_each(s.body, '$.webhooks') hook;
INSERT INTO notice_target(id, customer, channel, address, created_at, created_by)
SELECT 'ntt_' || lower(hex(randomblob(16))), s.customer, 'mail', mail.value, 0, 'system'
FROM notice_settings s, json_each(s.body, '$.mail') mail;

CREATE TABLE notice_row (
    -- The delivery's id: the same through every retry and replay. Ids sort by the time of their making.
    id TEXT PRIMARY KEY,
    target TEXT NOT NULL REFERENCES notice_target(id),
    fault TEXT,
    kind TEXT NOT NULL,
    topic TEXT,
    severity TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- From when on a day counts.
    wanted_at INTEGER NOT NULL,
    -- When it is tried next; none when it is done.
    next_at INTEGER,
    -- An attempt is under way.
    sending_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER,
    problem TEXT,
    replayed_at INTEGER,
    folded_into TEXT,
    -- Waits for the end of quiet hours.
    held INTEGER NOT NULL DEFAULT 0,
    -- Of a digest: how many it tells of, when the last of them came, and whether it is closed.
    tells_of INTEGER,
    told_at INTEGER,
    sealed INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO notice_row(id, target, kind, severity, subject, body, created_at, wanted_at, next_at, attempts, delivered_at, problem)
SELECT 'ntc_' || printf('%012x', n.created_at / 1000) || '70008000' || printf('%012x', n.id),
       t.id, n.kind, 'major', n.subject, n.body, n.created_at, n.created_at, n.next_at, n.attempts, n.delivered_at, n.problem
FROM notice n JOIN notice_target t ON t.customer = n.customer AND t.address = n.target;

DROP TABLE notice;
DROP TABLE notice_settings;
ALTER TABLE notice_row RENAME TO notice;

-- What is due, target by target.
CREATE INDEX notice_waiting ON notice(target, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX notice_sending ON notice(target) WHERE sending_at IS NOT NULL;
CREATE INDEX notice_of_target ON notice(target, created_at);
CREATE INDEX notice_listed ON notice(target, id);
CREATE INDEX notice_fault ON notice(fault, id) WHERE fault IS NOT NULL;
CREATE INDEX notice_digest ON notice(target, told_at) WHERE tells_of IS NOT NULL;
CREATE INDEX notice_done ON notice(created_at) WHERE next_at IS NULL;

-- Every attempt, for whoever looks for a lost notice.
CREATE TABLE notice_attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notice TEXT NOT NULL REFERENCES notice(id) ON DELETE CASCADE,
    target TEXT NOT NULL,
    at INTEGER NOT NULL,
    latency_ms INTEGER NOT NULL,
    status INTEGER,
    problem TEXT,
    excerpt TEXT,
    -- The answer came from a public address.
    public INTEGER NOT NULL
) STRICT;
CREATE INDEX notice_attempt_notice ON notice_attempt(notice, id);
CREATE INDEX notice_attempt_target ON notice_attempt(target, at);

-- What is told again until somebody takes it on: critical faults, and critical alarms that nobody acknowledged.
CREATE TABLE notice_repeat (
    -- A fault's or an alarm's id.
    subject TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    since INTEGER NOT NULL,
    -- When it was told last.
    told_at INTEGER NOT NULL,
    rung INTEGER NOT NULL DEFAULT 0,
    -- Who said when and why that it need not be repeated.
    acknowledged_by TEXT,
    acknowledged_at INTEGER,
    acknowledged_why TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX notice_repeat_due ON notice_repeat(told_at) WHERE acknowledged_at IS NULL;
