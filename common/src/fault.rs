//! The life of a fault: one status line, and a total function from (status, step) to the next status.

words! {
    pub enum FaultStatus {
        Reported = "reported",
        Accepted = "accepted",
        InProgress = "in_progress",
        Pending = "pending",
        Restored = "restored",
        Resolved = "resolved",
        Closed = "closed",
        Rejected = "rejected",
        Cancelled = "cancelled",
        Duplicate = "duplicate",
    }
}

words! {
    /// Why a fault waits.
    pub enum PendingReason {
        Customer = "customer",
        Parts = "parts",
        Access = "access",
        ThirdParty = "third_party",
    }
}

words! {
    /// How a fault was solved.
    pub enum Channel {
        Phone = "phone",
        Remote = "remote",
        Onsite = "onsite",
        /// The customer, or the equipment itself.
        Itself = "self",
    }
}

words! {
    /// What the fault does to the customer's service; its severity follows from it when nobody says otherwise.
    pub enum Impact {
        NoImpact = "none",
        Partial = "partial",
        Full = "full",
    }
}

words! {
    /// The steps that move a fault along its status line.
    pub enum Step {
        Accept = "accept",
        /// A diagnosis was recorded, or a session opened: work has begun.
        Work = "work",
        Pend = "pend",
        Resume = "resume",
        Restore = "restore",
        Resolve = "resolve",
        Close = "close",
        Reopen = "reopen",
        Reject = "reject",
        Cancel = "cancel",
        MarkDuplicate = "mark_duplicate",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault that is {status} can't take the step `{step}`; from here: {}", possible(*.status))]
pub struct Illegal {
    pub status: FaultStatus,
    pub step: Step,
}

fn possible(status: FaultStatus) -> String {
    let steps: Vec<_> = Step::ALL.iter().filter(|step| status.next(**step).is_ok()).map(|step| step.as_str()).collect();
    if steps.is_empty() { "nothing more".to_owned() } else { steps.join(", ") }
}

impl FaultStatus {
    /// The status after a step. The table names, for each step, where it may be taken and where it leads; a status that a step
    /// doesn't name refuses it.
    pub fn next(self, step: Step) -> Result<Self, Illegal> {
        use FaultStatus as S;
        const ACTIVE: &[S] = &[S::Accepted, S::InProgress];
        const BEFORE_RESTORED: &[S] = &[S::Reported, S::Accepted, S::InProgress, S::Pending];
        let (from, to): (&[S], S) = match step {
            Step::Accept => (&[S::Reported], S::Accepted),
            // A finding after service is back changes nothing about that.
            Step::Work if self == S::Restored => (&[S::Restored], S::Restored),
            Step::Work => (ACTIVE, S::InProgress),
            Step::Pend => (ACTIVE, S::Pending),
            Step::Resume => (&[S::Pending], S::InProgress),
            Step::Restore => (&[S::Accepted, S::InProgress, S::Pending], S::Restored),
            Step::Resolve => (&[S::Restored], S::Resolved),
            Step::Close => (&[S::Resolved], S::Closed),
            Step::Reopen => (&[S::Restored, S::Resolved, S::Closed], S::InProgress),
            Step::Reject => (&[S::Reported], S::Rejected),
            Step::Cancel => (BEFORE_RESTORED, S::Cancelled),
            Step::MarkDuplicate => (BEFORE_RESTORED, S::Duplicate),
        };
        if from.contains(&self) { Ok(to) } else { Err(Illegal { status: self, step }) }
    }

    /// Nothing more happens to it, unless it is reopened.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Rejected | Self::Cancelled | Self::Duplicate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_straight_road_is_walked() {
        let mut status = FaultStatus::Reported;
        for step in [Step::Accept, Step::Work, Step::Pend, Step::Resume, Step::Restore, Step::Resolve, Step::Close, Step::Reopen] {
            status = status.next(step).unwrap();
        }
        assert_eq!(status, FaultStatus::InProgress);
    }

    #[test]
    fn a_refused_step_names_the_steps_that_are_possible() {
        let error = FaultStatus::Reported.next(Step::Close).unwrap_err().to_string();
        assert_eq!(error, "a fault that is reported can't take the step `close`; from here: accept, reject, cancel, mark_duplicate");
    }

    #[test]
    fn what_is_rejected_cancelled_or_duplicate_stays_so() {
        for status in [FaultStatus::Rejected, FaultStatus::Cancelled, FaultStatus::Duplicate] {
            assert!(Step::ALL.iter().all(|step| status.next(*step).is_err()));
        }
    }
}
