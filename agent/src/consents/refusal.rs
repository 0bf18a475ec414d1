//! Why this device lets nobody in. Each text is what the person at the other end reads, also in `ssh` itself.

use std::io;

use jiff::Timestamp;
use lineman_common::id::ConsentId;
use lineman_common::name::{NeName, PersonName};
use lineman_common::session::{Doors, EndReason, Grade};
use lineman_common::statement::Refused;

use super::ledger::Stop;

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    Statement(#[from] Refused),
    #[error("{device} {stop}. It takes no requests and no consents until that is taken back")]
    Stopped { device: NeName, stop: Stop },
    #[error("{device} holds no roster of the vendor's engineers yet")]
    NoRoster { device: NeName },
    #[error("the roster number {0} is here already, with another text")]
    RosterTwice(u64),
    #[error("the signer list number {0} is here already, with another text: a change needs a higher number")]
    SignersTwice(u64),
    #[error("the approver checked against roster number {wanted}; {device} holds only number {held}")]
    RosterOlder { device: NeName, wanted: u64, held: u64 },
    #[error("the request is for {found}; this is {device}")]
    OtherDevice { found: NeName, device: NeName },
    #[error("the request names the host key {found}; {device} has {key}")]
    OtherHostKey { found: String, device: NeName, key: String },
    #[error("the challenge in the request was not issued by {device} for this request, or was used already: ask for a new one")]
    Challenge { device: NeName },
    #[error("the challenge lapsed at {at}: ask for a new one")]
    Lapsed { at: Timestamp },
    #[error("{device} does not take consents of grade {grade}: its local policy takes {taken}")]
    Grade { device: NeName, grade: Grade, taken: String },
    #[error("{device} has no account profile `{account}`: its local configuration has {known}")]
    Account { device: NeName, account: String, known: String },
    #[error("{device} takes consents of at most {most} seconds; this one lasts {found}")]
    TooLong { device: NeName, most: u32, found: u32 },
    #[error("{have} of {needed} approvals: {device} wants as many different people of the carrier, each with a key of their own, to sign")]
    Approvals { device: NeName, have: usize, needed: u8 },
    #[error(
        "{approver} signed this in a page served by the vendor (`consent-browser@lineman`), and {device} takes no such signature: approve it \
         with `lineman approver` on your own machine, or the owner of {device} allows the class with `browser_keys = true` in its local policy"
    )]
    PageKey { device: NeName, approver: PersonName },
    #[error("{found} approvals came at once; at most {most} are looked at")]
    TooManyPapers { found: usize, most: usize },
    #[error("the approvals have no door in common")]
    NothingInCommon,
    #[error("the standing statements that come together must carry one id: these carry {0} and {1}")]
    TwoStandings(ConsentId, ConsentId),
    #[error(
        "{device} takes standing statements for {days} days at most (`max_standing_days` in its local policy): {id} would hold from {begins} \
         until {valid_before}; sign one for a shorter time"
    )]
    StandingTooLong { device: NeName, id: ConsentId, begins: Timestamp, valid_before: Timestamp, days: u32 },
    #[error(
        "the standing statement {id} was issued at {issued}, before {device} was enrolled at {enrolled}: {device} can't know whether it was \
         ended; sign a new one"
    )]
    StandingOlder { device: NeName, id: ConsentId, issued: Timestamp, enrolled: Timestamp },
    #[error(
        "{device} takes no standing statement: its file `device-statement` is missing or can't be read, and so it can't know which of them \
         were ended before it was enrolled"
    )]
    NotEnrolledWhen { device: NeName },
    #[error("the standing statement {id} was ended at {at} ({reason}): it lets nobody in any more")]
    StandingEnded { id: ConsentId, reason: EndReason, at: Timestamp },
    #[error(
        "{device} has forgotten which standing statements valid before {before} were ended, and takes none of them: \
         sign a new one, valid longer"
    )]
    StandingForgotten { device: NeName, before: Timestamp },
    #[error(
        "{device} remembers {most} ended standing statements and forgets none before its time: take their signer off the signer list instead"
    )]
    TooManyEnded { device: NeName, most: usize },
    #[error("this consent ended at {at} ({reason}) and can't be used again: ask for a new one")]
    Over { reason: EndReason, at: Timestamp },
    #[error("the consent {0} is live already, with other terms")]
    OtherTerms(ConsentId),
    #[error("the consent {0} has ended")]
    NotLive(ConsentId),
    #[error("no request {0} waits on this device: `lineman-agent consent pending` lists those that do")]
    NotPending(ConsentId),
    #[error("the request {0} is not the one that was shown: look at it again")]
    NotWhatWasShown(ConsentId),
    #[error("an approval may only narrow: the request is for {requested}, not for {found}")]
    WiderDoors { requested: Doors, found: Doors },
    #[error("an approval may only narrow: the request is for {requested} s, not for {found}")]
    LongerTime { requested: u32, found: u32 },
    #[error("{device} can't write down {what}: {source}")]
    Store { device: NeName, what: &'static str, source: io::Error },
}
