-- Calendars, and when clocks are due.

-- The newest version of each calendar.
CREATE TABLE calendar (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    set_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

-- Every version there ever was: a fault is judged by the calendar that held, so none goes away.
CREATE TABLE calendar_version (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER calendar_version_is_never_changed BEFORE UPDATE ON calendar_version
BEGIN SELECT raise(ABORT, 'versions of calendars are kept as they were'); END;

-- Since when each tier is as it is: clocks count its way from then.
CREATE TABLE tier_set (
    name TEXT PRIMARY KEY,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE contract (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    tier TEXT NOT NULL REFERENCES tier(name),
    -- Days of the customer's own zone, as people wrote them.
    from_day TEXT NOT NULL,
    until_day TEXT,
    -- The same as moments, the second not part of it.
    from_at INTEGER NOT NULL,
    until_at INTEGER,
    contact TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX contract_customer ON contract(customer, from_at);
CREATE INDEX contract_tier ON contract(tier);
CREATE INDEX customer_tier ON customer(tier);
CREATE INDEX site_customer ON site(customer, id);

-- When to look at a fault's clocks next. A cache: computed from the log, thrown away and rebuilt at will.
CREATE TABLE clock_watch (
    fault TEXT PRIMARY KEY REFERENCES fault(id),
    equipment TEXT,
    -- NULL: not before something happens to it.
    due_at INTEGER,
    -- Computed under other rules or targets: to be looked at, in no hurry.
    stale INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX clock_watch_due ON clock_watch(due_at) WHERE due_at IS NOT NULL;
CREATE INDEX clock_watch_stale ON clock_watch(fault) WHERE stale;
CREATE INDEX clock_watch_equipment ON clock_watch(equipment) WHERE equipment IS NOT NULL;

-- What was said of which clock: nothing is said twice.
CREATE TABLE clock_said (
    fault TEXT NOT NULL REFERENCES fault(id),
    clock TEXT NOT NULL,
    target_s INTEGER NOT NULL,
    percent INTEGER NOT NULL,
    PRIMARY KEY (fault, clock, target_s, percent)
) STRICT, WITHOUT ROWID;
