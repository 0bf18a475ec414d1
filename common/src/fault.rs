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
    /// What is asked for. What is no fault has clocks of its own, and walks the same status line.
    pub enum FaultKind {
        Fault = "fault",
        /// Advice, without anything being broken.
        Consulting = "consulting",
        /// New software or hardware, planned.
        Upgrade = "upgrade",
        /// Planned work on what runs.
        Maintenance = "maintenance",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that makes the enum derives no default")]
impl Default for FaultKind {
    fn default() -> Self {
        Self::Fault
    }
}

words! {
    /// What happens while a fault walks its status line; any number at once.
    pub enum ActivityKind {
        /// Started and ended by people.
        Phone = "phone",
        /// Somebody on site is told what to do.
        Guidance = "guidance",
        Visit = "visit",
        /// Read from the fault's own events.
        Consent = "consent",
        Session = "session",
        Diagnosis = "diagnosis",
    }
}

impl ActivityKind {
    /// People start and end it; the others are read from what happened.
    pub const fn is_recorded(self) -> bool {
        matches!(self, Self::Phone | Self::Guidance | Self::Visit)
    }
}

words! {
    pub enum ActivityState {
        Planned = "planned",
        Running = "running",
        Done = "done",
        /// Called off, refused, or over because its fault was.
        Cancelled = "cancelled",
    }
}

words! {
    pub enum ActivityStep {
        Start = "start",
        End = "end",
        Cancel = "cancel",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an activity that is {state} can't take the step `{step}`")]
pub struct IllegalActivity {
    pub state: ActivityState,
    pub step: ActivityStep,
}

impl ActivityState {
    pub fn next(self, step: ActivityStep) -> Result<Self, IllegalActivity> {
        match (self, step) {
            (Self::Planned, ActivityStep::Start) => Ok(Self::Running),
            (Self::Running, ActivityStep::End) => Ok(Self::Done),
            (Self::Planned | Self::Running, ActivityStep::Cancel) => Ok(Self::Cancelled),
            (Self::Planned, ActivityStep::End) | (Self::Running, ActivityStep::Start) | (Self::Done | Self::Cancelled, _) => {
                Err(IllegalActivity { state: self, step })
            }
        }
    }

    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

words! {
    /// How one fault stands to another, said from the first one's side.
    pub enum LinkKind {
        Related = "related",
        CausedBy = "caused_by",
        /// The other can't be resolved while this one is open.
        Blocks = "blocks",
        Causes = "causes",
        BlockedBy = "blocked_by",
    }
}

impl LinkKind {
    /// The same link, said from the other side.
    #[must_use]
    pub const fn turned(self) -> Self {
        match self {
            Self::Related => Self::Related,
            Self::CausedBy => Self::Causes,
            Self::Causes => Self::CausedBy,
            Self::Blocks => Self::BlockedBy,
            Self::BlockedBy => Self::Blocks,
        }
    }
}

words! {
    /// The life of a problem: one root of many faults.
    pub enum ProblemState {
        Open = "open",
        Resolved = "resolved",
    }
}

words! {
    /// What somebody does in a fault just now.
    pub enum Doing {
        Looking = "looking",
        Typing = "typing",
        /// Not there any more: forgotten at once.
        Gone = "gone",
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
        /// It was no duplicate after all.
        Unmerge = "unmerge",
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
            // Nobody answers for it yet; `unmerged` knows better where somebody did.
            Step::Unmerge => (&[S::Duplicate], S::Reported),
        };
        if from.contains(&self) { Ok(to) } else { Err(Illegal { status: self, step }) }
    }

    /// Where a merged fault goes on: where it stood. What waited goes on with the work, because what it waited for may be gone.
    pub fn unmerged(self, before: Self) -> Result<Self, Illegal> {
        let reported = self.next(Step::Unmerge)?;
        Ok(match before {
            Self::Accepted => Self::Accepted,
            Self::InProgress | Self::Pending => Self::InProgress,
            Self::Reported | Self::Restored | Self::Resolved | Self::Closed | Self::Rejected | Self::Cancelled | Self::Duplicate => {
                reported
            }
        })
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
        for status in [FaultStatus::Rejected, FaultStatus::Cancelled] {
            assert!(Step::ALL.iter().all(|step| status.next(*step).is_err()));
        }
        let left: Vec<_> = Step::ALL.iter().filter(|step| FaultStatus::Duplicate.next(**step).is_ok()).collect();
        assert_eq!(left, [&Step::Unmerge], "only the way back");
    }

    #[test]
    fn a_merged_fault_goes_on_where_it_stood() {
        use FaultStatus as S;
        for (before, after) in
            [(S::Reported, S::Reported), (S::Accepted, S::Accepted), (S::InProgress, S::InProgress), (S::Pending, S::InProgress)]
        {
            assert_eq!(S::Duplicate.unmerged(before), Ok(after));
        }
        assert!(S::Closed.unmerged(S::Accepted).is_err());
    }

    #[test]
    fn activities_end_once() {
        use ActivityState as A;
        assert_eq!(A::Planned.next(ActivityStep::Start), Ok(A::Running));
        assert_eq!(A::Running.next(ActivityStep::End), Ok(A::Done));
        for over in [A::Done, A::Cancelled] {
            assert!(over.is_over() && ActivityStep::ALL.iter().all(|step| over.next(*step).is_err()));
        }
    }

    #[test]
    fn a_link_turned_twice_is_itself() {
        assert!(LinkKind::ALL.iter().all(|kind| kind.turned().turned() == *kind));
    }
}
