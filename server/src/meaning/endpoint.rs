//! An embeddings endpoint as the other provider: `POST URL/embeddings`, as OpenAI has it and most servers of models understand it.
//!
//! The texts of cases, and what people ask, leave the server for that address.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::Vector;
use super::model::{Kind, unit};
use crate::config::EmbeddingsEndpoint;

/// Of one request for passages. Questions have a limit of their own, and this one when their answer is only to be remembered.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_DIMENSIONS: usize = 4096;
/// Of an answer, for each text.
const MOST_BYTES_OF_EACH: usize = 256 << 10;
const MOST_EXCERPT_CHARS: usize = 200;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the key in {path} can't be read: {source}")]
    Key { path: std::path::PathBuf, source: std::io::Error },
    #[error("the embeddings endpoint did not answer: {0}")]
    Silent(String),
    #[error("the embeddings endpoint answered {status}: {says}")]
    Refused { status: StatusCode, says: String, again_in: Option<Duration> },
    #[error("the embeddings endpoint's answer can't be used: {0}")]
    Useless(String),
}

#[derive(Clone, Debug)]
pub struct Endpoint {
    http: Client,
    settings: EmbeddingsEndpoint,
    /// Learned from the first answer.
    dimensions: usize,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: usize,
    embedding: Vec<f32>,
}

impl Endpoint {
    /// Asks for the vector of one word, to learn how many dimensions there are.
    pub async fn open(settings: EmbeddingsEndpoint) -> Result<Self, Error> {
        let http = Client::builder()
            .user_agent(concat!("lineman-server/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .map_err(|error| Error::Silent(causes(error)))?;
        let mut endpoint = Self { http, settings, dimensions: 0 };
        let first = endpoint.vectors(Kind::Passage, &["lineman".to_owned()]).await?;
        endpoint.dimensions = first.first().map_or(0, |vector| vector.0.len());
        Ok(endpoint)
    }

    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// What its vectors are known by. With another prefix before the texts the same model makes other vectors.
    pub fn identity(&self) -> String {
        let EmbeddingsEndpoint { url, model, passage_prefix, .. } = &self.settings;
        format!("{model} of {url}, {} dimensions {passage_prefix}", self.dimensions).trim_end().to_owned()
    }

    pub fn batch(&self) -> u32 {
        self.settings.batch
    }

    /// The vectors of some texts, in their order.
    pub async fn vectors(&self, kind: Kind, texts: &[String]) -> Result<Vec<Vector>, Error> {
        let prefix = match kind {
            Kind::Question => &self.settings.question_prefix,
            Kind::Passage => &self.settings.passage_prefix,
        };
        let input: Vec<String> = texts.iter().map(|text| format!("{prefix}{text}")).collect();
        let body = json!({"model": self.settings.model, "input": input, "encoding_format": "float"});
        let mut request = self.http.post(format!("{}/embeddings", self.settings.url)).json(&body);
        if let Some(path) = &self.settings.key_file {
            // Read each time: a key that is exchanged is taken at once, and none lies in memory.
            let key = std::fs::read_to_string(path).map_err(|source| Error::Key { path: path.clone(), source })?;
            request = request.bearer_auth(key.trim());
        }
        let mut reply = request.send().await.map_err(|error| Error::Silent(causes(error)))?;
        let status = reply.status();
        let again_in = reply.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let most = MOST_BYTES_OF_EACH * texts.len();
        let mut bytes = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(|error| Error::Silent(causes(error)))? {
            if bytes.len() + chunk.len() > most {
                return Err(Error::Useless("it is too long".into()));
            }
            bytes.extend(chunk);
        }
        if status != StatusCode::OK {
            let says: String = String::from_utf8_lossy(&bytes).chars().take(MOST_EXCERPT_CHARS).collect();
            return Err(Error::Refused { status, says: lineman_common::printable::escape(&says), again_in });
        }
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|error| Error::Useless(error.to_string()))?;
        self.in_order(answer, texts.len())
    }

    fn in_order(&self, answer: Answer, wanted: usize) -> Result<Vec<Vector>, Error> {
        let mut data = answer.data;
        data.sort_by_key(|embedding| embedding.index);
        if data.len() != wanted || data.iter().zip(0..).any(|(embedding, at)| embedding.index != at) {
            return Err(Error::Useless(format!("it has {} vectors for {wanted} texts", data.len())));
        }
        let dimensions = if self.dimensions > 0 { self.dimensions } else { data.first().map_or(0, |first| first.embedding.len()) };
        let fits = |vector: &[f32]| vector.len() == dimensions && vector.iter().all(|x| x.is_finite()) && vector.iter().any(|x| *x != 0.0);
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) || !data.iter().all(|embedding| fits(&embedding.embedding)) {
            return Err(Error::Useless(format!("expected vectors of {dimensions} dimensions, at most {MOST_DIMENSIONS}")));
        }
        Ok(data.iter().map(|embedding| Vector(unit(&embedding.embedding))).collect())
    }
}

/// With its causes, and without the address, which the administrator knows.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
