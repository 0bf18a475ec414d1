//! What signing in needs beside the database: how this server is reached, the identity provider, and the first set-up.
//!
//! A new server has an admin with an API token and nobody who could sign in to the console. While that is so, each start of the server
//! prints a one-time code: who reads the server's output may make the first admin, and nobody else.

use std::sync::Mutex;

use axum::http::HeaderMap;
use axum::http::header::HOST;
use lineman_common::api::{NewPerson, TokenReply};
use lineman_common::name::PersonName;
use lineman_common::people::Role;

use super::oidc::Oidc;
use super::{Error, issue_sign_in, known, second_factor, sql, tell};
use crate::config::Settings;
use crate::events::{Kind, New};
use crate::store::{Db, Store, StoreError, Tx};
use crate::web::ApiError;

pub struct SignIn {
    /// `https://NAME:PORT`.
    address: String,
    names: Vec<String>,
    pub is_demo: bool,
    pub oidc: Option<Oidc>,
    /// While the first set-up is due.
    code: Mutex<Option<String>>,
}

impl SignIn {
    /// `address` is `NAME:PORT`. Prints the code of the first set-up, when it is due.
    pub async fn open(settings: &Settings, address: &str, store: &Store) -> anyhow::Result<Self> {
        let oidc = settings.oidc.clone().map(Oidc::new).transpose()?;
        let with_oidc = oidc.is_some();
        let is_due =
            store.read(move |db| is_due(db, with_oidc).map_err(ApiError::from)).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let address = format!("https://{address}");
        let code = is_due.then(second_factor::new_recovery_code);
        if let Some(code) = &code {
            // Past the log, whose level may be set so that it says nothing.
            eprintln!(
                "No admin can sign in to the console yet. Make the first one at {address}/setup with this one-time code:\n\n    {code}\n"
            );
        }
        Ok(Self { address, names: settings.names.clone(), is_demo: settings.demo, oidc, code: Mutex::new(code) })
    }

    /// What this server is called, for people.
    pub fn name(&self) -> &str {
        self.names.first().map_or("localhost", String::as_str)
    }

    pub fn own_address(&self) -> &str {
        self.oidc.as_ref().and_then(|oidc| oidc.settings().url.as_deref()).unwrap_or(&self.address)
    }

