//! Requests and consents, checked and signed on the person's own machine.
//!
//! Three parties stand behind a session: the engineer signs a request, the carrier signs a consent for exactly that
//! request, the device believes both. The centre carries the papers and could exchange any of them; so each side checks
//! everything against what is pinned on its own machine, and what a person is shown comes from the very bytes that they
//! sign.

pub mod desk;
pub mod findings;
pub mod held;
pub mod terms;

use jiff::Timestamp;
use lineman_common::api::{ChallengeReply, ConsentView};
use lineman_common::link::DevicePolicy;
use lineman_common::name::{NeName, PersonName};
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::{CarrierSigners, Consent, DeviceStatement, Namespace, Refused, Request, Roster, Signed, sha256_hex};

use crate::context::Env;
use crate::exit::{Exit, Failure};
use crate::keys::Signer;
use crate::output::span;
use crate::trust::{Believed, Trust};
use findings::Finding;

/// Longest reason in a request: it has to fit on an approver's screen.
const MAX_REASON_CHARS: usize = 200;

/// What an engineer asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub engineer: PersonName,
    pub grade: Grade,
    pub doors: Doors,
    pub account: String,
    pub duration_s: u32,
    pub reason: String,
}

/// Statements carry whole seconds: fractions are noise that somebody has to read.
pub fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default()
}

fn not_believed(what: impl Into<String>) -> Failure {
    Failure::new(Exit::CheckFailed, what)
}

/// Compares a question with what the device's owner lets it take: what would be refused there is not asked.
pub fn check_policy(device: &NeName, policy: &DevicePolicy, ask: &Ask) -> Result<(), Failure> {
    let refused = |what: String, hint: String| Err(Failure::new(Exit::Forbidden, what).hint(hint));
    if !policy.grades.contains(&ask.grade) {
        let takes = policy.grades.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return refused(
            format!("you asked for grade {}; {device} takes {}", ask.grade, if takes.is_empty() { "none" } else { &takes }),
            "ask for another with --grade; what a device takes is in its owner's local file".into(),
        );
    }
    if !policy.accounts.contains(&ask.account) {
        let has = policy.accounts.join(", ");
        return refused(
            format!("you asked for the account `{}`; {device} has {}", ask.account, if has.is_empty() { "none" } else { &has }),
            "ask for another with --account".into(),
        );
    }
    if ask.duration_s > policy.max_duration_s {
        let (asked, longest) = (span(u64::from(ask.duration_s)), span(u64::from(policy.max_duration_s)));
        return refused(format!("you asked for {asked}; {device} takes {longest} at most"), "ask for less with --for".into());
    }
    Ok(())
}

/// Builds and signs a request over a device's challenge, after checking that the device is the carrier's and that the
/// roster knows this key: a request that would be refused at the other end is refused here.
pub fn sign_request(challenge: &ChallengeReply, believed: &Believed, signer: &Signer, ask: &Ask, at: Timestamp) -> Result<Signed, Failure> {
    let statement = DeviceStatement::verify(&challenge.device_statement, &believed.vouchers, at)?;
    if statement.device != challenge.device {
        return Err(not_believed(format!("the centre shows the statement of {} for {}", statement.device, challenge.device)));
    }
    let newer = believed.devices.get(&statement.device).filter(|known| known.counter > statement.counter);
    if newer.is_some_and(|newer| newer.host_key.key_data() != statement.host_key.key_data()) {
        return Err(not_believed(format!(
            "the centre shows an old statement for {}: a newer one names another host key",
            statement.device
        )));
    }
    believed.roster.list().authorise("request", ask.engineer.as_str(), &signer.public, Namespace::Request, at).map_err(|refused| {
        not_believed(refused.to_string()).hint(format!(
            "the key {} must be in the vendor's roster for {}: ask an admin, or name another key with --key",
            signer.fingerprint(),
            ask.engineer
        ))
    })?;
    let request = Request {
        id: challenge.id,
        fault: challenge.fault.clone(),
        device: challenge.device.clone(),
        host_key: statement.host_key_fingerprint(),
        grade: ask.grade,
        engineer: ask.engineer.clone(),
        engineer_key: signer.fingerprint(),
        doors: ask.doors.clone(),
        account: ask.account.clone(),
        duration_s: ask.duration_s,
        challenge: challenge.challenge.clone(),
        reason: one_line(&ask.reason),
        issued: at,
    };
    let text = request.write().map_err(|e| Failure::usage(format!("the request can't be written: {e}")))?;
    Ok(signer.sign(Namespace::Request, text)?)
}

