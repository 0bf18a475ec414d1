//! A sign-in that was begun: what the browser has to come back with, in a cookie that only this server can read or write.
//!
//! So a start costs the server no memory, and a state that comes from another browser is nobody's. What came back once is remembered until
//! its cookie has ended: it does not come back twice.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

use super::Failure;

const NAME: &str = "__Host-lineman-oidc";
/// Long enough for a second factor that has to be looked for.
const LIVES_S: i64 = 15 * 60;
/// Who fills this has come back from the provider as often within a quarter of an hour.
const MOST_REMEMBERED: usize = 100_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub state: String,
    pub nonce: String,
    pub verifier: String,
    /// The provider is told the same again.
    pub redirect_uri: String,
    /// Where in the console the person was going.
    pub next: String,
    pub until_s: i64,
}

pub struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
    back: Mutex<HashMap<String, i64>>,
}

impl Seal {
    /// With a key of its own: who was on the way while the server ended begins anew.
    pub fn new() -> Result<Self, ring::error::Unspecified> {
        let random = SystemRandom::new();
        let mut key = [0; 32];
        random.fill(&mut key)?;
        Ok(Self { key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key)?), random, back: Mutex::default() })
    }

    /// 256 random bits, as text.
    fn word(&self) -> Result<String, ring::error::Unspecified> {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes)?;
        Ok(BASE64URL_NOPAD.encode(&bytes))
    }

    pub fn begin(&self, redirect_uri: String, next: String, now: Timestamp) -> Result<Pending, ring::error::Unspecified> {
        let (state, nonce, verifier) = (self.word()?, self.word()?, self.word()?);
        Ok(Pending { state, nonce, verifier, redirect_uri, next, until_s: now.as_second() + LIVES_S })
    }

    /// The cookie's whole text. It comes along when the provider's page leads back here, so it is not as strict as a sign-in's.
    pub fn cookie(&self, pending: &Pending) -> Result<String, ring::error::Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce)?;
        let mut sealed = serde_json::to_vec(pending).map_err(|_| ring::error::Unspecified)?;
        self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)?;
        let text = BASE64URL_NOPAD.encode(&[nonce.as_slice(), &sealed].concat());
        Ok(format!("{NAME}={text}; Max-Age={LIVES_S}; Path=/; Secure; HttpOnly; SameSite=Lax"))
    }

    pub fn clear() -> String {
        format!("{NAME}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax")
    }

    fn open(&self, headers: &HeaderMap) -> Option<Pending> {
        let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
        let text = pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == NAME)?.1;
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let mut sealed = sealed.to_vec();
        let opened = self.key.open_in_place(Nonce::try_assume_unique_for_key(nonce).ok()?, Aad::empty(), &mut sealed).ok()?;
        serde_json::from_slice(opened).ok()
    }

    /// The sign-in that this browser began with this state, once.
    pub fn take(&self, headers: &HeaderMap, state: &str, now: Timestamp) -> Result<Pending, Failure> {
        let pending = self.open(headers).ok_or(Failure::Stale("the browser has not begun a sign-in here"))?;
        if pending.state != state {
            return Err(Failure::Stale("the state is not the one that this browser was given last"));
        }
        let now = now.as_second();
        if pending.until_s <= now {
            return Err(Failure::Stale("it was begun too long ago"));
        }
        let Ok(mut back) = self.back.lock() else { return Err(Failure::Stale("the server failed")) };
        back.retain(|_, until_s| *until_s > now);
        if back.len() >= MOST_REMEMBERED || back.insert(pending.state.clone(), pending.until_s).is_some() {
            return Err(Failure::Stale("it came back before"));
        }
        Ok(pending)
    }
}

/// Where a person goes after signing in: a place in this console, or its first page. Nothing in it leads to another site.
pub fn place_here(next: Option<&str>) -> String {
    let is_here = |text: &&str| {
        let plain = text.bytes().all(|byte| byte > b' ' && byte != b'\\' && byte != 0x7f);
        text.len() <= 1500 && text.starts_with('/') && !text.starts_with("//") && plain && text.is_ascii() && !text.starts_with("/api/")
    };
    next.filter(is_here).unwrap_or("/").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use jiff::SignedDuration;

    fn with(cookie: &str) -> HeaderMap {
        let pair = cookie.split(';').next().unwrap();
        [(COOKIE, HeaderValue::from_str(&format!("theme=dark; {pair}")).unwrap())].into_iter().collect()
    }

    #[test]
    fn a_state_counts_for_the_browser_that_began_and_once() {
        let (seal, now) = (Seal::new().unwrap(), Timestamp::UNIX_EPOCH);
        let begin = || seal.begin("https://here/callback".into(), "/faults".into(), now).unwrap();
        let (mine, other) = (begin(), begin());
        let cookie = seal.cookie(&mine).unwrap();
        for attribute in ["__Host-lineman-oidc=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/;", "Max-Age=900"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        let why = |headers: &HeaderMap, state: &str, now| match seal.take(headers, state, now) {
            Err(Failure::Stale(why)) => why,
            other => panic!("{other:?}"),
        };
        assert!(why(&HeaderMap::new(), &mine.state, now).contains("not begun"));
        assert!(why(&with(&cookie), &other.state, now).contains("state"));
        assert!(why(&with(&cookie), &mine.state, now + SignedDuration::from_mins(15)).contains("too long ago"));
        assert_eq!(seal.take(&with(&cookie), &mine.state, now).unwrap(), mine);
        assert!(why(&with(&cookie), &mine.state, now).contains("before"));
        // Sealed by another server, or touched on the way.
        let foreign = Seal::new().unwrap().cookie(&other).unwrap();
        assert!(why(&with(&foreign), &other.state, now).contains("not begun"));
        let pair = seal.cookie(&other).unwrap().split(';').next().unwrap().to_owned();
        let at = pair.len() - 10;
        let touched = format!("{}{}{}", &pair[..at], if &pair[at..=at] == "A" { "B" } else { "A" }, &pair[at + 1..]);
        assert!(why(&with(&touched), &other.state, now).contains("not begun"));
        assert!(why(&with("__Host-lineman-oidc=AAAA"), &other.state, now).contains("not begun"));
    }

    #[test]
    fn nothing_leads_away() {
        for good in ["/", "/faults", "/faults?q=sev%3Acritical+due%3A%3C10m#x", "/equipment/ne-1.jw.ne"] {
            assert_eq!(place_here(Some(good)), good);
        }
        for bad in [
            "",
            "faults",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "https://evil.example",
            "/a\r\nset-cookie: x",
            "javascript:x",
            "/api/v1/x",
            "/é",
        ] {
            assert_eq!(place_here(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(place_here(None), "/");
    }
}
