//! How people get in: roles, links, tokens.

use lineman_common::api::{ApiToken, List, NewRole, NewSignInLink, Person, SignInLink};

use super::{Client, ClientError};

type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    pub async fn put_role(&self, name: &str, new: &NewRole) -> Result<Person> {
        self.put(&["people", name, "role"], new).await
    }

    pub async fn sign_in_link(&self, name: &str, new: &NewSignInLink) -> Result<SignInLink> {
        self.post(&["people", name, "sign-in-links"], new).await
    }

    pub async fn tokens(&self, name: &str) -> Result<List<ApiToken>> {
        self.get(&["people", name, "tokens"], &[]).await
    }

    pub async fn end_token(&self, name: &str, token: &str) -> Result<()> {
        self.send(self.http.delete(self.url(&["people", name, "tokens", token]))).await
    }
}
