//! Lists of keys in OpenSSH's allowed_signers format: who may sign what, until when.
//!
//! Three lists rule the system: the vendor's **roster** of engineers, a customer's **anchors** (who may vouch for its
//! devices, published to engineers), and the **carrier's signers**, which live on the device and come from nobody but the
//! carrier. Their counter, issue and expiry are `#` lines, which OpenSSH skips, so each file works as it is with
//! `ssh-keygen -Y verify -f`.
//!
//! # Where this is stricter than OpenSSH
//!
//! Whatever counts here, counts with stock `ssh-keygen -Y verify` too. The other way round there are differences, all on purpose; the
//! tests in `statement/tests` hold both sides to them:
//!
//! | | OpenSSH | here |
//! |---|---|---|
//! | a line that can't be read | the other lines count | the whole list is refused |
//! | a line without `namespaces=` | signs for everything | refused |
//! | patterns (`*`, `?`, `!`) in principals or namespaces | obeyed | refused: each name is written out |
//! | a time without `Z` | the machine's own time zone | refused |
//! | the very second of `valid-before` | still valid | over |
//! | RSA and DSA keys, also as authorities | taken | refused |
//! | a FIDO signature without a touch | taken | refused |
//! | a certificate with critical options | the options are ignored | refused |
//! | `cert-authority` in a roster, certificates for `signers@lineman` | obeyed | refused |
//! | `# expiry:` of the list | a comment | counts |
//! | control or invisible characters, repeated `#` lines | taken | refused |

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};
use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Certificate, PublicKey};

use super::sig::{self, Namespace, Signatory, Signed};
use super::{Refused, sha256_hex};
use crate::name::CustomerCode;
use crate::printable::{escape, is_invisible};

/// What OpenSSH takes for space between words.
const BLANKS: [char; 2] = [' ', '\t'];

/// A roster lives at most this long, so that a withheld newer one is noticed.
pub const ROSTER_LIFE_DAYS: i64 = 35;

/// The principal that signs rosters and anchors.
pub const VENDOR_ROOT: &str = "vendor-root";

/// The `#` lines at the top of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListHead {
    pub kind: String,
    pub counter: u64,
    pub issued: Timestamp,
    pub expiry: Timestamp,
}

#[derive(Clone, Debug)]
pub struct SignerLine {
    pub principals: Vec<String>,
    pub namespaces: Vec<String>,
    pub valid_after: Option<Timestamp>,
    pub valid_before: Option<Timestamp>,
    /// A certificate authority's line: it vouches for certificates, never signs itself.
    pub cert_authority: bool,
    pub key: PublicKey,
}

impl SignerLine {
    fn is_for(&self, principal: &str, namespace: Namespace) -> bool {
        self.principals.iter().any(|p| p == principal) && self.namespaces.iter().any(|n| n == namespace.as_str())
    }

    pub(super) fn check_time(&self, principal: &str, at: Timestamp) -> Result<(), Refused> {
        let key = || sig::fingerprint(&self.key).to_string();
        let not_valid = |why| Refused::KeyNotValid { key: key(), principal: principal.to_owned(), at, why };
        if self.valid_after.is_some_and(|after| at < after) {
            return Err(not_valid("its valid-after is in the future"));
        }
        if self.valid_before.is_some_and(|before| at >= before) {
            return Err(not_valid("its valid-before has passed"));
        }
        Ok(())
    }
}

/// A parsed allowed_signers file.
#[derive(Clone, Debug)]
pub struct SignerList {
    /// What to call it in messages.
    name: &'static str,
    pub head: Option<ListHead>,
    pub lines: Vec<SignerLine>,
    /// Hash of the file's exact bytes.
    pub sha256: String,
}

