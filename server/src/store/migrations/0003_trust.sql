-- Grades, dual approval, standing statements, receipts, published signer lists, the switch that stops a customer.

-- Everything of the customer is stopped; all three are set, or none.
ALTER TABLE customer ADD COLUMN stopped_at INTEGER;
ALTER TABLE customer ADD COLUMN stopped_by TEXT;
ALTER TABLE customer ADD COLUMN stopped_reason TEXT;

-- What the carrier signed so that others may come without asking each time.
CREATE TABLE standing (
    id TEXT PRIMARY KEY,
    customer TEXT NOT NULL REFERENCES customer(id),
    -- It ends with this fault.
    fault TEXT REFERENCES fault(id),
    -- The same terms, signed by one person each.
    statements TEXT NOT NULL,
    valid_before INTEGER NOT NULL,
    granted_by TEXT NOT NULL,
    granted_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_by TEXT,
    revoked_reason TEXT
) STRICT;
CREATE INDEX standing_customer ON standing(customer, valid_before) WHERE revoked_at IS NULL;
CREATE INDEX standing_fault ON standing(fault) WHERE fault IS NOT NULL;

-- Of the request; none before it is there.
ALTER TABLE consent ADD COLUMN grade TEXT;
UPDATE consent SET grade = 'end-to-end' WHERE request IS NOT NULL;
-- What the device said of its local policy when it issued the challenge.
ALTER TABLE consent ADD COLUMN policy TEXT;
ALTER TABLE consent ADD COLUMN approvals_needed INTEGER NOT NULL DEFAULT 1;
-- The standing statement that let the request in.
ALTER TABLE consent ADD COLUMN standing TEXT REFERENCES standing(id);
-- The device's own signed word for an approval that was given there.
ALTER TABLE consent ADD COLUMN local TEXT;
-- What was believed when it was decided: lists and devices change, a decision has to stay verifiable.
ALTER TABLE consent ADD COLUMN decided_roster INTEGER;
ALTER TABLE consent ADD COLUMN decided_device TEXT;
CREATE INDEX consent_open ON consent(customer, equipment) WHERE state IN ('challenged', 'requested', 'approved', 'live');
CREATE INDEX consent_standing ON consent(standing) WHERE standing IS NOT NULL;

-- One signature of the carrier each: nobody and no key counts twice. (Of approvals from before this table the key was not noted.)
CREATE TABLE consent_approval (
    consent TEXT NOT NULL REFERENCES consent(id),
    approver TEXT NOT NULL,
    key TEXT,
    signed TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (consent, approver),
    UNIQUE (consent, key)
) STRICT;
INSERT INTO consent_approval(consent, approver, key, signed, at)
    SELECT id, decided_by, NULL, consent, decided_at FROM consent WHERE consent IS NOT NULL;
ALTER TABLE consent DROP COLUMN consent;

-- Every roster that was ever published.
CREATE TABLE roster (
    counter INTEGER PRIMARY KEY,
    signed TEXT NOT NULL
) STRICT;
INSERT INTO roster(counter, signed) SELECT counter, signed FROM trust_list WHERE name = 'roster';

-- The carrier's signer list as it was published last: one text, several signatures.
CREATE TABLE signer_list (
    customer TEXT PRIMARY KEY REFERENCES customer(id),
    counter INTEGER NOT NULL,
    signed TEXT NOT NULL,
    published_at INTEGER NOT NULL
) STRICT;

-- What a device says that it holds, and why it refused the published signer list of that number.
CREATE TABLE device_receipt (
    equipment TEXT PRIMARY KEY REFERENCES equipment(id),
    signed TEXT,
    received_at INTEGER,
    refused INTEGER,
    refusal TEXT
) STRICT;
