//! Routes of those who allow: standing statements, signer lists, the switch that stops a customer, notices.

use lineman_common::api::{
    Customer, List, NewStanding, NoticeSettings, NoticesView, Reason, SignersPublication, SignersView, StandingView,
};
use lineman_common::statement::Signed;
use serde_json::Value;

use super::{Client, ClientError};

type Result<T> = std::result::Result<T, ClientError>;

/// Standing statements.
impl Client {
    /// The same terms, signed by as many people as the devices want.
    pub async fn new_standing(&self, statements: Vec<Signed>) -> Result<StandingView> {
        self.post(&["standing"], &NewStanding { statements }).await
    }

    pub async fn standings(&self, customer: Option<&str>, fault: Option<&str>) -> Result<List<StandingView>> {
        let query: Vec<_> =
            [("customer", customer), ("fault", fault)].into_iter().filter_map(|(key, value)| Some((key, value?.to_owned()))).collect();
        self.get(&["standing"], &query).await
    }

    pub async fn standing(&self, id: &str) -> Result<StandingView> {
        self.get(&["standing", id], &[]).await
    }

    pub async fn revoke_standing(&self, id: &str, reason: &Reason) -> Result<StandingView> {
        self.post(&["standing", id, "revocation"], reason).await
    }
}

/// Signer lists, and what devices say that they hold.
impl Client {
    pub async fn signers(&self, customer: &str) -> Result<SignersView> {
        self.get(&["trust", "signers", customer], &[]).await
    }

    pub async fn put_signers(&self, customer: &str, signed: Vec<Signed>) -> Result<()> {
        self.put::<_, Value>(&["trust", "signers", customer], &SignersPublication { signed }).await.map(drop)
    }
}

/// The switch, and who is told.
impl Client {
    pub async fn stop_customer(&self, customer: &str, reason: &Reason) -> Result<Customer> {
        self.post(&["customers", customer, "stop"], reason).await
    }

    pub async fn resume_customer(&self, customer: &str, reason: &Reason) -> Result<Customer> {
        self.post(&["customers", customer, "resume"], reason).await
    }

    pub async fn notices(&self, customer: &str) -> Result<NoticesView> {
        self.get(&["customers", customer, "notices"], &[]).await
    }

    pub async fn put_notices(&self, customer: &str, settings: &NoticeSettings) -> Result<NoticesView> {
        self.put(&["customers", customer, "notices"], settings).await
    }

    /// Sends a test notice to every target; how that went shows in the notices a moment later.
    pub async fn test_notices(&self, customer: &str) -> Result<NoticesView> {
        self.post_empty(&["customers", customer, "notices", "test"]).await
    }
}
