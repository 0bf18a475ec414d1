//! Standing statements: the terms that a carrier's people agree to, and each one's signed text over them.

use jiff::Timestamp;
use lineman_common::id::ConsentId;
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::session::Doors;
use lineman_common::statement::standing::{Devices, ForFault};
use lineman_common::statement::{CarrierSigners, Namespace, Roster, Signed, Standing};

use super::{now, principal, sign_for};
use crate::client::Client;
use crate::context::Env;
use crate::exit::{Exit, Failure};
use crate::keys::Signer;
use crate::trust::Trust;

/// What is allowed without being asked each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub id: ConsentId,
    pub customer: CustomerCode,
    pub devices: Devices,
    pub fault: ForFault,
    pub level: u8,
    pub doors: Doors,
    pub account: String,
    /// Of each entry, at most.
    pub duration_s: u32,
    pub valid_before: Timestamp,
}

impl From<&Standing> for Terms {
    fn from(standing: &Standing) -> Self {
        let Standing { id, customer, devices, fault, level, doors, account, duration_s, valid_before, .. } = standing.clone();
        Self { id, customer, devices, fault, level, doors, account, duration_s, valid_before }
    }
}

/// One person of the carrier, about to sign: their lists, verified on this machine.
pub struct Grantor {
    pub signer: Signer,
    pub signers: CarrierSigners,
    pub roster: Roster,
    name: PersonName,
}

impl Grantor {
    /// Checks that this key may sign standing statements, and that the roster is the vendor's: levels mean what it says.
    pub async fn new(client: &Client, trust: &Trust, signer: Signer, customer: &CustomerCode, env: &Env) -> Result<Self, Failure> {
        let person = client.whoami().await?;
        let signers = trust.signers(customer)?;
        let name = principal(&signers, &signer, Namespace::Standing, Some(&person.name), now())?;
        let roster = trust.roster(&client.trust(customer.as_str()).await?.roster, env, now())?;
        Ok(Self { signer, signers, roster, name })
    }

    /// The text that will be signed.
    pub fn write(&self, terms: &Terms) -> Result<String, Failure> {
        let Terms { id, customer, devices, fault, level, doors, account, duration_s, valid_before } = terms.clone();
        let at = now();
        if valid_before <= at {
            return Err(Failure::usage(format!("it would have ended at {valid_before} already")).hint("--until a later time"));
        }
        if let Devices::Named(names) = &devices
            && let Some(other) = names.iter().find(|name| name.customer != customer)
        {
            return Err(Failure::usage(format!("{other} is not a device of {customer}")));
        }
        let standing = Standing {
            id,
            customer,
            devices,
            fault,
            level,
            doors,
            account,
            duration_s,
            roster: self.roster.head.counter,
            approver: self.name.clone(),
            issued: at,
            valid_before,
        };
        standing.write().map_err(|e| Failure::usage(format!("the statement can't be written: {e}")))
    }

    /// Signs exactly this text; the signature is checked as a device will check it.
    pub fn sign(&self, text: String) -> Result<Signed, Failure> {
        let signed = sign_for(&self.signers, &self.signer, &self.name, Namespace::Standing, text, now())?;
        Standing::verify(&signed, &self.signers, now())?;
        Ok(signed)
    }

    /// Reads what somebody else signed, for adding a signature to the same terms.
    pub fn join(&self, signed: &Signed) -> Result<Terms, Failure> {
        let standing = Standing::verify(signed, &self.signers, now())?;
        let key = signed.signing_key("standing statement", Namespace::Standing)?;
        if standing.approver == self.name || key.key_data() == self.signer.public.key_data() {
            return Err(Failure::new(Exit::Conflict, format!("{} has signed it already", standing.approver))
                .hint("another person signs it, with a key of their own"));
        }
        Ok(Terms::from(&standing))
    }
}
