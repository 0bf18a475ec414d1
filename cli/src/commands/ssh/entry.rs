//! Under which consent an engineer goes in, and what to say when there is none.

use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::name::{FaultNumber, NeName, PersonName};
use lineman_common::session::{Doors, Grade};

use super::App;
use crate::exit::{Exit, Failure};
use crate::ssh_config::Forwards;

/// Under which consent the engineer goes in, as far as the centre knows.
pub struct Entry<'a> {
    pub consent: Option<&'a ConsentView>,
}

impl<'a> Entry<'a> {
    /// One that is live, or on its way to the device; end to end is better than through the gateway.
    pub fn of(consents: &'a [ConsentView], device: &NeName, engineer: &PersonName) -> Self {
        let open = |consent: &&ConsentView| {
            let own = consent.device == *device && consent.engineer == *engineer;
            own && matches!(consent.state, ConsentState::Live | ConsentState::Approved)
        };
        let rank = |consent: &&ConsentView| (consent.grade != Some(Grade::Gateway), consent.state == ConsentState::Live);
        Self { consent: consents.iter().filter(open).max_by_key(rank) }
    }

    /// What is good to know before ssh takes over the terminal.
    pub fn notes(&self, device: &NeName, options: &[String]) -> Vec<String> {
        let mut notes = Vec::new();
        let Some(consent) = self.consent else { return notes };
        let gateway = consent.grade == Some(Grade::Gateway);
        if gateway {
            notes.push(format!(
                "grade gateway: the support centre's own SSH client goes to {device} for you, and could act in this session"
            ));
        }
        let Forwards { to, any, remote } = Forwards::of(options);
        if gateway && (any || !to.is_empty()) {
            notes.push("forwards don't lead through the gateway: they need a consent of grade end-to-end or role".to_owned());
            return notes;
        }
        if remote {
            notes.push("-R is refused by every device: nothing listens there for somebody outside".to_owned());
        }
        let opened = consent.doors.as_ref().map(Doors::targets);
        for target in to.iter().filter(|target| opened.is_none_or(|opened| !opened.contains(target))) {
            let hint = format!("lineman consent request {} --doors exec,forward:{target} --for 1h", consent.fault);
            notes.push(format!("{} does not open {target}: {device} will refuse that forward. ask for it: {hint}", consent.id));
        }
        if any {
            let places = opened.into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
            let places = if places.is_empty() { "nowhere".to_owned() } else { format!("to {} only", places.join(", ")) };
            notes.push(format!("-D leads {places}: what the consent names"));
        }
        notes
    }
}

/// What to say when the centre is certain that there is no consent: none that is live, nor on its way to the device.
pub fn no_consent(target: &str, device: &NeName, engineer: &PersonName, consents: &[ConsentView], app: &App) -> Failure {
    let own = consents.iter().filter(|consent| consent.device == *device && consent.engineer == *engineer);
    let newest = own.max_by_key(|consent| consent.requested_at);
    let state = newest.map(|consent| format!(" ({})", why_not(consent, app))).unwrap_or_default();
    let asked_for = target.parse::<FaultNumber>().ok().or_else(|| newest.map(|consent| consent.fault.clone()));
    let fault = asked_for.map_or_else(|| "FAULT".to_owned(), |fault| fault.to_string());
    Failure::new(Exit::Forbidden, format!("{device} has no consent for {engineer}{state}"))
        .hint(format!("lineman consent request {fault} --doors shell,exec,sftp-read --for 2h"))
}

/// How far a request came, in the words of those who decided.
fn why_not(consent: &ConsentView, app: &App) -> String {
    let said = |reason: &Option<lineman_common::Printable>| reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let by = consent.decided_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    match consent.state {
        ConsentState::Requested => {
            let asked = consent.requested_at.map(|at| format!("asked {}, ", app.out.moment(at))).unwrap_or_default();
            let (have, need) = (consent.consents.len(), usize::from(consent.approvals_needed));
            let approvals = if need > 1 { format!(", {have} of {need} approvals") } else { String::new() };
            format!("{asked}waiting for the carrier{approvals}")
        }
        ConsentState::Refused => format!("the last one was refused{by}{}", said(&consent.refusal)),
        ConsentState::RefusedByDevice => format!("the device refused the last one{}", said(&consent.device_says)),
        ConsentState::Ended => {
            let why = consent.end_reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("the last one has ended{why}")
        }
        state @ (ConsentState::Challenged | ConsentState::Approved | ConsentState::Live | ConsentState::Lapsed) => {
            format!("the last one is {state}")
        }
    }
}
