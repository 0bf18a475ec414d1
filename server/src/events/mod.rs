//! The append-only log: everything that happened, in order, chained per customer.
//!
//! Rooms tell the log what happened inside the same transaction as the change itself; fault timelines, clocks, the live stream
//! and the audit are read from it. Each event carries two times: when it happened as claimed, and when the server stored it, so that
//! late entry shows.
//!
//! The chain runs over payload *hashes*: `chain = SHA-256(previous chain, kind, times, actor, payload hash)`. So a payload can
//! be erased when its retention ends without breaking the chain, and nothing can be changed, dropped or slipped in unnoticed.
//!
//! What rooms higher up must hear (a fault closed: its consents end) is called from [`append`], in the same transaction,
//! through the one table of listeners in `main.rs`.

mod audit;
pub mod http;
mod sql;
mod walls;

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::ChainCheck;
use lineman_common::id::{CustomerId, EquipmentId, FaultId};
use lineman_common::name::CustomerCode;
use lineman_common::statement::sha256_hex;
use serde_json::Value;

use crate::store::{Db, Nudge, StoreError, Tx};
use crate::web::Scope;

pub use audit::{Audit, audit};
pub use lineman_common::api::Event as EventView;
pub use walls::{for_walls, shown_on_walls};

/// Hears every event, in its transaction; an error undoes the change that was told.
pub type Listener = fn(&mut Tx<'_>, &Appended) -> Result<(), ListenerError>;

pub type ListenerError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a consequence of the change failed: {0}")]
    Listener(#[source] ListenerError),
}

lineman_common::words! {
    /// What can happen. Part of the API's contract: kinds are added, never renamed.
    pub enum Kind {
        CustomerAdded = "customer.added",
        CustomerStopped = "customer.stopped",
        CustomerResumed = "customer.resumed",
        SiteAdded = "site.added",
        TierSet = "tier.set",
        TierDeleted = "tier.deleted",
        CalendarSet = "calendar.set",
        CalendarDeleted = "calendar.deleted",
        ContractSet = "contract.set",
        ContractDeleted = "contract.deleted",
        PersonAdded = "person.added",
        /// Skills, level, address.
        PersonChanged = "person.changed",
        PersonDisabled = "person.disabled",
        PersonEnabled = "person.enabled",
        PasswordChanged = "person.password_changed",
        SecondFactorSet = "person.second_factor_set",
        SecondFactorRemoved = "person.second_factor_removed",
        SignedOutEverywhere = "person.signed_out_everywhere",
        /// By an admin, or by the identity provider's groups.
        RoleChanged = "person.role_changed",
        /// The identity provider's groups give the person no role any more.
        IdentityRefused = "person.identity_refused",
        SignInLinkMade = "person.sign_in_link_made",
        TokenEnded = "token.ended",
        OfficeSet = "office.set",
        OfficeDeleted = "office.deleted",
        ShiftSet = "shift.set",
        ShiftDeleted = "shift.deleted",
        ShiftOverridden = "shift.overridden",
        ShiftOverrideCancelled = "shift.override_cancelled",
        ShiftHandedOver = "shift.handed_over",
        ShiftTakenOver = "shift.taken_over",
        RoutingSet = "routing.set",
        TokenIssued = "token.issued",
        SignedIn = "person.signed_in",
        EquipmentAdded = "equipment.added",
        EnrolmentTokenIssued = "equipment.enrolment_token_issued",
        Enrolled = "equipment.enrolled",
        Vouched = "equipment.vouched",
        /// The device's administrator did something on the device itself.
        LocalAct = "equipment.local_act",
        AgentOnline = "agent.online",
        AgentOffline = "agent.offline",
        AgentDropped = "agent.dropped_reports",
        RosterPublished = "trust.roster_published",
        AnchorsPublished = "trust.anchors_published",
        SignersPublished = "trust.signers_published",
        SignersRefused = "trust.signers_refused",
        ReceiptChanged = "trust.receipt_changed",
        AlarmRaised = "alarm.raised",
        AlarmChanged = "alarm.changed",
        AlarmCleared = "alarm.cleared",
        AlarmAcknowledged = "alarm.acknowledged",
        AlarmClosed = "alarm.closed",
        /// The operator's mark is taken off.
        AlarmUnmarked = "alarm.unmarked",
        /// Many at once: who changed, and how, is in the particulars.
        AlarmBatch = "alarm.batch",
        AlarmsPurged = "alarm.purged",
        AlarmsCompressed = "alarm.compressed",
        ShelfSet = "alarm.shelf_set",
        ShelfRemoved = "alarm.shelf_removed",
        ShelvesOrdered = "alarm.shelves_ordered",
        ProfileSet = "alarm.profile_set",
        ProfileRemoved = "alarm.profile_removed",
        WindowPlanned = "alarm.window_planned",
        WindowBegan = "alarm.window_began",
        WindowEnded = "alarm.window_ended",
        RuleSet = "alarm.rule_set",
        RuleRemoved = "alarm.rule_removed",
        TopologySet = "equipment.topology_set",
        FaultReported = "fault.reported",
        /// It is with an office now, with a person proposed.
        FaultRouted = "fault.routed",
        FaultEscalated = "fault.escalated",
        FaultDeescalated = "fault.deescalated",
        FaultAccepted = "fault.accepted",
        FaultAssigned = "fault.assigned",
        FaultNote = "fault.note",
        FaultAlarmAttached = "fault.alarm_attached",
        FaultPending = "fault.pending",
        FaultResumed = "fault.resumed",
        FaultDiagnosed = "fault.diagnosed",
        FaultProposesRestored = "fault.proposes_restored",
        FaultRestored = "fault.restored",
        FaultResolved = "fault.resolved",
        FaultClosed = "fault.closed",
        FaultReopened = "fault.reopened",
        FaultRejected = "fault.rejected",
        FaultCancelled = "fault.cancelled",
        FaultDuplicate = "fault.duplicate",
        /// Others became its duplicates, and their alarms moved here.
        FaultMerged = "fault.merged",
        /// The way back: told on both faults.
        FaultUnmerged = "fault.unmerged",
        FaultEdited = "fault.edited",
        FaultLinked = "fault.linked",
        FaultUnlinked = "fault.unlinked",
        /// A phone call, guidance or visit was planned, began or ended.
        FaultActivity = "fault.activity",
        FaultAttachmentAdded = "fault.attachment_added",
        FaultAttachmentDeleted = "fault.attachment_deleted",
        FaultClosingSet = "fault.closing_set",
        ProblemOpened = "problem.opened",
        ProblemEdited = "problem.edited",
        ProblemAttached = "problem.attached",
        ProblemDetached = "problem.detached",
        ProblemResolved = "problem.resolved",
        ProblemReopened = "problem.reopened",
        /// A clock has used half, three quarters, nine tenths of its target.
        ClockWarned = "clock.warned",
        /// Once and for ever, for each clock and target.
        ClockBreached = "clock.breached",
        /// Targets, calendar or zone are others from now on; what was counted stays.
        ClockRetargeted = "clock.retargeted",
        StandingGranted = "standing.granted",
        StandingRevoked = "standing.revoked",
        ConsentRequested = "consent.requested",
        /// Signed by one of several that the device wants.
        ConsentPartlyApproved = "consent.partly_approved",
        ConsentApproved = "consent.approved",
        ConsentLive = "consent.live",
        ConsentRefused = "consent.refused",
        ConsentRefusedByDevice = "consent.refused_by_device",
        ConsentLapsed = "consent.lapsed",
        ConsentRevoked = "consent.revoked",
        ConsentEnded = "consent.ended",
        SessionOpened = "session.opened",
        SessionFirstByte = "session.first_byte",
        SessionEnded = "session.ended",
        SessionKillAsked = "session.kill_asked",
        TerminalOpened = "terminal.opened",
        TerminalEnded = "terminal.ended",
        RecordingViewed = "session.recording_viewed",
        SessionWatched = "session.watched",
        SessionsSearched = "session.searched",
        /// No more of a recording is taken: there is no room.
        QuotaReached = "session.quota_reached",
        QuotaSet = "customer.recording_quota_set",
        NoticesSet = "customer.notices_set",
        NoticesReplayed = "customer.notices_replayed",
        /// Somebody said why a critical fault need not be told again.
        RepeatAcknowledged = "fault.repeat_acknowledged",
        CaseCreated = "case.created",
        CaseEdited = "case.edited",
        CaseSubmitted = "case.submitted",
        CasePublished = "case.published",
        CaseArchived = "case.archived",
        CaseLinked = "case.linked",
        CaseEvidenceAdded = "case.evidence_added",
        CaseEvidenceReleased = "case.evidence_released",
        CaseEvidenceRemoved = "case.evidence_removed",
        CaseUnlinked = "case.unlinked",
        /// Back to its author, with the reason.
        CaseReturned = "case.returned",
        CaseClaimed = "case.claimed",
        CaseReleased = "case.released",
        CaseUnarchived = "case.unarchived",
        /// Another owner.
        CaseHandedOver = "case.handed_over",
        CaseFlagged = "case.flagged",
        /// Still true.
        CaseConfirmed = "case.confirmed",
        /// The same as another.
        CaseMerged = "case.merged",
        CaseUnmerged = "case.unmerged",
        CaseFeedback = "case.feedback",
        /// One language was found to say what the other one says.
        CaseTranslated = "case.translated",
        /// A wall of the monitoring centre may be seen with a token.
        WallTokenIssued = "wall.token_issued",
        WallTokenRevoked = "wall.token_revoked",
        /// What became of a question that the library did not answer.
        CaseGapHandled = "case.gap_handled",
        CaseSettingsSet = "case.settings_set",
        /// The users' words that mean the same.
        SynonymsChanged = "case.synonyms_changed",
    }
}

/// What is to be told. Start with [`New::of`], add what applies.
pub struct New {
    pub kind: Kind,
    pub customer: Option<CustomerId>,
    pub equipment: Option<EquipmentId>,
    pub fault: Option<FaultId>,
    /// Not for the customer's eyes.
    pub internal: bool,
    pub actor: String,
    pub occurred_at: Option<Timestamp>,
    pub text: String,
    pub data: Value,
}

impl New {
    pub fn of(kind: Kind, actor: impl ToString, text: impl Into<String>) -> Self {
        Self {
            kind,
            customer: None,
            equipment: None,
            fault: None,
            internal: false,
            actor: actor.to_string(),
            occurred_at: None,
            text: text.into(),
            data: Value::Null,
        }
    }

    pub fn customer(self, customer: CustomerId) -> Self {
        Self { customer: Some(customer), ..self }
    }

    pub fn equipment(self, equipment: impl Into<Option<EquipmentId>>) -> Self {
        Self { equipment: equipment.into(), ..self }
    }

    pub fn fault(self, fault: FaultId) -> Self {
        Self { fault: Some(fault), ..self }
    }

    pub fn at(self, occurred_at: Timestamp) -> Self {
        Self { occurred_at: Some(occurred_at), ..self }
    }

    pub fn internal(self, internal: bool) -> Self {
        Self { internal, ..self }
    }

    pub fn data(self, data: Value) -> Self {
        Self { data, ..self }
    }
}

/// An event as stored.
#[derive(Clone, Debug)]
pub struct Appended {
    pub seq: u64,
    pub kind: Kind,
    pub customer: Option<CustomerId>,
    pub equipment: Option<EquipmentId>,
    pub fault: Option<FaultId>,
    pub internal: bool,
    pub actor: String,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
    pub text: String,
    pub data: Value,
}

/// Appends to the log, extends the customer's chain, and lets the listeners act.
pub fn append(tx: &mut Tx<'_>, new: New) -> Result<Appended, Error> {
    let recorded_at = tx.now();
    let event = Appended {
        seq: 0,
        kind: new.kind,
        customer: new.customer,
        equipment: new.equipment,
        fault: new.fault,
        internal: new.internal,
        actor: new.actor,
        occurred_at: new.occurred_at.unwrap_or(recorded_at),
        recorded_at,
        text: new.text,
        data: new.data,
    };
    let payload = payload_sha256(&event.text, &event.data.to_string());
    let end = sql::chain_end(tx, event.customer)?;
    let chain = link(&end.head, event.kind, event.occurred_at, event.recorded_at, &event.actor, &payload);
    let seq = sql::insert(tx, &event, &payload, &chain, &end)?;
    let event = Appended { seq, ..event };
    tx.nudge(Nudge::Events);
    for listener in tx.listeners() {
        listener(tx, &event).map_err(Error::Listener)?;
    }
    Ok(event)
}

fn payload_sha256(text: &str, data: &str) -> String {
    sha256_hex(format!("{text}\n{data}"))
}

fn link(previous: &str, kind: Kind, occurred_at: Timestamp, recorded_at: Timestamp, actor: &str, payload_sha256: &str) -> String {
    sha256_hex(format!("{previous}\n{kind}\n{}\n{}\n{actor}\n{payload_sha256}", occurred_at.as_microsecond(), recorded_at.as_microsecond()))
}

/// What the log says about one fault, oldest first.
pub fn of_fault(db: &Db<'_>, scope: &Scope, fault: FaultId) -> Result<Vec<EventView>, StoreError> {
    sql::of_fault(db, scope, fault)
}

/// The events of one fault in their stored form: what clocks are computed from. No scope: the caller has found the fault under one.
pub fn stored_of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<Appended>, StoreError> {
    sql::stored_of_fault(db, fault)
}

/// When a device's agent came and went, oldest first, by the server's record.
pub fn presence_of(db: &Db<'_>, device: EquipmentId) -> Result<Vec<(Timestamp, bool)>, StoreError> {
    sql::presence_of(db, device)
}

/// Events after `seq` as the scope counts, oldest first, for the live stream.
pub fn after(db: &Db<'_>, scope: &Scope, seq: u64, limit: u32) -> Result<Vec<EventView>, StoreError> {
    sql::after(db, scope, seq, limit)
}

/// What caches that follow the log need of an event.
pub struct News {
    pub seq: u64,
    pub kind: Kind,
    pub equipment: Option<EquipmentId>,
    pub fault: Option<FaultId>,
}

/// Events after `seq`, oldest first, for caches that follow the log. No scope: it is for the server itself.
pub fn since(db: &Db<'_>, seq: u64, limit: u32) -> Result<Vec<News>, StoreError> {
    sql::since(db, seq, limit)
}

/// How many faults were reported, and how many closed, from a moment on by the server's record.
pub fn reported_and_closed(db: &Db<'_>, scope: &Scope, from: Timestamp) -> Result<(u32, u32), StoreError> {
    Ok((sql::count_since(db, scope, Kind::FaultReported, from)?, sql::count_since(db, scope, Kind::FaultClosed, from)?))
}

/// When a fault was closed last.
pub fn newest_closing(db: &Db<'_>, scope: &Scope) -> Result<Option<Timestamp>, StoreError> {
    sql::newest_of(db, scope, Kind::FaultClosed)
}

/// The newest event's number, as the scope counts.
pub fn newest(db: &Db<'_>, scope: &Scope) -> Result<u64, StoreError> {
    sql::newest(db, scope)
}

/// Recomputes the chains that the scope may see.
pub fn check_chains(db: &Db<'_>, scope: &Scope) -> Result<Vec<ChainCheck>, StoreError> {
    sql::chains(db, scope)?
        .into_iter()
        .map(|(customer, code, head, shown)| {
            let mut check = Chain { events: 0, head: String::new(), broken_at: None };
            sql::walk_chain(db, customer, |seq, kind, occurred_at, recorded_at, actor, payload, stored| {
                check.events += 1;
                check.head = link(&check.head, kind, occurred_at, recorded_at, actor, payload);
                if check.head != stored && check.broken_at.is_none() {
                    check.broken_at = Some(seq);
                }
            })?;
            if check.head != head && check.broken_at.is_none() {
                check.broken_at = Some(0);
            }
            // What is internal is in the chain, and not for a customer to count.
            let events = if scope.sees_internal() { check.events } else { shown };
            Ok(ChainCheck { customer: code, events, head, broken_at: check.broken_at })
        })
        .collect()
}

struct Chain {
    events: u64,
    head: String,
    broken_at: Option<u64>,
}

/// How an event is shown.
fn view(event: Appended, fault: Option<lineman_common::name::FaultNumber>, equipment: Option<lineman_common::name::NeName>) -> EventView {
    EventView {
        seq: event.seq,
        kind: event.kind.to_string(),
        fault,
        equipment,
        actor: event.actor,
        occurred_at: event.occurred_at,
        recorded_at: event.recorded_at,
        text: Printable::new(event.text),
        data: event.data,
        internal: event.internal,
    }
}

/// Whose chain it is, its newest hash, and how many events of it the customer may see.
type ChainRow = (Option<CustomerId>, Option<CustomerCode>, String, u64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    #[test]
    fn the_chain_holds_and_a_change_shows() {
        let mut store = TestStore::new();
        for text in ["one", "two", "three"] {
            store.write(|tx| append(tx, New::of(Kind::TierSet, "admin-z", text)).unwrap());
        }
        let check = store.read(|db| check_chains(db, &Scope::All).unwrap());
        assert_eq!((check[0].events, check[0].broken_at), (3, None));
        store.write(|tx| {
            assert!(tx.sql().execute("UPDATE event SET actor = 'mallory' WHERE seq = 2", []).is_err());
            assert!(tx.sql().execute("DELETE FROM event WHERE seq = 2", []).is_err());
            tx.sql().execute_batch("DROP TRIGGER event_is_never_changed; UPDATE event SET actor = 'mallory' WHERE seq = 2").unwrap();
        });
        assert_eq!(store.read(|db| check_chains(db, &Scope::All).unwrap())[0].broken_at, Some(2));
    }
}