    /// How this browser reaches the server: as configured, else by whichever of its names the request says.
    pub fn address(&self, headers: &HeaderMap) -> String {
        if let Some(url) = self.oidc.as_ref().and_then(|oidc| oidc.settings().url.clone()) {
            return url;
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let is_own = |name: &String| {
            let name = if name.contains(':') { format!("[{name}]") } else { name.clone() };
            let port = host.strip_prefix(name.as_str());
            port.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
        };
        if self.names.iter().any(is_own) { format!("https://{host}") } else { self.address.clone() }
    }

    /// Is a code there, and somebody needed?
    pub fn is_due(&self, db: &Db<'_>) -> Result<bool, StoreError> {
        let has_code = self.code.lock().is_ok_and(|code| code.is_some());
        Ok(has_code && is_due(db, self.oidc.is_some())?)
    }

    fn fits(&self, typed: &str) -> bool {
        let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        self.code.lock().is_ok_and(|code| code.as_ref().is_some_and(|code| plain(code) == plain(typed)))
    }

    /// Before the password's hash is made, which takes its time.
    pub fn check(&self, db: &Db<'_>, typed: &str) -> Result<(), Error> {
        if !self.fits(typed) {
            return Err(if is_due(db, self.oidc.is_some())? { Error::WrongSetupCode } else { Error::IsSetUp });
        }
        if is_due(db, self.oidc.is_some())? { Ok(()) } else { Err(Error::IsSetUp) }
    }

    /// The first admin who can sign in, signed in.
    pub fn set_up(&self, tx: &mut Tx<'_>, typed: &str, name: &PersonName, hash: &str) -> Result<TokenReply, Error> {
        self.check(tx, typed)?;
        match sql::get(tx, &crate::web::Scope::All, name)? {
            None => {
                let new = NewPerson { name: name.clone(), role: Role::Admin, customer: None, password: None };
                super::add(tx, "setup", new, Some(hash.to_owned()))?;
            }
            Some(person) if person.role == Role::Admin && person.disabled.is_none() && !person.password && !person.oidc => {
                sql::set_password(tx, person.id, hash)?;
                let person = known(tx, name)?;
                tell(
                    tx,
                    &person,
                    New::of(Kind::PasswordChanged, "setup", format!("first password of {name}, with the code of the set-up")),
                )?;
            }
            Some(person) => return Err(Error::NotForSetup(person.name)),
        }
        let actor = sql::by_name(tx, name)?.ok_or(Error::NoPerson)?;
        issue_sign_in(tx, &actor, "at the first set-up")
    }

    /// The code has been used.
    pub fn done(&self) {
        if let Ok(mut code) = self.code.lock() {
            *code = None;
        }
    }
}

fn is_due(db: &Db<'_>, with_oidc: bool) -> Result<bool, StoreError> {
    Ok(!sql::has_admin_who_signs_in(db, with_oidc)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;
    use axum::http::HeaderValue;

    fn sign_in(code: Option<&str>) -> SignIn {
        let names = vec!["support.example".to_owned(), "::1".to_owned()];
        SignIn {
            address: "https://support.example:7443".into(),
            names,
            is_demo: false,
            oidc: None,
            code: Mutex::new(code.map(str::to_owned)),
        }
    }

    #[test]
    fn the_first_admin_is_made_with_the_code_and_nobody_after() {
        let mut store = TestStore::new();
        let sign_in = sign_in(Some("abcd-efgh-ijkl"));
        let name: PersonName = "admin".parse().unwrap();
        // As `init` makes one: with a token alone.
        let new = |name: &PersonName, role| NewPerson { name: name.clone(), role, customer: None, password: None };
        store.write(|tx| super::super::add(tx, "init", new(&name, Role::Admin), None).unwrap());
        let engineer: PersonName = "engineer-a".parse().unwrap();
        store.write(|tx| super::super::add(tx, "admin", new(&engineer, Role::Engineer), None).unwrap());
        assert!(store.read(|db| sign_in.is_due(db).unwrap()));
        assert!(matches!(store.read(|db| sign_in.check(db, "abcd-efgh-ijkm")), Err(Error::WrongSetupCode)));
        assert!(matches!(store.write(|tx| sign_in.set_up(tx, "abcd-efgh-ijkl", &engineer, "hash")), Err(Error::NotForSetup(_))));
        let token = store.write(|tx| sign_in.set_up(tx, "ABCD EFGH IJKL", &name, "hash").unwrap()).token;
        assert_eq!(store.read(|db| super::super::by_token(db, &token)).unwrap().unwrap().role, Role::Admin);
        // The right code again, before it is forgotten.
        assert!(matches!(store.write(|tx| sign_in.set_up(tx, "abcd-efgh-ijkl", &"admin-2".parse().unwrap(), "hash")), Err(Error::IsSetUp)));
        assert!(!store.read(|db| sign_in.is_due(db).unwrap()));
        sign_in.done();
        assert!(matches!(store.read(|db| sign_in.check(db, "abcd-efgh-ijkl")), Err(Error::IsSetUp)));
    }

    #[test]
    fn without_a_code_nothing_is_due() {
        let store = TestStore::new();
        assert!(!store.read(|db| sign_in(None).is_due(db).unwrap()));
        assert!(matches!(store.read(|db| sign_in(None).check(db, "")), Err(Error::WrongSetupCode)));
    }

    #[test]
    fn the_address_is_one_of_its_own() {
        let sign_in = sign_in(None);
        let of = |host: &'static str| sign_in.address(&[(HOST, HeaderValue::from_static(host))].into_iter().collect());
        assert_eq!(of("support.example"), "https://support.example");
        assert_eq!(of("[::1]:7443"), "https://[::1]:7443");
        for other in ["evil.example", "support.example.evil.example", "support.example:7443@evil.example", "support.example:99999", ""] {
            assert_eq!(of(other), "https://support.example:7443", "{other}");
        }
    }
}
