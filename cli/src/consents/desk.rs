//! The approver's desk: from a request's number to a signed consent, one draft in between.
//!
//! A [`Draft`] is what a person is shown, with the exact text that will be signed; [`Desk::sign`] takes a draft and nothing else. So
//! there is no way from a screen to a signature over other bytes, whichever screen it is: the command, the terminal list, or the page.

use lineman_common::api::{ConsentState, ConsentView, Person, Reason};
use lineman_common::name::PersonName;
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::{Consent, KeyClass, Namespace, Signed, sig};

use super::findings::Finding;
use super::{Checked, Narrow, check_request, held, now, principal, sign_for, write_consent};
use crate::client::Client;
use crate::context::Env;
use crate::exit::{Exit, Failure};
use crate::keys::Signer;
use crate::trust::Trust;

/// Who approves, with which key, believing what.
pub struct Desk {
    pub client: Client,
    pub trust: Trust,
    pub signer: Signer,
    pub person: Person,
    pub env: Env,
}

/// An approval by somebody else that holds under this machine's signer list.
#[derive(Clone, Debug)]
pub struct Other {
    pub consent: Consent,
    pub class: KeyClass,
    key: String,
}

/// A consent, ready to be signed.
#[derive(Clone, Debug)]
pub struct Draft {
    pub view: ConsentView,
    pub checked: Checked,
    pub approver: PersonName,
    pub doors: Doors,
    pub duration_s: u32,
    pub others: Vec<Other>,
    pub needed: u8,
    /// Checks and warnings that don't depend on how it is narrowed.
    found: Vec<Finding>,
    text: String,
}

impl Draft {
    /// The bytes that will be signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn findings(&self) -> Vec<Finding> {
        let mut found = self.found.clone();
        for Other { consent, class, .. } in &self.others {
            found.push(Finding::Approved {
                approver: consent.approver.clone(),
                class: *class,
                doors: consent.doors.clone(),
                duration_s: consent.duration_s,
            });
        }
        if let (false, Some((doors, duration_s))) = (self.others.is_empty(), self.together()) {
            found.push(Finding::Together { doors, duration_s });
        }
        if self.needed > 1 {
            found.push(Finding::MoreNeeded { have: self.others.len(), needed: self.needed });
        }
        found
    }

    /// What all approvals with this one allow; `None` when that is nothing.
    fn together(&self) -> Option<(Doors, u32)> {
        self.others.iter().try_fold((self.doors.clone(), self.duration_s), |(doors, duration_s), Other { consent, .. }| {
            Some((doors.both(&consent.doors)?, duration_s.min(consent.duration_s)))
        })
    }

    /// Writes the text anew, with fewer doors or less time than was asked for.
    fn write(&mut self, narrow: &Narrow) -> Result<(), Failure> {
        self.text = write_consent(&self.checked, &self.approver, narrow, now())?;
        let request = &self.checked.request;
        self.doors = narrow.doors.clone().unwrap_or_else(|| request.doors.clone());
        self.duration_s = narrow.duration_s.unwrap_or(request.duration_s);
        match self.together() {
            Some(_) => Ok(()),
            None => Err(Failure::usage(format!("{} and what the others approved have nothing in common", self.doors))
                .hint("name at least one door that they approved too")),
        }
    }
}

impl Desk {
    /// Checks a request, against this machine's own files, and writes the consent that would be signed.
    pub async fn draft(&self, id: &str, narrow: &Narrow) -> Result<Draft, Failure> {
        let view = self.client.consent(id).await?;
        if view.state != ConsentState::Requested {
            return Err(Failure::new(Exit::Conflict, format!("{} is {}: only a requested consent can be approved", view.id, view.state)));
        }
        let at = now();
        let checked = check_request(&view, &self.trust, &self.env, at)?;
        if checked.request.grade == Grade::Role {
            return Err(Failure::new(Exit::Conflict, "a request of grade role is answered by a standing statement, not by a consent")
                .hint("lineman standing grant"));
        }
        let approver = principal(&checked.signers, &self.signer, Namespace::Consent, Some(&self.person.name), at)?;
        let (others, doubts) = others(&view, &checked);
        self.check_first(&others, &approver)?;
        let (receipt, needed) = self.receipt(&checked, view.approvals_needed).await;
        let own = Finding::OwnKey {
            approver: approver.clone(),
            key: self.signer.fingerprint(),
            certificate: checked
                .signers
                .list()
                .authorise("consent", approver.as_str(), &self.signer.public, Namespace::Consent, at)
                .is_err(),
        };
        let mut found = checked.findings();
        found.push(own);
        found.extend(held::expiry(&checked.signers, at));
        found.extend(receipt);
        found.extend(doubts);
        let (doors, duration_s) = (checked.request.doors.clone(), checked.request.duration_s);
        let mut draft = Draft { view, checked, approver, doors, duration_s, others, needed, found, text: String::new() };
        draft.write(narrow)?;
        Ok(draft)
    }

