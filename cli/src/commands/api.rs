//! `lineman api`: any route, for what has no command of its own.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use lineman_common::Printable;
use lineman_common::error::Problem;
use reqwest::Method;
use serde_json::{Map, Value};

use super::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{pretty, write_bytes, write_out};

/// Call any route of the API, signed in as you are
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman api GET /api/v1/faults -f status=all
  lineman api POST /api/v1/faults/F-JW-1/notes -f text='seen' -F internal=true
  lineman api PUT /api/v1/tiers/gold --input tier.json")]
pub struct Api {
    #[arg(value_parser = method)]
    method: Method,
    /// Like /api/v1/faults; without `/api/v1` in front it is added
    path: String,
    /// A text field: of the query for GET and DELETE, of the JSON body otherwise
    #[arg(short = 'f', long = "field", value_name = "KEY=TEXT", value_parser = pair)]
    fields: Vec<(String, String)>,
    /// A field whose value is JSON: a number, true, a list
    #[arg(short = 'F', long = "json-field", value_name = "KEY=JSON", value_parser = pair)]
    json_fields: Vec<(String, String)>,
    /// Send this file as the body; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fields", "json_fields"])]
    input: Option<PathBuf>,
}

fn method(text: &str) -> Result<Method, String> {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    known
        .into_iter()
        .find(|method| method.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| "expected GET, POST, PUT, PATCH or DELETE".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl Api {
    pub async fn run(self, app: &App) -> Outcome {
        let path = if self.path.starts_with('/') { self.path.clone() } else { format!("/api/v1/{}", self.path) };
        let in_query = matches!(self.method, Method::GET | Method::DELETE);
        let query: Vec<_> = if in_query { self.fields.iter().chain(&self.json_fields).cloned().collect() } else { Vec::new() };
        let body = if in_query { None } else { self.body()? };
        let (status, body) = app.client()?.call(self.method, &path, &query, body).await?;
        if !(200..300).contains(&status) {
            let problem = serde_json::from_slice::<Problem>(&body);
            return Err(problem.map_or_else(|_| Failure::failed(format!("the server answered {status}")), Failure::from));
        }
        match pretty(&body).filter(|_| app.out.is_json() || std::io::stdout().is_terminal()) {
            Some(text) => write_out(&(text + "\n"))?,
            None if std::io::stdout().is_terminal() => {
                write_out(&(Printable::from(String::from_utf8_lossy(&body).into_owned()).block() + "\n"))?;
            }
            None => write_bytes(&body)?,
        }
        Ok(Exit::Done)
    }

    fn body(&self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(path) = &self.input {
            let read = if path.as_os_str() == "-" {
                std::io::read_to_string(std::io::stdin()).map(String::into_bytes)
            } else {
                std::fs::read(path)
            };
            return read.map(Some).map_err(|e| Failure::failed(format!("can't read {}: {e}", path.display())));
        }
        if self.fields.is_empty() && self.json_fields.is_empty() {
            return Ok(None);
        }
        let mut body = Map::new();
        for (key, value) in &self.fields {
            body.insert(key.clone(), Value::String(value.clone()));
        }
        for (key, value) in &self.json_fields {
            let value = serde_json::from_str(value).map_err(|e| Failure::usage(format!("-F {key}=...: the value is not JSON ({e})")))?;
            body.insert(key.clone(), value);
        }
        Ok(Some(Value::Object(body).to_string().into_bytes()))
    }
}
