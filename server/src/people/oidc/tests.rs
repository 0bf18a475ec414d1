//! Against a small provider whose tokens can be made wrong in every way. (A real one is signed in with by the console's tests.)

mod admitted;

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::token::{Expected, Key, verify};
use super::*;

enum Pair {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
}

/// A signing key of the provider.
struct Signer {
    kid: String,
    pair: Pair,
}

impl Signer {
    fn ed(kid: &str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { kid: kid.into(), pair: Pair::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap()) }
    }

    fn ec(kid: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { kid: kid.into(), pair: Pair::Ec(pair) }
    }

    fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Ed(_) => "EdDSA",
            Pair::Ec(_) => "ES256",
        }
    }

    fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        match &self.pair {
            Pair::Ed(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()), "kid": self.kid, "use": "sig"}),
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..]), "kid": self.kid, "alg": "ES256"})
            }
        }
    }

    fn key(&self) -> Key {
        serde_json::from_value(self.jwk()).unwrap()
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = match &self.pair {
            Pair::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Pair::Ec(pair) => pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{message}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": self.alg(), "kid": self.kid, "typ": "JWT"}), claims)
    }
}

const ISSUER: &str = "https://login.example.net";

fn now() -> Timestamp {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

/// A good token's claims with some changed, or taken away.
fn claims(changed: Value) -> Value {
    let now = now().as_second();
    let mut claims = json!({
        "iss": ISSUER, "aud": "lineman", "sub": "u-1", "nonce": "n-1", "iat": now, "exp": now + 300,
        "preferred_username": "engineer-a", "groups": ["engineers"],
    });
    for (name, value) in changed.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn expected() -> Expected<'static> {
    Expected { issuer: ISSUER, client_id: "lineman", nonce: "n-1", now: now() }
}

#[test]
fn a_good_token_counts() {
    for signer in [Signer::ed("k"), Signer::ec("k")] {
        let keys = [Signer::ed("another").key(), signer.key()];
        for more in [
            json!({}),
            json!({"aud": ["lineman"]}),
            json!({"aud": ["lineman", "other"], "azp": "lineman"}),
            json!({"azp": "lineman", "nbf": now().as_second()}),
            json!({"exp": 1_763_769_600.5 + 365.0 * 86400.0}),
            // A minute is what two clocks may differ by.
            json!({"iat": now().as_second() - 350, "exp": now().as_second() - 50}),
            json!({"iat": now().as_second() + 50, "nbf": now().as_second() + 50}),
        ] {
            let read = verify(&signer.token(&claims(more.clone())), &keys, &expected());
            assert_eq!(read.as_ref().map(|claims| claims["sub"].as_str()), Ok(Some("u-1")), "{more}: {read:?}");
        }
        // Without a key's name each of them is tried.
        let nameless = signer.sign(&json!({"alg": signer.alg()}), &claims(json!({})));
        assert!(verify(&nameless, &keys, &expected()).is_ok());
    }
}

#[test]
fn a_signature_of_the_standard_counts() {
    // RFC 7515, appendix A.2: RS256. Its claims are somebody else's, so only the signature is right.
    let key: Key = serde_json::from_value(json!({"kty": "RSA", "e": "AQAB", "n": concat!(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs",
        "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV",
        "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
    )}))
    .unwrap();
    let token = concat!(
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ",
        "cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e",
        "OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    assert_eq!(verify(token, std::slice::from_ref(&key), &expected()), Err(BadToken::Claim("iss")));
    let touched = token.replacen("MTkzODAs", "MTkzODEs", 1);
    assert_ne!(touched, token);
    assert_eq!(verify(&touched, &[key], &expected()), Err(BadToken::Signature));
}

#[test]
fn a_hostile_token_is_refused() {
    let (signer, stranger) = (Signer::ec("k"), Signer::ec("k"));
    let keys = [signer.key()];
    let refused = |token: &str| verify(token, &keys, &expected()).unwrap_err();
    for (changed, claim) in [
        (json!({"iss": "https://login.example.net/"}), "iss"),
        (json!({"iss": null}), "iss"),
        (json!({"aud": "another"}), "aud"),
        (json!({"aud": []}), "aud"),
        (json!({"aud": null}), "aud"),
        (json!({"aud": ["lineman", "other"]}), "azp"),
        (json!({"azp": "other"}), "azp"),
        (json!({"nonce": "n-2"}), "nonce"),
        (json!({"nonce": null}), "nonce"),
        (json!({"sub": null}), "sub"),
        (json!({"sub": ""}), "sub"),
        (json!({"exp": null}), "exp"),
        (json!({"iat": null}), "exp"),
        (json!({"exp": "tomorrow"}), "exp"),
        (json!({"exp": 1e30}), "exp"),
        (json!({"nbf": -1}), "nbf"),
    ] {
        assert_eq!(refused(&signer.token(&claims(changed.clone()))), BadToken::Claim(claim), "{changed}");
    }
    let at = now().as_second();
    for (changed, ahead) in [
        (json!({"iat": at - 400, "exp": at - 100}), -400),
        (json!({"iat": at - 7200, "exp": at + 300}), -7200),
        (json!({"iat": at + 420, "exp": at + 720}), 420),
        (json!({"nbf": at + 100}), 0),
    ] {
        assert_eq!(refused(&signer.token(&claims(changed.clone()))), BadToken::Time(ahead), "{changed}");
    }

    // Signed with nothing, with a secret that everybody knows, or by somebody else.
    let good = claims(json!({}));
    let unsigned = |alg: &str| {
        let token = signer.sign(&json!({"alg": alg, "kid": "k"}), &good);
        format!("{}.", token.rsplit_once('.').unwrap().0)
    };
    for alg in ["none", "None", "NONE", "HS256", "HS512", "RS512", "PS256", "ES384", ""] {
        assert_eq!(refused(&unsigned(alg)), BadToken::Algorithm(alg.into()));
        assert_eq!(refused(&signer.sign(&json!({"alg": alg, "kid": "k"}), &good)), BadToken::Algorithm(alg.into()));
    }
    let by_public_key = {
        use hmac::{Hmac, KeyInit, Mac};
        let token = signer.sign(&json!({"alg": "HS256", "kid": "k"}), &good);
        let message = token.rsplit_once('.').unwrap().0.to_owned();
        let mut mac = Hmac::<Sha256>::new_from_slice(signer.jwk().to_string().as_bytes()).unwrap();
        mac.update(message.as_bytes());
        format!("{message}.{}", BASE64URL_NOPAD.encode(&mac.finalize().into_bytes()))
    };
    assert_eq!(refused(&by_public_key), BadToken::Algorithm("HS256".into()));
    assert_eq!(refused(&unsigned("ES256")), BadToken::Signature);
    assert_eq!(refused(&stranger.token(&good)), BadToken::Signature, "the same name, another key");
    // Brings its own key along, or another's algorithm.
    let with_own = stranger.sign(&json!({"alg": "ES256", "kid": "k", "jwk": stranger.jwk(), "jku": "https://evil.example/keys"}), &good);
    assert_eq!(refused(&with_own), BadToken::Signature);
    assert_eq!(refused(&signer.sign(&json!({"alg": "EdDSA", "kid": "k"}), &good)), BadToken::Signature);
    assert_eq!(refused(&signer.sign(&json!({"alg": "ES256", "kid": "other"}), &good)), BadToken::Signature);
    assert_eq!(refused(&signer.sign(&json!({"alg": "ES256", "kid": "k", "crit": ["exp"]}), &good)), BadToken::Form);
    let mut for_encryption: Value = signer.jwk();
    for_encryption["use"] = "enc".into();
    let keys_of = |jwk: &Value| [serde_json::from_value::<Key>(jwk.clone()).unwrap()];
    assert_eq!(verify(&signer.token(&good), &keys_of(&for_encryption), &expected()), Err(BadToken::Signature));
    for form in ["", ".", "..", "a.b.c", "....", &signer.token(&good).replace('.', ":"), &"a.".repeat(40_000)] {
        assert_eq!(refused(form), BadToken::Form, "{form:.20}");
    }
}

/// What the provider of a test answers, and what it was asked.
struct Fake {
    signers: Vec<Signer>,
    /// In the place of the newest of them.
    signs: Option<Signer>,
    /// Changes a token's claims.
    changed: Value,
    nonce: String,
    /// The provider's clock.
    ahead_s: i64,
    userinfo: Value,
    forms: Vec<Vec<(String, String)>>,
    authorizations: Vec<Option<String>>,
    key_sets: u32,
    issuer: String,
    broken: Option<StatusCode>,
}

type Shared = Arc<Mutex<Fake>>;

async fn discovery(State(fake): State<Shared>) -> Response {
    let fake = fake.lock().unwrap();
    if let Some(status) = fake.broken {
        return status.into_response();
    }
    let at = |path: &str| format!("{}{path}", fake.issuer);
    Json(json!({
        "issuer": fake.issuer, "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
        "userinfo_endpoint": at("/me"), "authorization_response_iss_parameter_supported": true,
    }))
    .into_response()
}

async fn keys(State(fake): State<Shared>) -> Json<Value> {
    let mut fake = fake.lock().unwrap();
    fake.key_sets += 1;
    let mut keys: Vec<Value> = fake.signers.iter().map(Signer::jwk).collect();
    keys.push(json!({"kty": 7}));
    Json(json!({"keys": keys}))
}

async fn token(State(fake): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let form: Vec<(String, String)> = Url::parse(&format!("x:?{body}")).unwrap().query_pairs().into_owned().collect();
    let mut fake = fake.lock().unwrap();
    let is_used = fake.forms.iter().any(|before| before.contains(&form[1]));
    fake.authorizations.push(headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned()));
    fake.forms.push(form);
    if is_used {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "invalid_grant"}))).into_response();
    }
    let at = Timestamp::now() + SignedDuration::from_secs(fake.ahead_s);
    let times = json!({"iss": fake.issuer, "nonce": fake.nonce, "iat": at.as_second(), "exp": at.as_second() + 300});
    let mut claims = claims(times);
    claims.as_object_mut().unwrap().extend(fake.changed.as_object().unwrap().clone());
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let id_token = fake.signs.as_ref().or(fake.signers.last()).unwrap().token(&claims);
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap();
    let reply = Json(json!({"access_token": "at-1", "token_type": "Bearer", "id_token": id_token}));
    ([(header::DATE, HeaderValue::from_str(&date).unwrap())], reply).into_response()
}

