//! The provider, over the network: where its doors are, which keys it signs with, what it gives for a code.
//!
//! Both documents are kept for a while, and longer while the provider does not answer. Only one of those who sign in waits for it then: the
//! others go on with what is known, or hear for some seconds what that one has heard.
//!
//! A token that none of the known keys has signed makes us look once more, since keys are exchanged without notice, and no more often than
//! every few seconds, since anybody can send such a token.

use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::sync::Mutex;

use super::Failure;
use super::config::{OidcSettings, is_safe};
use super::token::{self, BadToken, Expected, Key};

const PATIENCE: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 512 * 1024;
const FRESH_FOR: Duration = Duration::from_secs(3600);
/// A provider that did not answer is not asked again for so long.
const AWAY_FOR: Duration = Duration::from_secs(5);
/// Between two looks at the keys because of a token that none of them has signed.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);
const MOST_KEYS: usize = 100;

#[derive(Clone, Debug, Deserialize)]
pub struct Discovery {
    issuer: String,
    #[serde(deserialize_with = "url")]
    pub authorization_endpoint: Url,
    #[serde(deserialize_with = "url")]
    token_endpoint: Url,
    #[serde(deserialize_with = "url")]
    jwks_uri: Url,
    #[serde(default, deserialize_with = "maybe_url")]
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

fn maybe_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    Option::<String>::deserialize(from)?.map(|text| text.parse()).transpose().map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
struct KeySet {
    /// One that is not understood, of a kind to come, is left out.
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Granted {
    id_token: String,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

struct Known {
    discovery: Discovery,
    keys: Vec<Key>,
    at: Instant,
    keys_at: Instant,
}

#[derive(Default)]
struct Memory {
    known: Option<Known>,
    /// When it could not be reached, and why.
    away: Option<(Instant, String)>,
}

impl Memory {
    fn fresh(&self) -> Option<Discovery> {
        self.known.as_ref().filter(|known| known.at.elapsed() < FRESH_FOR).map(|known| known.discovery.clone())
    }

    fn away(&self) -> Option<Failure> {
        self.away.as_ref().filter(|(at, _)| at.elapsed() < AWAY_FOR).map(|(_, why)| Failure::Unreachable(why.clone()))
    }
}

pub struct Provider {
    pub settings: OidcSettings,
    http: Client,
    memory: std::sync::Mutex<Memory>,
    /// Held by the one who asks the provider for its documents.
    asking: Mutex<()>,
}

/// What the provider says of somebody who signed in.
#[derive(Debug)]
pub struct Claims {
    pub id_token: Value,
    /// Asked for when the token alone doesn't tell who it is, or in which groups.
    pub userinfo: Option<Value>,
}

impl Claims {
    /// A claim, also one within another: `realm_access.roles`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        std::iter::once(&self.id_token).chain(&self.userinfo).find_map(|claims| claim(claims, name))
    }
}

fn claim<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |within, part| within.get(part))).filter(|value| !value.is_null())
}

