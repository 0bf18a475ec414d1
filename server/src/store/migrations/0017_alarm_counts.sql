-- How many alarms there are of each kind: the summary counts these few rows instead of the list.
CREATE TABLE alarm_counts (
    customer TEXT NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    operator_state TEXT NOT NULL,
    shelved INTEGER NOT NULL,
    alarms INTEGER NOT NULL,
    PRIMARY KEY (customer, state, severity, operator_state, shelved)
) STRICT, WITHOUT ROWID;
INSERT INTO alarm_counts SELECT customer, state, severity, operator_state, shelf IS NOT NULL, count(*) FROM alarm GROUP BY 1, 2, 3, 4, 5;

CREATE TRIGGER alarm_counts_in AFTER INSERT ON alarm BEGIN
    INSERT INTO alarm_counts VALUES (new.customer, new.state, new.severity, new.operator_state, new.shelf IS NOT NULL, 1)
        ON CONFLICT DO UPDATE SET alarms = alarms + 1;
END;
CREATE TRIGGER alarm_counts_out AFTER DELETE ON alarm BEGIN
    UPDATE alarm_counts SET alarms = alarms - 1 WHERE customer = old.customer AND state = old.state AND severity = old.severity
        AND operator_state = old.operator_state AND shelved = (old.shelf IS NOT NULL);
END;
CREATE TRIGGER alarm_counts_over AFTER UPDATE OF customer, state, severity, operator_state, shelf ON alarm
WHEN old.state <> new.state OR old.severity <> new.severity OR old.operator_state <> new.operator_state
    OR (old.shelf IS NULL) <> (new.shelf IS NULL) OR old.customer <> new.customer
BEGIN
    UPDATE alarm_counts SET alarms = alarms - 1 WHERE customer = old.customer AND state = old.state AND severity = old.severity
        AND operator_state = old.operator_state AND shelved = (old.shelf IS NOT NULL);
    INSERT INTO alarm_counts VALUES (new.customer, new.state, new.severity, new.operator_state, new.shelf IS NOT NULL, 1)
        ON CONFLICT DO UPDATE SET alarms = alarms + 1;
END;
