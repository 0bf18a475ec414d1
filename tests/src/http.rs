//! Plain HTTP, as any client would speak it: for wrong bodies and for what the typed client would not send.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

pub struct Http {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    base: String,
    token: Option<String>,
    /// Sent with every request.
    headers: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub asked: String,
    pub status: u16,
    pub content_type: String,
    pub body: Value,
    /// `Set-Cookie`, if there was one.
    pub cookie: Option<String>,
}

impl Reply {
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(self.status < 300, "{self:?}");
        self.body
    }

    /// Must be a problem document with this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.content_type, "application/problem+json", "{self:?}");
        assert_eq!(self.body["code"], code, "{self:?}");
        assert!(self.body["title"].as_str().is_some_and(|title| !title.is_empty()), "{self:?}");
        assert!(self.body["request_id"].is_string(), "{self:?}");
        self
    }
}

impl Http {
    pub fn new(base: &str, ca: &Path, token: Option<String>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let ca = reqwest::Certificate::from_pem(&std::fs::read(ca).expect("the CA")).expect("a certificate");
        let client = reqwest::Client::builder().tls_certs_only([ca]).timeout(Duration::from_secs(60)).build().expect("a client");
        Self { runtime, client, base: base.to_owned(), token, headers: Vec::new() }
    }

    /// Sends this too from now on.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(("application/json", body.to_string().into_bytes())))
    }

    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PUT, path, Some(("application/json", body.to_string().into_bytes())))
    }

    /// Follows a stream of server-sent events until one holds `needle`; answers what came until then.
    pub fn follow(&self, path: &str, after: Option<&str>, needle: &str) -> String {
        let mut request = self.client.get(format!("{}{path}", self.base)).timeout(crate::PATIENCE);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        self.runtime.block_on(async {
            let mut response = request.send().await.unwrap_or_else(|e| panic!("GET {path}: {e:?}"));
            assert_eq!(response.status().as_u16(), 200, "GET {path}");
            let mut heard = String::new();
            while !heard.contains(needle) {
                let part = response.chunk().await.unwrap_or_else(|e| panic!("GET {path}: {e:?}; heard: {heard}"));
                heard.push_str(&String::from_utf8_lossy(&part.unwrap_or_else(|| panic!("GET {path} ended; heard: {heard}"))));
            }
            heard
        })
    }

    pub fn send(&self, method: Method, path: &str, body: Option<(&str, Vec<u8>)>) -> Reply {
        let asked = format!("{method} {path}");
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some((content_type, bytes)) = body {
            request = request.header("content-type", content_type).body(bytes);
        }
        self.runtime.block_on(async {
            let response = request.send().await.unwrap_or_else(|e| panic!("{asked}: {e:?}"));
            let status = response.status().as_u16();
            let content_type = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
            let cookie = response.headers().get("set-cookie").and_then(|v| v.to_str().ok()).map(str::to_owned);
            let bytes = response.bytes().await.unwrap_or_else(|e| panic!("{asked}: {e:?}"));
            let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
            Reply { asked, status, content_type, body, cookie }
        })
    }
}