impl Provider {
    pub fn new(settings: OidcSettings) -> anyhow::Result<Self> {
        let mut builder = Client::builder()
            .user_agent(concat!("lineman-server/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE);
        if let Some(path) = &settings.ca_file {
            let pem = std::fs::read(path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)?;
            anyhow::ensure!(!certificates.is_empty(), "{}: there is no certificate in it", path.display());
            builder = builder.tls_certs_only(certificates);
        }
        Ok(Self { settings, http: builder.build()?, memory: std::sync::Mutex::default(), asking: Mutex::default() })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn discovery(&self) -> Result<Discovery, Failure> {
        if let Some(discovery) = self.memory().fresh() {
            return Ok(discovery);
        }
        let old = self.memory().known.as_ref().map(|known| known.discovery.clone());
        let _asking = match (self.asking.try_lock(), &old) {
            (Ok(asking), _) => asking,
            (Err(_), Some(old)) => return Ok(old.clone()),
            (Err(_), None) => self.asking.lock().await,
        };
        // Another one may have asked meanwhile.
        if let Some(discovery) = self.memory().fresh() {
            return Ok(discovery);
        }
        let away = self.memory().away();
        let asked = match away {
            Some(failure) => Err(failure),
            None => self.documents().await,
        };
        match (asked, old) {
            (Err(Failure::Unreachable(why)), Some(old)) => {
                tracing::warn!(why, "OIDC: the provider can't be reached: what it said before goes on counting");
                Ok(old)
            }
            (asked, _) => asked,
        }
    }

    async fn documents(&self) -> Result<Discovery, Failure> {
        let asked = async {
            let discovery = self.discover().await?;
            Ok::<_, Failure>((self.keys(&discovery).await?, discovery))
        };
        match asked.await {
            Ok((keys, discovery)) => {
                let now = Instant::now();
                let known = Some(Known { discovery: discovery.clone(), keys, at: now, keys_at: now });
                *self.memory() = Memory { known, away: None };
                Ok(discovery)
            }
            Err(failure) => {
                if let Failure::Unreachable(why) = &failure {
                    self.memory().away = Some((Instant::now(), why.clone()));
                }
                Err(failure)
            }
        }
    }

    /// As if an hour and more had passed.
    #[cfg(test)]
    pub fn age(&self) {
        let mut memory = self.memory();
        memory.away = None;
        if let Some(known) = memory.known.as_mut() {
            known.at = Instant::now().checked_sub(FRESH_FOR).unwrap_or(known.at);
        }
    }

    async fn discover(&self) -> Result<Discovery, Failure> {
        let issuer = &self.settings.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let (_, discovery): (_, Discovery) = self.ask(self.http.get(url), "its discovery document").await?;
        if discovery.issuer != *issuer {
            let says = lineman_common::printable::escape(&discovery.issuer);
            return Err(Failure::Answer(format!("its discovery document is that of {says}: write `issuer` exactly so")));
        }
        let places = [&discovery.authorization_endpoint, &discovery.token_endpoint, &discovery.jwks_uri];
        if let Some(bad) = places.into_iter().chain(&discovery.userinfo_endpoint).find(|url| !is_safe(url)) {
            return Err(Failure::Answer(format!("its discovery document names {bad}, and only https counts")));
        }
        Ok(discovery)
    }

    async fn keys(&self, discovery: &Discovery) -> Result<Vec<Key>, Failure> {
        let (_, set): (_, KeySet) = self.ask(self.http.get(discovery.jwks_uri.clone()), "its key set").await?;
        Ok(set.keys.into_iter().take(MOST_KEYS).filter_map(|key| serde_json::from_value(key).ok()).collect())
    }

    /// What the provider says of the person behind a code.
    pub async fn exchange(&self, code: &str, verifier: &str, nonce: &str, redirect_uri: &str) -> Result<Claims, Failure> {
        let discovery = self.discovery().await?;
        let (ahead_s, granted) = self.token(&discovery, code, verifier, redirect_uri).await?;
        let verified = match self.verify(&granted.id_token, nonce) {
            Err(BadToken::Signature) => {
                self.look_again(&discovery).await?;
                self.verify(&granted.id_token, nonce)
            }
            other => other,
        };
        let id_token = verified.map_err(|error| {
            let BadToken::Time(by_token) = error else { return Failure::Token(error) };
            // The answer's own date says it best, when it explains it at all.
            Failure::Clock { ahead_s: ahead_s.filter(|ahead_s| ahead_s.abs() > token::LEEWAY_S).unwrap_or(by_token) }
        })?;
        let mut claims = Claims { id_token, userinfo: None };
        let wanted = [&self.settings.username_claim, &self.settings.groups_claim];
        if let (Some(url), Some(token)) = (discovery.userinfo_endpoint, granted.access_token)
            && wanted.iter().any(|name| claims.get(name).is_none())
        {
            let (_, userinfo): (_, Value) = self.ask(self.http.get(url).bearer_auth(token), "what it says of a person").await?;
            if userinfo.get("sub") != claims.id_token.get("sub") {
                return Err(Failure::Answer("it told of another person than of the one who signed in".into()));
            }
            claims.userinfo = Some(userinfo);
        }
        Ok(claims)
    }

    fn verify(&self, id_token: &str, nonce: &str) -> Result<Value, BadToken> {
        let keys = self.memory().known.as_ref().map(|known| known.keys.clone()).unwrap_or_default();
        let OidcSettings { issuer, client_id, .. } = &self.settings;
        token::verify(id_token, &keys, &Expected { issuer, client_id, nonce, now: Timestamp::now() })
    }

    async fn look_again(&self, discovery: &Discovery) -> Result<(), Failure> {
        let _asking = self.asking.lock().await;
        let is_due = |known: &Known| known.keys_at.elapsed() >= LOOK_AGAIN_AFTER || known.keys_at == known.at;
        match self.memory().known.as_mut() {
            Some(known) if is_due(known) => known.keys_at = Instant::now(),
            Some(_) | None => return Ok(()),
        }
        let keys = self.keys(discovery).await?;
        if let Some(known) = self.memory().known.as_mut() {
            known.keys = keys;
        }
        Ok(())
    }

    /// Also answers by how much the provider's clock is ahead of ours, in seconds.
    async fn token(
        &self,
        discovery: &Discovery,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
    ) -> Result<(Option<i64>, Granted), Failure> {
        let OidcSettings { client_id, client_secret_file, .. } = &self.settings;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
            ("client_id", client_id),
        ];
        let mut request = self.http.post(discovery.token_endpoint.clone());
        let secret = client_secret_file.as_ref().map(|path| {
            // Read each time: a secret that is exchanged is taken at once, and none lies in memory.
            std::fs::read_to_string(path).map_err(|error| Failure::Answer(format!("the client's secret, {}: {error}", path.display())))
        });
        let secret = secret.transpose()?;
        if let Some(secret) = secret.as_deref().map(str::trim) {
            let methods = discovery.token_endpoint_auth_methods_supported.as_deref();
            if methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")) {
                let pair = format!("{}:{}", encoded(client_id), encoded(secret));
                request = request.header(AUTHORIZATION, format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes())));
            } else {
                form.push(("client_secret", secret));
            }
        }
        let body = form.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&");
        self.ask(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body), "its answer to a code").await
    }

    /// JSON of a bounded size.
    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder, what: &'static str) -> Result<(Option<i64>, T), Failure> {
        let unreachable = |error: reqwest::Error| Failure::Unreachable(causes(error));
        let mut reply = request.header(ACCEPT, "application/json").send().await.map_err(unreachable)?;
        let date = reply.headers().get(DATE).and_then(|value| jiff::fmt::rfc2822::parse(value.to_str().ok()?).ok());
        let ahead_s = date.map(|date| date.timestamp().as_second() - Timestamp::now().as_second());
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > MOST_BYTES {
                return Err(Failure::Answer(format!("{what} is too long")));
            }
            bytes.extend(chunk);
        }
        let status = reply.status();
        if status.is_server_error() {
            return Err(Failure::Unreachable(format!("{what}: {status}")));
        }
        if status != StatusCode::OK {
            let error = serde_json::from_slice::<Refusal>(&bytes).map(|refusal| refusal.error).unwrap_or_default();
            // A code counts once and for a minute or so: who comes with an old one begins anew.
            if error == "invalid_grant" {
                return Err(Failure::Stale("the provider no longer takes the code"));
            }
            return Err(Failure::Answer(format!("{what}: {status} {}", lineman_common::printable::escape(&error))));
        }
        let answer = serde_json::from_slice(&bytes).map_err(|error| Failure::Answer(format!("{what}: {error}")))?;
        Ok((ahead_s, answer))
    }
}

/// As a form has it.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
        encoded
    })
}

/// With its causes.
fn causes(error: reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    lineman_common::printable::escape(&text)
}
