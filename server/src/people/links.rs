//! Links that sign somebody in, once and for a short while: for a first sign-in, or after a lost password. An admin makes them.
//!
//! They stand for the password and not for the second factor. In a demo a link may be opened again, so that whoever tries things out can
//! come back.

use jiff::ToSpan;
use lineman_common::api::{NewSignInLink, SignInLink, TokenReply};
use lineman_common::name::PersonName;
use lineman_common::statement::sha256_hex;
use serde_json::json;

use super::{Error, issue_sign_in, known, new_secret, second_factor, sql, tell};
use crate::events::{Kind, New};
use crate::store::Tx;
use crate::web::Actor;

pub const LONGEST_MIN: u32 = 60;
const USUAL_MIN: u32 = 15;
const LONGEST_IN_DEMO_MIN: u32 = 366 * 24 * 60;

/// `server` is this server's address.
pub fn make(
    tx: &mut Tx<'_>,
    actor: &Actor,
    name: &PersonName,
    new: &NewSignInLink,
    server: &str,
    is_demo: bool,
) -> Result<SignInLink, Error> {
    let minutes = new.minutes.unwrap_or(USUAL_MIN);
    if (new.reusable && !is_demo) || !(1..=if is_demo { LONGEST_IN_DEMO_MIN } else { LONGEST_MIN }).contains(&minutes) {
        return Err(Error::BadLink);
    }
    let person = known(tx, name)?;
    if person.disabled.is_some() {
        return Err(Error::IsDisabled(name.clone()));
    }
    if sql::is_refused(tx, person.id)? {
        return Err(Error::RefusedByProvider(name.clone()));
    }
    let code = new_secret().replacen("lm_", "", 1);
    let expires_at = tx.now() + i64::from(minutes).minutes();
    sql::insert_link(tx, &sha256_hex(&code), person.id, expires_at, new.reusable)?;
    let event = New::of(Kind::SignInLinkMade, actor, format!("a link that signs {name} in, until {expires_at}"));
    tell(tx, &person, event.data(json!({"person": name})))?;
    Ok(SignInLink { url: format!("{server}/sign-in?code={code}"), code, expires_at })
}

/// A sign-in for a link's code. A missing second factor leaves the link as it is.
pub fn take(tx: &mut Tx<'_>, code: &str, second: Option<&str>) -> Result<TokenReply, Error> {
    let sha256 = sha256_hex(code);
    let (name, is_reusable) = sql::link(tx, &sha256)?.ok_or(Error::WrongLink)?;
    let actor = sql::by_name(tx, &name)?.ok_or(Error::WrongLink)?;
    second_factor::check(tx, &actor, second)?;
    if !is_reusable {
        sql::delete_link(tx, &sha256)?;
    }
    issue_sign_in(tx, &actor, "with a link")
}

/// Whom a link would sign in: guesses of a second factor are slowed down by name.
pub fn bearer(tx: &crate::store::Db<'_>, code: &str) -> Result<PersonName, Error> {
    Ok(sql::link(tx, &sha256_hex(code))?.ok_or(Error::WrongLink)?.0)
}
