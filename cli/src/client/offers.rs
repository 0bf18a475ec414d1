//! Routes around offers and drafts: suggestions, signals, deflections, evidence, the masking of a draft.

use lineman_common::api::{
    Deflection, DraftChange, DraftReview, Evidence, List, NewDeflection, NewEvidence, NewSignals, OfferRecord, Reason, SignalRetention,
    SignalsStored, Suggestions, Typed,
};

use super::{CALL_TIMEOUT, Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

impl Page {
    fn query(&self) -> Vec<(&'static str, String)> {
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        self.after.iter().map(|after| ("after", after.clone())).chain(limit).collect()
    }
}

impl Client {
    /// What fits a fault while it is being written.
    pub async fn suggest(&self, typed: &Typed) -> Result<Suggestions> {
        self.post(&["cases", "suggest"], typed).await
    }

    pub async fn similar(&self, fault: &str) -> Result<Suggestions> {
        self.get(&["faults", fault, "similar"], &[]).await
    }

    /// Tells what came of offers.
    pub async fn tell_signals(&self, signals: &NewSignals) -> Result<SignalsStored> {
        self.post(&["cases", "signals"], signals).await
    }

    pub async fn signals(&self, page: &Page) -> Result<List<OfferRecord>> {
        self.get(&["cases", "signals"], &page.query()).await
    }

    pub async fn signal_retention(&self) -> Result<SignalRetention> {
        self.get(&["cases", "signals", "retention"], &[]).await
    }

    pub async fn put_signal_retention(&self, new: SignalRetention) -> Result<SignalRetention> {
        self.put(&["cases", "signals", "retention"], &new).await
    }

    pub async fn deflections(&self, page: &Page) -> Result<List<Deflection>> {
        self.get(&["cases", "deflections"], &page.query()).await
    }

    pub async fn deflect(&self, case: &str, new: &NewDeflection) -> Result<Deflection> {
        self.post(&["cases", case, "deflections"], new).await
    }

    pub async fn undo_deflection(&self, case: &str, deflection: &str) -> Result<Deflection> {
        self.post_empty(&["cases", case, "deflections", deflection, "undo"]).await
    }

    pub async fn evidence(&self, case: &str) -> Result<List<Evidence>> {
        self.get(&["cases", case, "evidence"], &[]).await
    }

    pub async fn add_evidence(&self, case: &str, new: &NewEvidence) -> Result<Evidence> {
        self.post(&["cases", case, "evidence"], new).await
    }

    /// The content: a file, or a clip as asciicast.
    pub async fn evidence_content(&self, case: &str, evidence: &str) -> Result<Vec<u8>> {
        let request = self.http.get(self.url(&["cases", case, "evidence", evidence, "content"])).timeout(CALL_TIMEOUT);
        let response = self.reply(request).await?;
        Ok(response.bytes().await.map_err(|e| self.unreachable(&e))?.to_vec())
    }

    pub async fn release_evidence(&self, case: &str, evidence: &str, reason: &Reason) -> Result<Evidence> {
        self.post(&["cases", case, "evidence", evidence, "release"], reason).await
    }

    pub async fn remove_evidence(&self, case: &str, evidence: &str, reason: &Reason) -> Result<Evidence> {
        self.post(&["cases", case, "evidence", evidence, "removal"], reason).await
    }

    /// What was taken out of a draft.
    pub async fn draft_review(&self, case: &str) -> Result<DraftReview> {
        self.get(&["cases", case, "draft"], &[]).await
    }

    pub async fn change_draft(&self, case: &str, change: &DraftChange) -> Result<DraftReview> {
        self.post(&["cases", case, "draft"], change).await
    }
}