async fn me(State(fake): State<Shared>, headers: HeaderMap) -> Json<Value> {
    assert_eq!(headers[header::AUTHORIZATION], "Bearer at-1");
    Json(fake.lock().unwrap().userinfo.clone())
}

struct Bench {
    fake: Shared,
    oidc: Oidc,
}

impl Bench {
    async fn new(more: &str) -> Self {
        // The first of a process's tests installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let fake = Arc::new(Mutex::new(Fake {
            signers: vec![Signer::ed("k-1")],
            signs: None,
            changed: json!({}),
            nonce: String::new(),
            ahead_s: 0,
            userinfo: json!({}),
            forms: Vec::new(),
            authorizations: Vec::new(),
            key_sets: 0,
            issuer: issuer.clone(),
            broken: None,
        }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(Arc::clone(&fake));
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let settings =
            config::tests::read(&format!("issuer = {issuer:?}\ngroups = [{{ group = \"engineers\", role = \"engineer\" }}]\n{more}"));
        Self { fake, oidc: Oidc::new(settings.unwrap()).unwrap() }
    }

    fn set(&self, change: impl FnOnce(&mut Fake)) {
        change(&mut self.fake.lock().unwrap());
    }

    /// To the provider and back, where `change` may change what the browser brings.
    async fn round(&self, code: &str, change: impl FnOnce(&mut Back, &mut HeaderMap)) -> Result<(Identity, Pending), Failure> {
        let begun = self.oidc.begin("https://here/callback".into(), "/faults".into(), Timestamp::now()).await?;
        let asked = |name: &str| begun.address.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
        assert_eq!((asked("response_type").as_str(), asked("code_challenge_method").as_str()), ("code", "S256"));
        self.set(|fake| fake.nonce = asked("nonce"));
        let issuer = self.oidc.settings().issuer.clone();
        let mut back = Back { state: asked("state"), code: Some(code.into()), error: None, iss: Some(issuer) };
        let pair = HeaderValue::from_str(begun.cookie.split(';').next().unwrap()).unwrap();
        let mut headers: HeaderMap = [(header::COOKIE, pair)].into_iter().collect();
        change(&mut back, &mut headers);
        let done = self.oidc.finish(&headers, back.clone(), Timestamp::now()).await;
        if let Ok((_, pending)) = &done {
            // The same way back again, with the right cookie.
            let again = self.oidc.finish(&headers, back, Timestamp::now()).await;
            assert!(matches!(again, Err(Failure::Stale(_))), "{again:?}");
            let verifier =
                self.fake.lock().unwrap().forms.last().unwrap().iter().find(|(name, _)| name == "code_verifier").unwrap().1.clone();
            assert_eq!(asked("code_challenge"), BASE64URL_NOPAD.encode(&Sha256::digest(&verifier)), "PKCE");
            assert_eq!(pending.verifier, verifier);
        }
        done
    }
}

