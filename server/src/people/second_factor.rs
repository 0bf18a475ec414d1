//! The second factor: one-time passwords by time (RFC 6238: SHA-1, six digits, 30 seconds), as every authenticator makes them.
//!
//! A secret counts once a code of it was shown; until then signing in asks for none. Codes of the step before and after are taken, for
//! clocks that are not quite right, and none is taken twice. Recovery codes let their owner in once each.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{Person, RecoveryCodes, SecondFactorSecret};
use lineman_common::name::PersonName;
use lineman_common::statement::sha256_hex;
use serde_json::json;
use sha1::Sha1;

use super::{Error, checked_reason, find, known, sql, tell};
use crate::events::{Kind, New};
use crate::store::Tx;
use crate::web::{Actor, Scope};

const STEP_S: i64 = 30;
const DIGITS: usize = 6;
/// Steps to either side whose codes are taken.
const SLACK: i64 = 1;
/// As long as the hash, which RFC 4226 asks for.
const SECRET_BYTES: usize = 20;
const RECOVERY_CODES: usize = 10;

/// A new secret for oneself. One that counts already has to be taken away first, so that a stolen session changes nothing.
pub fn begin(tx: &mut Tx<'_>, actor: &Actor) -> Result<SecondFactorSecret, Error> {
    if sql::second_factor(tx, actor.id)?.is_some_and(|factor| factor.is_confirmed) {
        return Err(Error::HasSecondFactor);
    }
    let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    // The version and variant bits of the two take six of each: 244 random bits of 256, of which 160 are used.
    let bytes: Vec<u8> = sha2_of(&[one.as_bytes().as_slice(), other.as_bytes()].concat()).into_iter().take(SECRET_BYTES).collect();
    let secret = BASE32_NOPAD.encode(&bytes);
    sql::put_second_factor(tx, actor.id, &secret)?;
    let uri =
        format!("otpauth://totp/Lineman:{}?secret={secret}&issuer=Lineman&algorithm=SHA1&digits={DIGITS}&period={STEP_S}", actor.name);
    Ok(SecondFactorSecret { secret, uri })
}

fn sha2_of(bytes: &[u8]) -> Vec<u8> {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).to_vec()
}

/// From now on signing in asks for a code. The answer holds the recovery codes.
pub fn confirm(tx: &mut Tx<'_>, actor: &Actor, code: &str) -> Result<RecoveryCodes, Error> {
    let factor = sql::second_factor(tx, actor.id)?.ok_or(Error::NoSecondFactor)?;
    if factor.is_confirmed {
        return Err(Error::HasSecondFactor);
    }
    let step = step_of(&factor.secret, code, tx.now(), factor.last_step).ok_or(Error::WrongCode)?;
    sql::take_step(tx, actor.id, step)?;
    let codes: Vec<String> = std::iter::repeat_with(new_recovery_code).take(RECOVERY_CODES).collect();
    let hashes: Vec<String> = codes.iter().map(|code| sha256_hex(plain(code))).collect();
    sql::put_recovery_codes(tx, actor.id, &hashes)?;
    let person = known(tx, &actor.name)?;
    let event = New::of(Kind::SecondFactorSet, actor, format!("{} signs in with a second factor", actor.name));
    tell(tx, &person, event.data(json!({"person": actor.name})))?;
    Ok(RecoveryCodes { codes })
}

/// Takes one's own away, with a code.
pub fn give_up(tx: &mut Tx<'_>, actor: &Actor, code: &str) -> Result<(), Error> {
    check(tx, actor, Some(code))?;
    remove(tx, actor, &known(tx, &actor.name)?, "given up")
}

/// Takes another's away (admin): they lost their device and their codes.
pub fn take_away(tx: &mut Tx<'_>, actor: &Actor, name: &PersonName, reason: &Printable) -> Result<Person, Error> {
    checked_reason(reason)?;
    let person = known(tx, name)?;
    if person.id == actor.id {
        return Err(Error::Oneself);
    }
    remove(tx, actor, &person, reason.raw())?;
    find(tx, &Scope::All, name)?.ok_or(Error::NoPerson)
}

fn remove(tx: &mut Tx<'_>, actor: &Actor, person: &Person, why: &str) -> Result<(), Error> {
    if !sql::delete_second_factor(tx, person.id)? {
        return Err(Error::NoSecondFactor);
    }
    let event = New::of(Kind::SecondFactorRemoved, actor, format!("second factor of {} removed: {why}", person.name));
    tell(tx, person, event.data(json!({"person": person.name, "reason": why})))
}

/// At sign-in: takes the code, or says that one is needed. Who has no second factor needs none.
pub fn check(tx: &mut Tx<'_>, person: &Actor, code: Option<&str>) -> Result<(), Error> {
    let Some(factor) = sql::second_factor(tx, person.id)?.filter(|factor| factor.is_confirmed) else { return Ok(()) };
    let code = code.map(str::trim).filter(|code| !code.is_empty()).ok_or(Error::NeedsCode)?;
    if let Some(step) = step_of(&factor.secret, code, tx.now(), factor.last_step) {
        return Ok(sql::take_step(tx, person.id, step)?);
    }
    if sql::take_recovery_code(tx, person.id, &sha256_hex(plain(code)))? { Ok(()) } else { Err(Error::WrongCode) }
}

/// The step whose code this is, if it may be taken.
fn step_of(secret: &str, code: &str, now: Timestamp, last_step: i64) -> Option<i64> {
    let typed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let key = BASE32_NOPAD.decode(secret.as_bytes()).ok()?;
    let current = now.as_second().div_euclid(STEP_S);
    let fits = |step: &i64| *step > last_step && code_of(&key, step.unsigned_abs()).is_some_and(|code| code == typed);
    (current - SLACK..=current + SLACK).find(fits)
}