impl SignerList {
    /// Reads a list. Anything not understood breaks the whole list: a half-read list could let somebody in.
    pub fn parse(name: &'static str, text: &str) -> Result<Self, Refused> {
        let broken = |line: usize, why: String| Refused::BadList { list: name, why: format!("line {line}: {why}") };
        let mut head = Vec::new();
        let mut lines = Vec::new();
        for (index, line) in text.split('\n').enumerate() {
            if let Some(c) = line.chars().find(|c| (c.is_control() && *c != '\t') || is_invisible(*c)) {
                return Err(broken(index + 1, format!("it holds the invisible character {}", escape(&c.to_string()))));
            }
            let line = line.trim_matches(BLANKS);
            if let Some(comment) = line.strip_prefix('#') {
                head.extend(comment.split_once(':').map(|(key, value)| (key.trim(), value.trim())));
            } else if !line.is_empty() {
                lines.push(signer_line(line).map_err(|why| broken(index + 1, why))?);
            }
        }
        Ok(Self { name, head: list_head(&head).map_err(|why| broken(1, why))?, lines, sha256: sha256_hex(text) })
    }

    /// Is `key` listed for `principal` to sign `namespace` at `at`?
    pub fn authorise(
        &self,
        what: &'static str,
        principal: &str,
        key: &PublicKey,
        namespace: Namespace,
        at: Timestamp,
    ) -> Result<&SignerLine, Refused> {
        let fits = |line: &&SignerLine| !line.cert_authority && line.key.key_data() == key.key_data() && line.is_for(principal, namespace);
        let line = self.lines.iter().find(fits).ok_or_else(|| Refused::NotListed {
            what,
            key: sig::fingerprint(key).to_string(),
            principal: principal.to_owned(),
            namespace,
        })?;
        line.check_time(principal, at)?;
        Ok(line)
    }

    /// Checks a signed text against this list; returns the key that signed it.
    pub fn verify(
        &self,
        what: &'static str,
        signed: &Signed,
        principal: &str,
        namespace: Namespace,
        at: Timestamp,
    ) -> Result<PublicKey, Refused> {
        self.check_expiry(at)?;
        self.verify_even_expired(what, signed, principal, namespace, at)
    }

    /// As [`Self::verify`], whether or not the list as a whole has expired: an expired list authorises nothing but its own
    /// replacement. Each line's own times still count.
    pub(super) fn verify_even_expired(
        &self,
        what: &'static str,
        signed: &Signed,
        principal: &str,
        namespace: Namespace,
        at: Timestamp,
    ) -> Result<PublicKey, Refused> {
        let Signatory { key, certificate } = signed.signatory(what, namespace)?;
        match certificate {
            None => self.authorise(what, principal, &key, namespace, at).map(drop)?,
            Some(certificate) => self.authorise_certificate(what, principal, &certificate, namespace, at)?,
        }
        Ok(key)
    }

    /// Does one of the list's authorities vouch for this certificate, for this principal, purpose and time? As OpenSSH asks it; a
    /// certificate with critical options is refused, because nothing here obeys them.
    fn authorise_certificate(
        &self,
        what: &'static str,
        principal: &str,
        certificate: &Certificate,
        namespace: Namespace,
        at: Timestamp,
    ) -> Result<(), Refused> {
        let authority = PublicKey::from(certificate.signature_key().clone());
        let refused = |why: &str| {
            let key = sig::fingerprint(&PublicKey::from(certificate.public_key().clone())).to_string();
            Refused::Certificate { key, why: why.to_owned() }
        };
        let fits =
            |line: &&SignerLine| line.cert_authority && line.key.key_data() == authority.key_data() && line.is_for(principal, namespace);
        let line = self.lines.iter().find(fits).ok_or_else(|| Refused::NotListed {
            what,
            key: format!("a certificate of {}", sig::fingerprint(&authority)),
            principal: principal.to_owned(),
            namespace,
        })?;
        sig::accepted(&authority)?;
        line.check_time(principal, at)?;
        if certificate.cert_type() != CertType::User {
            return Err(refused("it is not a user certificate"));
        }
        if !certificate.valid_principals().iter().any(|p| p == principal) {
            return Err(refused(&format!("it does not name `{principal}` among its principals")));
        }
        if certificate.critical_options().iter().next().is_some() {
            return Err(refused("it has critical options"));
        }
        let seconds = u64::try_from(at.as_second()).unwrap_or(0);
        certificate
            .validate_at(seconds, [&sig::fingerprint(&authority)])
            .map_err(|_| refused("it is not valid at this time, or not signed by its authority"))
    }

