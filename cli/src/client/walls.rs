//! Routes of walls, of the audit list and of the server itself.

use lineman_common::api::{Event, List, NewWallToken, System, Wall, WallToken, WallTokenReply};

use super::{Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

/// What of the log is wanted; what is absent is not sent.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    pub customer: Option<String>,
    pub kinds: Vec<String>,
    pub actor: Option<String>,
    pub since: Option<String>,
    pub until: Option<String>,
}

impl Client {
    pub async fn wall(&self, customer: Option<&str>, zone: Option<&str>) -> Result<Wall> {
        let texts = [("customer", customer), ("zone", zone)];
        let asked: Vec<_> = texts.into_iter().filter_map(|(key, value)| Some((key, value?.to_owned()))).collect();
        self.get(&["wall"], &asked).await
    }

    pub async fn wall_tokens(&self) -> Result<List<WallToken>> {
        self.get(&["wall-tokens"], &[]).await
    }

    pub async fn new_wall_token(&self, new: &NewWallToken) -> Result<WallTokenReply> {
        self.post(&["wall-tokens"], new).await
    }

    pub async fn revoke_wall_token(&self, wall: &str) -> Result<WallToken> {
        self.send(self.http.delete(self.url(&["wall-tokens", wall]))).await
    }

    pub async fn audit(&self, query: &AuditQuery, page: &Page) -> Result<List<Event>> {
        let AuditQuery { customer, kinds, actor, since, until } = query;
        let kind = (!kinds.is_empty()).then(|| kinds.join(","));
        let limit = page.limit.map(|limit| limit.to_string());
        let texts = [
            ("customer", customer),
            ("kind", &kind),
            ("actor", actor),
            ("since", since),
            ("until", until),
            ("after", &page.after),
            ("limit", &limit),
        ];
        let asked: Vec<_> = texts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
        self.get(&["audit"], &asked).await
    }

    pub async fn system(&self) -> Result<System> {
        self.get(&["system"], &[]).await
    }
}
