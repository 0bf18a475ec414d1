-- What the library's texts mean, as vectors. Derived: all of it can be made again from library_case.
CREATE TABLE case_vector (
    number INTEGER PRIMARY KEY REFERENCES library_case(number) ON DELETE CASCADE,
    -- Which model made it: vectors of two models can't be compared.
    model TEXT NOT NULL,
    -- Of the text that it was made from: a case whose state changes keeps its vector.
    passage_sha256 TEXT NOT NULL,
    -- What one step of a byte is worth.
    scale REAL NOT NULL,
    -- A signed byte for each dimension.
    vector BLOB NOT NULL
) STRICT;
CREATE INDEX case_vector_model ON case_vector(model, number);

-- Cases that the worker has to look at, the newest change first. One that changes again gets a new `seq`, so that a worker that has read
-- it before that does not cross it out.
CREATE TABLE case_vector_due (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number INTEGER NOT NULL UNIQUE REFERENCES library_case(number) ON DELETE CASCADE
) STRICT;
INSERT INTO case_vector_due(number) SELECT number FROM library_case ORDER BY number;

CREATE TRIGGER case_is_new_for_its_vector AFTER INSERT ON library_case BEGIN
    INSERT OR REPLACE INTO case_vector_due(number) VALUES (new.number);
END;
CREATE TRIGGER case_has_changed_for_its_vector AFTER UPDATE OF state, audience, body ON library_case
WHEN old.state <> new.state OR old.audience <> new.audience OR old.body <> new.body BEGIN
    INSERT OR REPLACE INTO case_vector_due(number) VALUES (new.number);
END;
