-- What the index of the library has not put into a snapshot yet: one row for each change of a case, in the change's own transaction.
-- `mark` tells two lives of one database apart: after a restore, a sequence comes again, with another mark.
CREATE TABLE case_outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL,
    mark INTEGER NOT NULL DEFAULT (random())
) STRICT;

-- By triggers, so that no way to change a case can forget it.
CREATE TRIGGER case_outbox_insert AFTER INSERT ON library_case BEGIN
    INSERT INTO case_outbox(number) VALUES (new.number);
END;
CREATE TRIGGER case_outbox_update AFTER UPDATE ON library_case BEGIN
    INSERT INTO case_outbox(number) VALUES (new.number);
END;
CREATE TRIGGER case_outbox_delete AFTER DELETE ON library_case BEGIN
    INSERT INTO case_outbox(number) VALUES (old.number);
END;
INSERT INTO case_outbox(number) SELECT number FROM library_case ORDER BY number;

-- `sequence` and `mark` of the last row that was taken out of the outbox. The rest is what `lineman-server cases rebuild` asks a
-- running server for, and what it hears of it.
CREATE TABLE case_index (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    sequence INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    rebuild_wanted INTEGER NOT NULL DEFAULT 0,
    rebuild_done INTEGER NOT NULL DEFAULT 0,
    rebuild_cases INTEGER NOT NULL DEFAULT 0,
    rebuild_of INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO case_index(only, sequence, mark) VALUES (1, 0, random());

-- The index that was kept in the database.
DROP TABLE library_terms;
DROP TABLE library_index;