#[tokio::test]
async fn somebody_comes_back_with_a_code() {
    let bench = Bench::new("").await;
    let (identity, pending) = bench.round("c-1", |_, _| {}).await.unwrap();
    assert_eq!((identity.username.as_str(), pending.next.as_str()), ("engineer-a", "/faults"));
    assert_eq!(identity.mapped.unwrap().role, Role::Engineer);
    let word = |failure: Result<_, Failure>| failure.map(|_: (Identity, Pending)| ()).unwrap_err().word();
    // A code that the provider has taken before.
    assert_eq!(word(bench.round("c-1", |_, _| {}).await), "stale");
    assert_eq!(word(bench.round("c-2", |back, _| back.state = "another".into()).await), "stale");
    assert_eq!(word(bench.round("c-3", |_, headers| headers.clear()).await), "stale");
    assert_eq!(word(bench.round("c-4", |back, _| back.code = None).await), "stale");
    assert_eq!(word(bench.round("c-5", |back, _| back.error = Some("access_denied".into())).await), "refused");
    // Another provider answers in the place of the one that was asked.
    assert_eq!(word(bench.round("c-6", |back, _| back.iss = Some("https://evil.example".into())).await), "token");
    assert_eq!(word(bench.round("c-7", |back, _| back.iss = None).await), "token");
    bench.set(|fake| fake.changed = json!({"nonce": "that of another browser"}));
    assert_eq!(word(bench.round("c-8", |_, _| {}).await), "token");
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_with_the_difference() {
    let bench = Bench::new("").await;
    bench.set(|fake| fake.ahead_s = -700);
    match bench.round("c-1", |_, _| {}).await {
        Err(Failure::Clock { ahead_s }) => assert!((-705..=-695).contains(&ahead_s), "{ahead_s}"),
        other => panic!("{other:?}"),
    }
    bench.set(|fake| fake.ahead_s = 30);
    bench.round("c-2", |_, _| {}).await.unwrap();
}

#[tokio::test]
async fn keys_are_exchanged_and_looked_up_no_more_often_than_needed() {
    let bench = Bench::new("").await;
    bench.round("c-1", |_, _| {}).await.unwrap();
    bench.set(|fake| fake.signers.push(Signer::ec("k-2")));
    bench.round("c-2", |_, _| {}).await.unwrap();
    bench.round("c-3", |_, _| {}).await.unwrap();
    assert_eq!(bench.fake.lock().unwrap().key_sets, 2);
    // Signed by a key that the provider doesn't have: refused, and not asked after again and again.
    bench.set(|fake| fake.signs = Some(Signer::ed("k-3")));
    for code in ["c-4", "c-5", "c-6"] {
        assert!(matches!(bench.round(code, |_, _| {}).await, Err(Failure::Token(BadToken::Signature))), "{code}");
    }
    assert_eq!(bench.fake.lock().unwrap().key_sets, 2);
}

#[tokio::test]
async fn what_the_token_does_not_tell_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "s3cret/+\n").unwrap();
    let more = format!("client_secret_file = {:?}\ngroups_claim = \"realm_access.roles\"", secret.display());
    let bench = Bench::new(&more).await;
    bench.set(|fake| {
        fake.changed = json!({"preferred_username": null});
        fake.userinfo = json!({"sub": "u-1", "preferred_username": "a.b@carrier.example", "realm_access": {"roles": ["x", "engineers"]}});
    });
    let (identity, _) = bench.round("c-1", |_, _| {}).await.unwrap();
    assert_eq!(identity.mapped.clone().unwrap().role, Role::Engineer);
    assert_eq!(identity.name().unwrap().as_str(), "a-b");
    let basic = data_encoding::BASE64.encode(b"lineman:s3cret%2F%2B");
    assert_eq!(bench.fake.lock().unwrap().authorizations, [Some(format!("Basic {basic}"))]);
    bench.set(|fake| fake.userinfo["sub"] = "u-2".into());
    assert!(matches!(bench.round("c-2", |_, _| {}).await, Err(Failure::Answer(why)) if why.contains("another person")));
}

