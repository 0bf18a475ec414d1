-- The list of equipment counts the open faults of each row: of a device with hundreds of faults, a few are open.

CREATE INDEX fault_open_equipment ON fault(equipment) WHERE equipment IS NOT NULL AND status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate');
