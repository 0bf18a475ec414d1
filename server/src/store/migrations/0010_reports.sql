-- Figures: which faults were reported when; the rest is read from the log.
CREATE INDEX event_reported ON event(recorded_at) WHERE kind = 'fault.reported';