/// HOTP's truncation (RFC 4226, 5.3).
fn code_of(key: &[u8], step: u64) -> Option<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).ok()?;
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let offset = usize::from(hash.last()? & 0xf);
    let word: [u8; 4] = hash.get(offset..offset + 4)?.try_into().ok()?;
    Some(format!("{:0DIGITS$}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000))
}

/// `xxxx-xxxx-xxxx`: 60 random bits, in letters and digits that are not mistaken for each other.
pub fn new_recovery_code() -> String {
    let text = BASE32_NOPAD.encode(&sha2_of(uuid::Uuid::new_v4().as_bytes())).to_ascii_lowercase();
    [&text[..4], &text[4..8], &text[8..12]].join("-")
}

/// As it is hashed, however it was typed.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::{self, by_token, sign_in};
    use crate::store::testing::TestStore;
    use jiff::SignedDuration;
    use lineman_common::api::NewPerson;
    use lineman_common::people::Role;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, of whose eight digits the last six are these.
        let key = b"12345678901234567890";
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924")] {
            assert_eq!(code_of(key, seconds / 30).as_deref(), Some(code));
        }
    }

    fn person() -> (TestStore, Actor) {
        let mut store = TestStore::new();
        let name: PersonName = "engineer-a".parse().unwrap();
        let new = NewPerson { name: name.clone(), role: Role::Engineer, customer: None, password: None };
        let person = store.write(|tx| people::add(tx, "admin-z", new, Some("hash".into())).unwrap());
        (store, Actor { id: person.id, name, role: Role::Engineer, customer: None })
    }

    fn code_at(secret: &str, at: Timestamp) -> String {
        code_of(&BASE32_NOPAD.decode(secret.as_bytes()).unwrap(), at.as_second().div_euclid(30).unsigned_abs()).unwrap()
    }

    #[test]
    fn a_secret_counts_once_it_was_shown_and_each_code_once() {
        let (mut store, actor) = person();
        let secret = store.write(|tx| begin(tx, &actor).unwrap()).secret;
        assert!(store.write(|tx| sign_in(tx, &actor.name, None)).is_ok(), "not confirmed: nobody is locked out");
        assert!(matches!(store.write(|tx| confirm(tx, &actor, "000000x")), Err(Error::WrongCode)));
        let code = code_at(&secret, store.now);
        let recovery = store.write(|tx| confirm(tx, &actor, &code).unwrap()).codes;
        assert_eq!(recovery.len(), RECOVERY_CODES);
        assert!(matches!(store.write(|tx| sign_in(tx, &actor.name, None)), Err(Error::NeedsCode)));
        assert!(matches!(store.write(|tx| sign_in(tx, &actor.name, Some(&code))), Err(Error::WrongCode)), "taken before");
        store.now += SignedDuration::from_secs(60);
        let late = code_at(&secret, store.now - SignedDuration::from_secs(30));
        let token = store.write(|tx| sign_in(tx, &actor.name, Some(&format!(" {} {} ", &late[..3], &late[3..]))).unwrap()).token;
        assert!(store.read(|db| by_token(db, &token)).unwrap().is_some());
        let too_old = code_at(&secret, store.now - SignedDuration::from_secs(90));
        assert!(matches!(store.write(|tx| sign_in(tx, &actor.name, Some(&too_old))), Err(Error::WrongCode)));
        // A recovery code, however it is typed, and once.
        let typed = recovery[0].to_uppercase().replace('-', " ");
        assert!(store.write(|tx| sign_in(tx, &actor.name, Some(&typed))).is_ok());
        assert!(matches!(store.write(|tx| sign_in(tx, &actor.name, Some(&typed))), Err(Error::WrongCode)));
    }

    #[test]
    fn it_goes_with_a_code_or_by_an_admin_who_says_why() {
        let (mut store, actor) = person();
        let secret = store.write(|tx| begin(tx, &actor).unwrap()).secret;
        let code = code_at(&secret, store.now);
        store.write(|tx| confirm(tx, &actor, &code).unwrap());
        assert!(matches!(store.write(|tx| begin(tx, &actor)), Err(Error::HasSecondFactor)), "a stolen session changes nothing");
        assert!(matches!(store.write(|tx| give_up(tx, &actor, "123456")), Err(Error::WrongCode)));
        store.now += SignedDuration::from_secs(30);
        let code = code_at(&secret, store.now);
        store.write(|tx| give_up(tx, &actor, &code).unwrap());
        assert!(store.write(|tx| sign_in(tx, &actor.name, None)).is_ok());

        let secret = store.write(|tx| begin(tx, &actor).unwrap()).secret;
        let code = code_at(&secret, store.now);
        store.write(|tx| confirm(tx, &actor, &code).unwrap());
        let admin = Actor { id: lineman_common::id::PersonId::new(), name: "admin-z".parse().unwrap(), role: Role::Admin, customer: None };
        assert!(matches!(store.write(|tx| take_away(tx, &admin, &actor.name, &" ".into())), Err(Error::NoReason)));
        assert!(matches!(store.write(|tx| take_away(tx, &actor, &actor.name, &"x".into())), Err(Error::Oneself)));
        let without = store.write(|tx| take_away(tx, &admin, &actor.name, &"lost the phone".into()).unwrap());
        assert!(!without.second_factor);
    }
}