    /// An expired list authorises nothing.
    pub fn check_expiry(&self, at: Timestamp) -> Result<(), Refused> {
        match &self.head {
            Some(head) if at >= head.expiry => Err(Refused::ExpiredList { list: self.name, at: head.expiry }),
            Some(_) | None => Ok(()),
        }
    }

    /// All names that a key, with the certificate it came with, may go by in this list, for whatever purpose.
    pub fn names_of(&self, key: &PublicKey, certificate: Option<&Certificate>) -> BTreeSet<String> {
        let lists = |line: &&SignerLine| !line.cert_authority && line.key.key_data() == key.key_data();
        let own = self.lines.iter().filter(lists).flat_map(|line| &line.principals);
        let vouches = |line: &&SignerLine| line.cert_authority && certificate.is_some_and(|c| c.signature_key() == line.key.key_data());
        let vouched = self.lines.iter().filter(vouches).flat_map(|line| &line.principals);
        let named = |name: &&String| certificate.is_some_and(|c| c.valid_principals().contains(name));
        own.chain(vouched.filter(named)).cloned().collect()
    }

    /// Who made a signature, as far as this list can tell people apart.
    pub fn person(&self, signatory: &Signatory) -> Person {
        Person { names: self.names_of(&signatory.key, signatory.certificate.as_deref()), key: signatory.key.clone() }
    }

    pub fn keys_for(&self, namespace: Namespace) -> impl Iterator<Item = &SignerLine> {
        self.lines.iter().filter(move |line| !line.cert_authority && line.namespaces.iter().any(|n| n == namespace.as_str()))
    }
}

/// Somebody who signs: a key, and every name that a list gives it.
#[derive(Clone, Debug)]
pub struct Person {
    pub(super) key: PublicKey,
    pub(super) names: BTreeSet<String>,
}

impl Person {
    /// Surely not the same person: neither one key nor any name in common. One person with two keys is one person, whichever of their
    /// names they sign under; two people with one key are nobody knows who.
    pub fn is_other_than(&self, other: &Self) -> bool {
        self.key.key_data() != other.key.key_data() && self.names.is_disjoint(&other.names)
    }
}

/// Positions of people who are each surely other than all the rest. Finds two whenever there are two; where more are asked for, it
/// may find fewer than there are, never more.
pub fn different_people(people: &[Person]) -> Vec<usize> {
    let mut most: Vec<usize> = Vec::new();
    for first in 0..people.len() {
        let mut chosen = vec![first];
        for (index, person) in people.iter().enumerate() {
            if chosen.iter().all(|other| person.is_other_than(&people[*other])) {
                chosen.push(index);
            }
        }
        if chosen.len() > most.len() {
            most = chosen;
        }
    }
    most.sort_unstable();
    most
}

fn list_head(pairs: &[(&str, &str)]) -> Result<Option<ListHead>, String> {
    let get = |key: &str| {
        let mut found = pairs.iter().filter(|(k, _)| *k == key).map(|(_, value)| *value);
        let first = found.next();
        if found.next().is_some() { Err(format!("`# {key}:` is there twice")) } else { Ok(first) }
    };
    let Some(kind) = get("lineman-list")? else { return Ok(None) };
    let need = |key: &str| get(key)?.ok_or_else(|| format!("`# {key}: ...` is missing"));
    let time = |key: &str| need(key)?.parse::<Timestamp>().map_err(|e| format!("`# {key}:` is not a time like 2026-11-22T00:00:00Z ({e})"));
    let counter = need("counter")?.parse().map_err(|_| "`# counter:` is not a number".to_owned())?;
    Ok(Some(ListHead { kind: kind.to_owned(), counter, issued: time("issued")?, expiry: time("expiry")? }))
}