    /// The same request, narrowed in another way: nothing is asked of the centre again.
    pub fn narrow(&self, draft: &Draft, narrow: &Narrow) -> Result<Draft, Failure> {
        let mut draft = draft.clone();
        draft.write(narrow)?;
        Ok(draft)
    }

    /// Two approvals are two people with two keys.
    fn check_first(&self, others: &[Other], approver: &PersonName) -> Result<(), Failure> {
        let mine = self.signer.fingerprint();
        match others.iter().find(|other| other.consent.approver == *approver || other.key == mine) {
            Some(other) => Err(Failure::new(Exit::Conflict, format!("{} has approved it with this key or name", other.consent.approver))
                .hint("another person has to approve it too, with a key of their own")),
            None => Ok(()),
        }
    }

    /// What the device says that it holds, and how many approvals it wants.
    async fn receipt(&self, checked: &Checked, by_centre: u8) -> (Vec<Finding>, u8) {
        let request = &checked.request;
        let view = match self.client.signers(request.device.customer.as_str()).await {
            Ok(view) => view,
            Err(error) => return (vec![Finding::NoReceipt { why: error.to_string() }], by_centre),
        };
        let shown = view.devices.iter().find(|shown| shown.device == request.device);
        match held::believed(shown, &request.device, &checked.statement.host_key) {
            Ok(receipt) => {
                let found = held::findings(&receipt, request, &checked.signers, checked.roster.head.counter, by_centre);
                (found, receipt.approvals)
            }
            Err(finding) => (vec![finding], by_centre),
        }
    }

    /// Signs a draft; the signature is checked as the device will check it.
    pub fn sign(&self, draft: &Draft) -> Result<Signed, Failure> {
        let Checked { request, signed, signers, .. } = &draft.checked;
        let consent = sign_for(signers, &self.signer, &draft.approver, Namespace::Consent, draft.text.clone(), now())?;
        Consent::verify(&consent, request, &signed.text, signers, now())?;
        Ok(consent)
    }

    pub async fn approve(&self, draft: &Draft) -> Result<ConsentView, Failure> {
        Ok(self.client.approve(&draft.view.id.to_string(), self.sign(draft)?).await?)
    }

    pub async fn refuse(&self, id: &str, reason: &str) -> Result<ConsentView, Failure> {
        Ok(self.client.refuse(id, &Reason { reason: reason.into() }).await?)
    }
}

/// A duration as a person types it, exactly: `1h30m`.
pub fn typed(duration_s: u32) -> String {
    let parts = [(duration_s / 3600, "h"), (duration_s % 3600 / 60, "m"), (duration_s % 60, "s")];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    parts.fold(String::new(), |all, (count, unit)| all + &count.to_string() + unit)
}

/// The approvals that hold, and why the others don't.
fn others(view: &ConsentView, checked: &Checked) -> (Vec<Other>, Vec<Finding>) {
    let (mut others, mut doubts) = (Vec::new(), Vec::new());
    for signed in &view.consents {
        let verified = Consent::verify(signed, &checked.request, &checked.signed.text, &checked.signers, now())
            .and_then(|(consent, class)| Ok((consent, class, signed.signing_key("consent", class.namespace())?)));
        match verified {
            Ok((consent, class, key)) => others.push(Other { consent, class, key: sig::fingerprint(&key).to_string() }),
            Err(refused) => doubts.push(Finding::ApprovalDoubt { why: refused.to_string() }),
        }
    }
    (others, doubts)
}

/// A draft without a centre, for tests of what shows it.
#[cfg(test)]
pub fn sample(world: &crate::testing::World, doors: &str, reason: &str) -> Draft {
    use crate::testing::ask;
    let open = |folder: &std::path::Path| Trust::open(folder, None, None).unwrap();
    let believed = open(&world.vendor_trust()).bundle(&world.bundle(), &world.customer, &world.env(), now()).unwrap();
    let signer = Signer::open(Some(&world.engineer_key_file()), &world.env()).unwrap();
    let ask = super::Ask { doors: doors.parse().unwrap(), reason: reason.into(), ..ask() };
    let request = super::sign_request(&world.challenge(), &believed, &signer, &ask, now()).unwrap();
    let view = world.view(request);
    let checked = check_request(&view, &open(&world.carrier_trust()), &world.env(), now()).unwrap();
    let (doors, duration_s) = (checked.request.doors.clone(), checked.request.duration_s);
    let found = checked.findings();
    let approver = "approver-jw".parse().unwrap();
    let mut draft = Draft { view, checked, approver, doors, duration_s, others: Vec::new(), needed: 1, found, text: String::new() };
    draft.write(&Narrow::default()).unwrap();
    draft
}