/// A reason becomes one visible line: statements hold no control characters.
fn one_line(reason: &str) -> String {
    let line = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    lineman_common::printable::escape(&line).chars().take(MAX_REASON_CHARS).collect()
}

/// How an approver narrows what was asked for; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    pub doors: Option<Doors>,
    pub duration_s: Option<u32>,
}

/// A request that holds: the vendor's root stands behind the roster, the roster behind the engineer, the carrier's own
/// technician behind the device.
#[derive(Clone, Debug)]
pub struct Checked {
    pub request: Request,
    /// Exactly as the engineer signed it.
    pub signed: Signed,
    pub roster: Roster,
    pub statement: DeviceStatement,
    pub signers: CarrierSigners,
}

impl Checked {
    /// What was checked, for the person who decides.
    pub fn findings(&self) -> Vec<Finding> {
        let Self { request, roster, statement, .. } = self;
        let mut found = vec![
            Finding::Roster { counter: roster.head.counter, expiry: roster.head.expiry },
            Finding::Engineer {
                name: request.engineer.clone(),
                level: roster.level(request.engineer.as_str()),
                key: request.engineer_key.clone(),
            },
            Finding::Device {
                device: statement.device.clone(),
                host_key: statement.host_key_fingerprint(),
                vouched_by: statement.vouched_by.clone(),
            },
        ];
        if request.grade == Grade::Gateway {
            found.push(Finding::Gateway);
        }
        found
    }
}

/// Checks a request as the carrier's approver: against the carrier's own files, never against what the centre says.
pub fn check_request(view: &ConsentView, trust: &Trust, env: &Env, at: Timestamp) -> Result<Checked, Failure> {
    let shown = |part: &Option<Signed>, what: &str| {
        part.clone().ok_or_else(|| not_believed(format!("the centre does not show the {what} of {}: it can't be approved", view.id)))
    };
    let signed = shown(&view.request, "signed request")?;
    let roster = trust.roster(&shown(&view.roster, "roster")?, env, at)?;
    let request = Request::verify(&signed, &roster, at)?;
    let signers = trust.signers(&request.device.customer)?;
    let statement = DeviceStatement::verify(&shown(&view.device_statement, "device statement")?, signers.list(), at)?;
    trust.check_newest(&statement, env)?;
    let checks = [
        (request.id == view.id, "the centre shows another request than the one that was asked for"),
        (request.device == statement.device, "the request names another device than the statement beside it"),
        (request.host_key == statement.host_key_fingerprint(), "the request names another host key than the device has"),
        (request.fault.customer == request.device.customer, "the request's fault and device belong to different customers"),
    ];
    match checks.into_iter().find(|(holds, _)| !holds) {
        Some((_, why)) => Err(not_believed(why).hint("do not approve it; tell the support centre")),
        None => Ok(Checked { request, signed, roster, statement, signers }),
    }
}

/// Under which name a key may sign for `namespace`, by itself or by its certificate; the person's own name first, where they are
/// listed. An expired list still names those who may replace it.
pub fn principal(
    signers: &CarrierSigners,
    signer: &Signer,
    namespace: Namespace,
    own: Option<&PersonName>,
    at: Timestamp,
) -> Result<PersonName, Failure> {
    let by_key = signers.list().keys_for(namespace).filter(|line| line.key.key_data() == signer.public.key_data());
    let names = |principals: &[String]| principals.iter().filter_map(|name| name.parse().ok()).collect::<Vec<PersonName>>();
    let mut listed: Vec<PersonName> = by_key.flat_map(|line| names(&line.principals)).collect();
    if let Some(certificate) = &signer.certificate {
        let by_authority = signers.list().lines.iter().filter(|line| {
            let for_this = line.namespaces.iter().any(|n| n == namespace.as_str());
            line.cert_authority && for_this && line.key.key_data() == certificate.signature_key()
        });
        let certified = by_authority.flat_map(|line| names(&line.principals));
        listed.extend(certified.filter(|name| certificate.valid_principals().iter().any(|p| p == name.as_str())));
    }
    let name = own.filter(|own| listed.contains(own)).or(listed.first()).cloned().ok_or_else(|| {
        not_believed(format!("the key {} ({}) is not in your signer list for {namespace}", signer.path.display(), signer.fingerprint()))
            .hint("name the right key (or its certificate) with --key, or the right list with --signers")
    })?;
    if namespace != Namespace::Signers {
        signers.list().check_expiry(at)?;
    }
    match signers.list().authorise("consent", name.as_str(), &signer.public, namespace, at) {
        Ok(_) => Ok(name),
        Err(refused) => check_certificate(signer, refused, at).map(|()| name),
    }
}