/// `principals [options] keytype base64 [comment]`
fn signer_line(line: &str) -> Result<SignerLine, String> {
    let (principals, rest) = line.split_once(BLANKS).ok_or("expected `principal options key`")?;
    let (options, key) = split_options(rest.trim_start_matches(BLANKS))?;
    if principals.contains(['*', '?', '!', '"', '\\']) {
        return Err("patterns in principals are not accepted: name each signer".into());
    }
    let key = PublicKey::from_openssh(key).map_err(|e| format!("the key can't be read ({e})"))?;
    if matches!(key.key_data(), KeyData::Certificate(_)) {
        return Err("a certificate stands where a key is expected: name its authority, with `cert-authority`".into());
    }
    sig::accepted(&key).map_err(|e| e.to_string())?;
    let get = |name: &str| {
        let mut found = options.iter().filter(|option| option.name == name);
        let first = found.next();
        if found.next().is_some() { Err(format!("option `{name}` is there twice")) } else { Ok(first) }
    };
    if let Some(Opt { name, .. }) = options.iter().find(|option| !OPTIONS.contains(&(option.name, option.value.is_some()))) {
        return Err(format!("option `{}` is not known", escape(name)));
    }
    let value = |name: &str| Ok::<_, String>(get(name)?.and_then(|option| option.value));
    let namespaces = value("namespaces")?.ok_or("`namespaces=\"...\"` is missing: a key without a purpose would sign for every purpose")?;
    if namespaces.contains(['*', '?', '!']) || namespaces.split(',').any(str::is_empty) {
        return Err("patterns in namespaces are not accepted: name each purpose".into());
    }
    Ok(SignerLine {
        principals: principals.split(',').map(str::to_owned).collect(),
        namespaces: namespaces.split(',').map(str::to_owned).collect(),
        valid_after: value("valid-after")?.map(openssh_time).transpose()?,
        valid_before: value("valid-before")?.map(openssh_time).transpose()?,
        cert_authority: get("cert-authority")?.is_some(),
        key,
    })
}

/// The options that are known, and whether they have a value.
const OPTIONS: [(&str, bool); 4] = [("namespaces", true), ("valid-after", true), ("valid-before", true), ("cert-authority", false)];

struct Opt<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

/// Splits `a="x,y",b KEY` into its options and the key. As in OpenSSH, values stand in quotes.
fn split_options(text: &str) -> Result<(Vec<Opt<'_>>, &str), String> {
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
        return Ok((Vec::new(), text));
    }
    let (mut options, mut rest) = (Vec::new(), text);
    loop {
        let end = rest.find(['=', ',', ' ', '\t']).ok_or("the key is missing")?;
        let name = &rest[..end];
        let unquoted = || format!("the value of option `{}` must stand in quotes, and hold none", escape(name));
        let (value, after) = match rest[end..].strip_prefix('=') {
            None => (None, &rest[end..]),
            Some(quoted) => {
                let (value, after) = quoted.strip_prefix('"').and_then(|open| open.split_once('"')).ok_or_else(unquoted)?;
                if value.contains('\\') || !after.starts_with([',', ' ', '\t']) {
                    return Err(unquoted());
                }
                (Some(value), after)
            }
        };
        options.push(Opt { name, value });
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return Ok((options, after.trim_start_matches(BLANKS))),
        }
    }
}

/// OpenSSH's `YYYYMMDD[HHMM[SS]]Z`. The `Z` is required: without it the time would mean another thing on every machine.
fn openssh_time(text: &str) -> Result<Timestamp, String> {
    let wrong = || format!("`{}` is not a time like 20270101Z or 202701011200Z", escape(text));
    let digits = text.strip_suffix('Z').filter(|d| d.bytes().all(|b| b.is_ascii_digit())).ok_or_else(wrong)?;
    let padded = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        14 => digits.to_owned(),
        _ => return Err(wrong()),
    };
    // OpenSSH has no times before its epoch, and counts a 61st second as the next minute's first.
    if padded[..4] < *"1970" || padded[12..] > *"59" {
        return Err(wrong());
    }
    let iso = format!("{}-{}-{}T{}:{}:{}Z", &padded[..4], &padded[4..6], &padded[6..8], &padded[8..10], &padded[10..12], &padded[12..]);
    iso.parse().map_err(|_| wrong())
}

