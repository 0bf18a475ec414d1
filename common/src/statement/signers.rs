//! The carrier's own signer list, and how one takes another's place.

use jiff::Timestamp;

use super::Refused;
use super::list::{Person, SignerLine, SignerList, different_people};
use super::sig::{self, Namespace, Signed};
use crate::name::CustomerCode;
use crate::printable::escape;

/// The carrier's own signers, as pinned on the device and on the approver's machine.
#[derive(Clone, Debug)]
pub struct CarrierSigners(SignerList);

impl CarrierSigners {
    pub fn parse(text: &str, customer: &CustomerCode) -> Result<Self, Refused> {
        let list = SignerList::parse("signer list", text)?;
        let kind = format!("signers {customer}");
        match &list.head {
            Some(head) if head.kind == kind => Ok(Self(list)),
            Some(head) => {
                Err(Refused::BadList { list: "signer list", why: format!("it is for `{}`, not for `{kind}`", escape(&head.kind)) })
            }
            None => Err(Refused::BadList { list: "signer list", why: format!("its first line must be `# lineman-list: {kind}`") }),
        }
    }

    pub fn list(&self) -> &SignerList {
        &self.0
    }

    pub fn counter(&self) -> u64 {
        self.0.head.as_ref().map_or(0, |head| head.counter)
    }

    /// How many people with keys and names of their own may sign a list in this one's place, as far as two.
    fn who_can_replace(&self, at: Timestamp) -> usize {
        let lines = self.0.keys_for(Namespace::Signers).filter(|line| line.check_time("", at).is_ok());
        let person = |line: &SignerLine| Person { key: line.key.clone(), names: self.0.names_of(&line.key, None) };
        different_people(&lines.map(person).collect::<Vec<_>>()).len()
    }

    /// The list that takes this one's place: signed by this one's own `signers@lineman` keys, by as many different people
    /// and keys as `needed`, with a higher counter, and able to be replaced in its turn. `signed` holds the same text with one signature
    /// each. An expired list can still be replaced this way.
    pub fn replaced_by(&self, signed: &[Signed], customer: &CustomerCode, needed: u8, at: Timestamp) -> Result<Self, Refused> {
        let bad = |why: String| Refused::BadList { list: "signer list", why };
        let first = signed.first().ok_or_else(|| bad("nobody signed it".into()))?;
        if signed.iter().any(|other| other.text != first.text) {
            return Err(bad("its signatures are over different texts".into()));
        }
        let next = Self::parse(&first.text, customer)?;
        if next.counter() <= self.counter() {
            return Err(Refused::OlderList { list: "signer list", found: next.counter(), known: self.counter() });
        }
        next.0.check_expiry(at)?;
        let able = next.who_can_replace(at);
        if able < usize::from(needed.max(1)) {
            let purpose = Namespace::Signers;
            return Err(bad(format!("{able} people in it may sign for `{purpose}`, and {needed} must: it could never be changed again")));
        }
        let mut people = Vec::new();
        for signed in signed {
            let signatory = signed.signatory("signer list", Namespace::Signers)?;
            let key = &signatory.key;
            let owners = self.0.lines.iter().filter(|line| !line.cert_authority && line.key.key_data() == key.key_data());
            let listed = owners
                .flat_map(|line| &line.principals)
                .any(|name| self.0.verify_even_expired("signer list", signed, name, Namespace::Signers, at).is_ok());
            if !listed {
                return Err(Refused::NotListed {
                    what: "signer list",
                    key: sig::fingerprint(key).to_string(),
                    principal: "any".into(),
                    namespace: Namespace::Signers,
                });
            }
            people.push(self.0.person(&signatory));
        }
        let have = different_people(&people).len();
        if have < usize::from(needed) {
            return Err(bad(format!(
                "{have} of {needed} people signed it: two signatures must be by different keys with no name in common in the list"
            )));
        }
        Ok(next)
    }
}