/// The key itself does not count: does its certificate, at this time? (Whether it was made by the authority that it names shows
/// when something is signed with it, before anything leaves this machine.)
fn check_certificate(signer: &Signer, refused: Refused, at: Timestamp) -> Result<(), Failure> {
    let certificate = signer.certificate.as_ref().ok_or(refused)?;
    let seconds = u64::try_from(at.as_second()).unwrap_or(0);
    if (certificate.valid_after()..certificate.valid_before()).contains(&seconds) {
        return Ok(());
    }
    Err(not_believed(format!("the certificate of {} is not valid now", signer.path.display()))
        .hint("get a new one from your authority; is this machine's clock right?"))
}

/// Signs in the form that the list takes: as the key itself where it is listed, else under its certificate. What the list would not
/// believe is not handed out.
pub fn sign_for(
    signers: &CarrierSigners,
    signer: &Signer,
    name: &PersonName,
    namespace: Namespace,
    text: String,
    at: Timestamp,
) -> Result<Signed, Failure> {
    let plain = signers.list().authorise("text", name.as_str(), &signer.public, namespace, at).is_ok();
    let signed = if plain { signer.sign(namespace, text)? } else { signer.sign_certified(namespace, text)? };
    signers.list().verify("text", &signed, name.as_str(), namespace, at)?;
    Ok(signed)
}

/// The text of a consent: what will be shown and signed. Doors and time may only get narrower.
pub fn write_consent(checked: &Checked, approver: &PersonName, narrow: &Narrow, at: Timestamp) -> Result<String, Failure> {
    let Checked { request, signed, roster, .. } = checked;
    let consent = Consent {
        id: request.id,
        request_sha256: sha256_hex(&signed.text),
        approver: approver.clone(),
        doors: narrow.doors.clone().unwrap_or_else(|| request.doors.clone()),
        duration_s: narrow.duration_s.unwrap_or(request.duration_s),
        roster: roster.head.counter,
        issued: at,
    };
    // The only thing that can be wrong here is what the approver asked for.
    consent.check_fits(request, &signed.text).map_err(|refused| {
        let asked = span(u64::from(request.duration_s));
        Failure::usage(refused.to_string()).hint(format!("{} for {asked} was asked for: a consent may only narrow that", request.doors))
    })?;
    consent.write().map_err(|e| Failure::failed(format!("the consent can't be written: {e}")))
}

#[cfg(test)]
mod tests {
    use lineman_common::statement::KeyClass;

    use super::*;
    use crate::testing::{World, ask};

    fn trusts(world: &World) -> (Trust, Trust) {
        let open = |folder: &std::path::Path| Trust::open(folder, None, None).unwrap();
        (open(&world.vendor_trust()), open(&world.carrier_trust()))
    }

    fn request(world: &World) -> Result<Signed, Failure> {
        let (vendor, _) = trusts(world);
        let believed = vendor.bundle(&world.bundle(), &world.customer, &world.env(), now())?;
        let signer = Signer::open(Some(&world.engineer_key_file()), &world.env())?;
        sign_request(&world.challenge(), &believed, &signer, &ask(), now())
    }

