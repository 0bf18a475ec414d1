//! ID tokens: signed by the provider, for this server, now, and for the browser that asked (OpenID Connect Core 1.0, 3.1.3.7).
//!
//! The signature is verified by `ring`, which is in the program for TLS already. A library for tokens would bring a second crypto provider
//! or take algorithms that we refuse; what it would do for us is this page. Only public-key signatures count: a token that is signed with
//! nothing, or with a secret that others may know, is no token.

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;

/// How far two clocks may be apart.
pub const LEEWAY_S: i64 = 60;
/// A token is made for this sign-in, which takes no longer.
const OLDEST_S: i64 = 3600;
const LONGEST_TOKEN: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A key of the provider, as its key set has it (RFC 7517).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    /// May it verify what says that it is signed so?
    fn suits(&self, algorithm: Algorithm, kid: Option<&str>) -> bool {
        let kind = match algorithm {
            Algorithm::Rs256 => self.kty == "RSA",
            Algorithm::Es256 => self.kty == "EC" && self.crv.as_deref() == Some("P-256"),
            Algorithm::EdDsa => self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519"),
        };
        let is_for_it = self.alg.as_deref().is_none_or(|alg| Algorithm::named(alg) == Some(algorithm));
        kind && is_for_it && self.purpose.as_deref().is_none_or(|purpose| purpose == "sig") && (kid.is_none() || kid == self.kid.as_deref())
    }

    fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let part = |text: &Option<String>| text.as_deref().and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        let verified = match algorithm {
            Algorithm::Rs256 => part(&self.n).zip(part(&self.e)).map(|(n, e)| {
                let bare = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
                RsaPublicKeyComponents { n: bare(&n), e: bare(&e) }.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
            }),
            Algorithm::Es256 => part(&self.x).zip(part(&self.y)).map(|(x, y)| {
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }),
            Algorithm::EdDsa => part(&self.x).map(|x| UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signature)),
        };
        matches!(verified, Some(Ok(())))
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadToken {
    #[error("it is not a signed token")]
    Form,
    #[error("it is signed with {}, and RS256, ES256 and EdDSA are what counts", lineman_common::printable::escape(.0))]
    Algorithm(String),
    /// The one fault that a newer key set may mend.
    #[error("none of the provider's keys has signed it")]
    Signature,
    #[error("its `{0}` is not what it has to be")]
    Claim(&'static str),
    /// What the provider's clock is ahead of ours by, as far as the token tells.
    #[error("it does not count at this time: by it the provider's clock differs by {0} s from this server's")]
    Time(i64),
}

/// What is asked of a token beside the signature.
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now: Timestamp,
}

/// The claims of a good token.
pub fn verify(token: &str, keys: &[Key], expected: &Expected<'_>) -> Result<Value, BadToken> {
    if token.len() > LONGEST_TOKEN {
        return Err(BadToken::Form);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(BadToken::Form)?;
    let (header, body) = message.split_once('.').ok_or(BadToken::Form)?;
    let decoded = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| BadToken::Form);
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| BadToken::Form)?;
    let algorithm = Algorithm::named(&header.alg).ok_or(BadToken::Algorithm(header.alg))?;
    if header.crit.is_some() {
        return Err(BadToken::Form);
    }
    let signature = decoded(signature)?;
    let mut suitable = keys.iter().filter(|key| key.suits(algorithm, header.kid.as_deref()));
    if !suitable.any(|key| key.verifies(algorithm, message.as_bytes(), &signature)) {
        return Err(BadToken::Signature);
    }
    let claims: Value = serde_json::from_slice(&decoded(body)?).map_err(|_| BadToken::Form)?;
    check(&claims, expected)?;
    Ok(claims)
}

fn check(claims: &Value, expected: &Expected<'_>) -> Result<(), BadToken> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let must = |ok: bool, name| if ok { Ok(()) } else { Err(BadToken::Claim(name)) };
    must(text("iss") == Some(expected.issuer), "iss")?;
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    must(audience.contains(&expected.client_id), "aud")?;
    // Who is meant when several are: this server, and nobody beside it whom we don't know.
    must(claims.get("azp").map_or(audience.len() == 1, |azp| azp.as_str() == Some(expected.client_id)), "azp")?;
    must(text("nonce") == Some(expected.nonce), "nonce")?;
    must(text("sub").is_some_and(|sub| (1..=255).contains(&sub.len())), "sub")?;
    let time = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => second(value).map(Some).ok_or(BadToken::Claim(name)),
    };
    let (Some(issued), Some(expires)) = (time("iat")?, time("exp")?) else { return Err(BadToken::Claim("exp")) };
    let now = expected.now.as_second();
    let is_now = expires > now - LEEWAY_S
        && issued <= now + LEEWAY_S
        && issued >= now - OLDEST_S
        && time("nbf")?.is_none_or(|begins| begins <= now + LEEWAY_S);
    if is_now { Ok(()) } else { Err(BadToken::Time(issued - now)) }
}

/// Seconds since 1970, whole or not.
fn second(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let whole = |float: f64| (0.0..1e12).contains(&float).then_some(float as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole)).filter(|second| (0..1_000_000_000_000).contains(second))
}