#[tokio::test]
async fn a_provider_that_is_away_or_wrong_is_told_in_words() {
    let bench = Bench::new("").await;
    bench.set(|fake| fake.broken = Some(StatusCode::BAD_GATEWAY));
    assert!(matches!(bench.round("c", |_, _| {}).await, Err(Failure::Unreachable(why)) if why.contains("502")));
    // For a moment nobody asks again.
    bench.set(|fake| (fake.broken, fake.issuer) = (None, "http://127.0.0.1:1".into()));
    assert!(matches!(bench.round("c", |_, _| {}).await, Err(Failure::Unreachable(why)) if why.contains("502")));
    bench.oidc.provider.age();
    assert!(matches!(bench.round("c", |_, _| {}).await, Err(Failure::Answer(why)) if why.contains("http://127.0.0.1:1")));
    let nobody = Oidc::new(config::tests::read("issuer = \"http://127.0.0.1:1\"").unwrap()).unwrap();
    assert!(matches!(nobody.provider.discovery().await, Err(Failure::Unreachable(_))));
}

#[tokio::test]
async fn what_was_known_goes_on_counting_while_the_provider_is_away() {
    let bench = Bench::new("").await;
    bench.round("c-1", |_, _| {}).await.unwrap();
    bench.oidc.provider.age();
    bench.set(|fake| fake.broken = Some(StatusCode::BAD_GATEWAY));
    bench.round("c-2", |_, _| {}).await.unwrap();
    assert_eq!(bench.fake.lock().unwrap().key_sets, 1);
    bench.oidc.provider.age();
    bench.set(|fake| fake.broken = None);
    bench.round("c-3", |_, _| {}).await.unwrap();
    assert_eq!(bench.fake.lock().unwrap().key_sets, 2);
}