/// Verifies a list that the vendor root signed.
fn vendor_list(
    name: &'static str,
    kind: &str,
    signed: &Signed,
    namespace: Namespace,
    vendor_root: &SignerList,
    at: Timestamp,
) -> Result<(SignerList, ListHead), Refused> {
    vendor_root.verify(name, signed, VENDOR_ROOT, namespace, at)?;
    let list = SignerList::parse(name, &signed.text)?;
    let head = list.head.clone().ok_or(Refused::BadList { list: name, why: "`# lineman-list:` is missing".into() })?;
    if head.kind != kind {
        let why = format!("it is a `{}`, not a `{kind}`", escape(&head.kind));
        return Err(Refused::BadList { list: name, why });
    }
    Ok((list, head))
}

/// The vendor's engineers and gateways: a verified list.
#[derive(Clone, Debug)]
pub struct Roster {
    list: SignerList,
    pub head: ListHead,
    /// As published.
    pub signed: Signed,
}

impl Roster {
    /// Verifies a roster under the pinned vendor root. Whether it has expired is asked when it is used, so that an old
    /// roster can still be read and replaced.
    pub fn verify(signed: &Signed, vendor_root: &SignerList, at: Timestamp) -> Result<Self, Refused> {
        let (list, head) = vendor_list("roster", "roster", signed, Namespace::Roster, vendor_root, at)?;
        let bad = |why: String| Refused::BadList { list: "roster", why };
        let longest = head.issued.checked_add((24 * ROSTER_LIFE_DAYS).hours());
        let longest = longest.map_err(|_| bad(format!("`# issued: {}` is not a time that anything is issued at", head.issued)))?;
        if head.expiry > longest {
            return Err(bad(format!("it may live {ROSTER_LIFE_DAYS} days at most")));
        }
        // Who an engineer is, and of which level, is a line of the list; a certificate has neither.
        if list.lines.iter().any(|line| line.cert_authority) {
            return Err(bad("it names keys, not authorities: `cert-authority` is for the carrier's signers".into()));
        }
        Ok(Self { list, head, signed: signed.clone() })
    }

    /// A roster is only replaced by one with a higher counter.
    pub fn check_newer_than(&self, known: u64) -> Result<(), Refused> {
        if self.head.counter < known {
            return Err(Refused::OlderList { list: "roster", found: self.head.counter, known });
        }
        Ok(())
    }

    pub fn list(&self) -> &SignerList {
        &self.list
    }

    /// The engineer's level: the `level-N` among the principals of their line; of several lines the lowest, whichever key signed.
    pub fn level(&self, engineer: &str) -> Option<u8> {
        if is_level(engineer) {
            return None;
        }
        let lines = self.list.keys_for(Namespace::Request).filter(|line| line.principals.iter().any(|p| p == engineer));
        let levels = lines.map(|line| line.principals.iter().find_map(|p| p.strip_prefix(LEVEL)?.parse().ok()));
        levels.collect::<Option<Vec<u8>>>()?.into_iter().min()
    }

    /// The engineer to whom a key belongs.
    pub fn engineer_of(&self, key: &PublicKey) -> Option<&str> {
        let line = self.list.keys_for(Namespace::Request).find(|line| line.key.key_data() == key.key_data())?;
        line.principals.iter().find(|p| !is_level(p)).map(String::as_str)
    }

    pub fn gateway_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.list.keys_for(Namespace::Gateway).map(|line| &line.key)
    }
}

const LEVEL: &str = "level-";

/// Is this principal a level, and not a person's name?
pub fn is_level(principal: &str) -> bool {
    principal.strip_prefix(LEVEL).is_some_and(|rest| rest.parse::<u8>().is_ok())
}

/// Who may vouch for a customer's devices: what an engineer's machine believes.
#[derive(Clone, Debug)]
pub struct Anchors(SignerList);

impl Anchors {
    pub fn verify(signed: &Signed, customer: &CustomerCode, vendor_root: &SignerList, at: Timestamp) -> Result<Self, Refused> {
        vendor_list("anchors", &format!("anchors {customer}"), signed, Namespace::Anchors, vendor_root, at).map(|(list, _)| Self(list))
    }

