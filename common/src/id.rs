//! Ids: UUIDv7 with a prefix that says what is meant, so that a fault's id can't be passed where a session's is wanted.

use uuid::Uuid;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not {what} id: expected `{prefix}` followed by 32 hexadecimal digits")]
pub struct BadId {
    text: String,
    what: &'static str,
    prefix: &'static str,
}

fn parse(text: &str, what: &'static str, prefix: &'static str) -> Result<Uuid, BadId> {
    text.strip_prefix(prefix).filter(|rest| rest.len() == 32).and_then(|rest| Uuid::try_parse(rest).ok()).ok_or_else(|| BadId {
        text: text.chars().take(64).collect(),
        what,
        prefix,
    })
}

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident = $prefix:literal, $what:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            /// A new id; ids sort by the time of their making.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default id would be a random one")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&format!("{}{}", $prefix, self.0.simple()))
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse(text, $what, $prefix).map(Self)
            }
        }

        $crate::travels_as_text!($name);

        $crate::described_as_text!($name, pattern(Some(concat!("^", $prefix, "[0-9a-f]{32}$"))));
    )+};
}

ids! {
    CustomerId = "cus_", "a customer";
    SiteId = "sit_", "a site";
    ContractId = "ctr_", "a contract";
    EquipmentId = "eqp_", "an equipment";
    PersonId = "per_", "a person";
    AlarmId = "alm_", "an alarm";
    ShelfId = "shf_", "a shelf";
    WindowId = "win_", "a maintenance window";
    ProfileId = "prf_", "an alarm profile";
    FaultId = "flt_", "a fault";
    ActivityId = "act_", "an activity";
    AttachmentId = "att_", "an attachment";
    ProblemId = "prb_", "a problem";
    /// The idempotency key of one request, however often it is sent.
    RequestKey = "req_", "a request's key";
    /// One id for a consent from its request to its end.
    ConsentId = "cns_", "a consent";
    SessionId = "ses_", "a session";
    TerminalId = "trm_", "a terminal";
    CaseId = "cas_", "a case";
    EvidenceId = "evd_", "a piece of evidence";
    /// One answer that offered cases.
    OfferId = "ofr_", "an offer";
    DeflectionId = "dfl_", "a deflection";
    SynonymId = "syn_", "a group of synonyms";
    LegId = "leg_", "a session leg";
    OverrideId = "ovr_", "an override of a shift";
    HandoverId = "hov_", "a hand-over of a shift";
    /// The same through every retry and replay.
    NoticeId = "ntc_", "a notice";
    TargetId = "ntt_", "a target of notices";
    WallId = "wal_", "a wall token";
    ViewId = "viw_", "a saved view";
    /// Chosen at random when an agent's spool is made: a machine that is rolled back gets a new one.
    SpoolEpoch = "spl_", "a spool epoch";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_refuses_another_kind() {
        let id = FaultId::new();
        assert_eq!(id.to_string().parse::<FaultId>(), Ok(id));
        assert!(id.to_string().parse::<SessionId>().is_err());
        assert!("flt_nonsense".parse::<FaultId>().unwrap_err().to_string().contains("32 hexadecimal"));
    }
}