#[tokio::test]
async fn a_provider_that_hangs_is_waited_for_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let bench = Arc::new(Oidc::new(config::tests::read(&format!("issuer = {issuer:?}")).unwrap()).unwrap());
    let (first, second) = (Arc::clone(&bench), Arc::clone(&bench));
    let both = async move { tokio::join!(first.provider.discovery(), second.provider.discovery()) };
    #[expect(clippy::disallowed_methods, reason = "it is awaited below")]
    let both = tokio::spawn(both);
    // One connection comes, and is cut; no other one does.
    let (asked, _) = listener.accept().await.unwrap();
    drop(asked);
    let (one, other) = both.await.unwrap();
    let why = |result: Result<_, Failure>| result.map(|_: provider::Discovery| ()).unwrap_err().to_string();
    assert_eq!(why(one), why(other));
    let again = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(again.is_err(), "it was asked twice");
}

#[tokio::test]
async fn addresses_without_tls_count_on_this_machine_only() {
    let bench = Bench::new("").await;
    let issuer = bench.fake.lock().unwrap().issuer.clone();
    let bad = json!({
        "issuer": issuer, "authorization_endpoint": "http://login.example.net/authorize", "token_endpoint": "https://login.example.net/token",
        "jwks_uri": "https://login.example.net/keys",
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let mut document = bad.clone();
    document["issuer"] = at.clone().into();
    let router = Router::new().route("/.well-known/openid-configuration", get(move || async move { Json(document) }));
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let oidc = Oidc::new(config::tests::read(&format!("issuer = {at:?}")).unwrap()).unwrap();
    assert!(matches!(oidc.provider.discovery().await, Err(Failure::Answer(why)) if why.contains("only https")));
}
