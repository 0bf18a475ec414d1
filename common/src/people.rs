//! Who people are to the system.

words! {
    pub enum Role {
        /// A carrier's network operations centre: files faults, sees its own customer's things.
        Noc = "noc",
        /// A carrier's signer of consents.
        Approver = "approver",
        /// Reads everything of its customer (or, without one, of all), changes nothing.
        Auditor = "auditor",
        Engineer = "engineer",
        DutyManager = "duty_manager",
        Admin = "admin",
    }
}

impl Role {
    /// Roles that always belong to one customer.
    pub const fn is_carrier(self) -> bool {
        matches!(self, Self::Noc | Self::Approver)
    }

    /// Roles of the support centre that work on faults.
    pub const fn works_faults(self) -> bool {
        matches!(self, Self::Engineer | Self::DutyManager | Self::Admin)
    }
}