    fn approve(world: &World, view: &ConsentView) -> Result<Signed, Failure> {
        let (_, carrier) = trusts(world);
        let checked = check_request(view, &carrier, &world.env(), now())?;
        let signer = Signer::open(Some(&world.approver_key_file()), &world.env())?;
        let approver = principal(&checked.signers, &signer, Namespace::Consent, None, now())?;
        let text = write_consent(&checked, &approver, &Narrow::default(), now())?;
        Ok(signer.sign(Namespace::Consent, text)?)
    }

    #[test]
    fn a_request_is_signed_checked_and_approved() {
        let world = World::new();
        let view = world.view(request(&world).unwrap());
        let consent = approve(&world, &view).unwrap();
        let (_, carrier) = trusts(&world);
        let checked = check_request(&view, &carrier, &world.env(), now()).unwrap();
        let (verified, class) = Consent::verify(&consent, &checked.request, &checked.signed.text, &checked.signers, now()).unwrap();
        assert_eq!((verified.approver.as_str(), verified.roster, class), ("approver-jw", 7, KeyClass::Own));
    }

    #[test]
    fn a_consent_may_only_narrow() {
        let world = World::new();
        let (_, carrier) = trusts(&world);
        let checked = check_request(&world.view(request(&world).unwrap()), &carrier, &world.env(), now()).unwrap();
        let approver = "approver-jw".parse().unwrap();
        let write = |doors: Option<&str>, duration| {
            let doors = doors.map(|doors| doors.parse::<Doors>().unwrap());
            write_consent(&checked, &approver, &Narrow { doors, duration_s: duration }, now())
        };
        assert!(write(Some("shell"), Some(60)).unwrap().contains("doors: shell\nduration-s: 60\n"));
        assert_eq!(write(Some("shell,sftp-write"), None).unwrap_err().exit, Exit::Usage);
        assert_eq!(write(None, Some(7201)).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn an_exchanged_paper_is_found() {
        let (world, other) = (World::new(), World::new());
        let view = world.view(request(&world).unwrap());
        let refused = |view: &ConsentView| approve(&world, view).unwrap_err();
        // Another world's request: signed by an engineer whom this vendor's roster doesn't know.
        let foreign = request(&other).unwrap();
        assert!(refused(&ConsentView { request: Some(foreign), ..view.clone() }).what.contains("not listed"));
        // A changed letter.
        let mut changed = view.request.clone().unwrap();
        changed.text = changed.text.replace("shell", "exec");
        assert!(refused(&ConsentView { request: Some(changed), ..view.clone() }).what.contains("signature"));
        // A statement by another carrier's technician.
        let statement = other.bundle().devices.remove(0);
        assert!(refused(&ConsentView { device_statement: Some(statement), ..view.clone() }).what.contains("not listed"));
        // A good statement, but for another host key.
        let statement = world.statement_for(other.host_key.public_key());
        assert!(refused(&ConsentView { device_statement: Some(statement), ..view.clone() }).what.contains("host key"));
        // Nothing at all.
        assert!(refused(&ConsentView { roster: None, ..view.clone() }).what.contains("does not show the roster"));
        // Another id than was asked for.
        assert!(refused(&ConsentView { id: lineman_common::id::ConsentId::new(), ..view }).what.contains("another request"));
    }

    #[test]
    fn keys_that_nobody_listed_sign_nothing() {
        let world = World::new();
        let (vendor, carrier) = trusts(&world);
        let believed = vendor.bundle(&world.bundle(), &world.customer, &world.env(), now()).unwrap();
        let signer = Signer::open(Some(&world.approver_key_file()), &world.env()).unwrap();
        let failure = sign_request(&world.challenge(), &believed, &signer, &ask(), now()).unwrap_err();
        assert!(failure.hint.unwrap().contains("roster"), "the approver's key is no engineer's");
        let signer = Signer::open(Some(&world.engineer_key_file()), &world.env()).unwrap();
        let signers = carrier.signers(&world.customer).unwrap();
        assert!(principal(&signers, &signer, Namespace::Consent, None, now()).is_err(), "the engineer's key is no approver's");
    }

    #[test]
    fn a_reason_is_one_visible_line() {
        assert_eq!(one_line("  two\nlines\u{202e} "), "two lines\\u{202e}");
        assert_eq!(one_line(&"x".repeat(500)).len(), MAX_REASON_CHARS);
    }
}