    pub fn list(&self) -> &SignerList {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::{Algorithm, PrivateKey};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn parse(text: &str) -> Result<SignerList, Refused> {
        SignerList::parse("test list", text)
    }

    #[test]
    fn a_line_is_read_with_its_options() {
        let list = parse(&format!("a,level-2 namespaces=\"request@lineman,x\",valid-before=\"20270101Z\" {KEY} comment\n")).unwrap();
        let line = &list.lines[0];
        assert_eq!(line.principals, ["a", "level-2"]);
        assert!(is_level("level-2") && !is_level("level-headed") && !is_level("a"));
        assert_eq!(line.namespaces, ["request@lineman", "x"]);
        assert_eq!(line.valid_before.unwrap().to_string(), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn a_key_counts_for_its_principal_purpose_and_time_only() {
        let list = parse(&format!("a namespaces=\"request@lineman\",valid-before=\"20270101Z\" {KEY}\n")).unwrap();
        let key = PublicKey::from_openssh(KEY).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let ask = |principal, namespace, time| list.authorise("thing", principal, &key, namespace, at(time)).is_ok();
        assert!(ask("a", Namespace::Request, "2026-12-31T23:59:59Z"));
        assert!(!ask("a", Namespace::Request, "2027-01-01T00:00:00Z"));
        assert!(!ask("b", Namespace::Request, "2026-01-01T00:00:00Z"));
        assert!(!ask("a", Namespace::Consent, "2026-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_not_understood_breaks_the_list() {
        for text in [
            "a\n".to_owned(),
            format!("a {KEY}\n"),
            format!("* namespaces=\"request@lineman\" {KEY}\n"),
            format!("a namespaces=\"request@lineman\",level=2 {KEY}\n"),
            format!("a namespaces=\"request@lineman\",valid-before=\"20270101\" {KEY}\n"),
            "a namespaces=\"request@lineman\" ssh-ed25519 AAAA\n".to_owned(),
            format!("# lineman-list: roster\n# counter: x\na namespaces=\"r\" {KEY}\n"),
        ] {
            assert!(parse(&text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_roster_of_an_absurd_time_is_refused() {
        let root = PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap();
        let text = "# lineman-list: roster\n# counter: 1\n# issued: 9999-12-30T00:00:00Z\n# expiry: 9999-12-30T20:00:00Z\n";
        let signed = Signed::sign(&root, Namespace::Roster, text.to_owned()).unwrap();
        let pinned = parse(&format!("vendor-root namespaces=\"roster@lineman\" {}\n", root.public_key().to_openssh().unwrap())).unwrap();
        let error = Roster::verify(&signed, &pinned, "2026-11-22T00:00:00Z".parse().unwrap()).unwrap_err().to_string();
        assert!(error.contains("is not a time that anything is issued at"), "{error}");
    }

    #[test]
    fn a_key_goes_by_all_its_names_and_those_that_its_certificate_has_in_common_with_the_authority() {
        let random = || PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap();
        let (authority, other, holder) = (random(), random(), random());
        let line = |key: &PrivateKey| key.public_key().to_openssh().unwrap();
        let list = parse(&format!(
            "a,b cert-authority,namespaces=\"consent@lineman\" {0}\nc cert-authority,namespaces=\"device@lineman\" {0}\n\
             d cert-authority,namespaces=\"consent@lineman\" {1}\ne namespaces=\"standing@lineman\" {2}\n",
            line(&authority),
            line(&other),
            line(&holder)
        ))
        .unwrap();
        let mut builder =
            ssh_key::certificate::Builder::new(vec![7; 16], holder.public_key().key_data().clone(), 0, u64::MAX >> 1).unwrap();
        for name in ["b", "c", "d", "x"] {
            builder.valid_principal(name).unwrap();
        }
        let certificate = builder.sign(&authority).unwrap();
        let names = |certificate| list.names_of(holder.public_key(), certificate).into_iter().collect::<Vec<_>>();
        assert_eq!(names(Some(&certificate)), ["b", "c", "e"]);
        assert_eq!(names(None), ["e"]);
        assert_eq!(list.names_of(authority.public_key(), None).len(), 0, "an authority signs nothing itself");
    }

    #[test]
    fn an_rsa_key_is_refused_in_words() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDB5YJ8GQ3jA4s2p8JqS1Y4x0f2fXb8sV5m9s0Qp0V1QnJQ1yYl3uJ8v8v3Yl8v";
        assert!(parse(&format!("a namespaces=\"request@lineman\" {rsa}\n")).is_err());
    }
}
