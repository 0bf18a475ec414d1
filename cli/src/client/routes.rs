//! One function per route of `/api/v1`.
//!
//! Things are named by text as a person types it (`F-JW-1` or `flt_...`, `ne-1.jw.ne` or `eqp_...`): the server takes both.

use jiff::Timestamp;
use lineman_common::api::{
    Approval, Assign, Case, CaseAnswer, CaseBody, CaseSearch, ChainCheck, ChallengeReply, Clock, Close, Closed, ConsentView, Customer,
    DeviceIdentity, Diagnosis, Duplicate, EnrolmentTokenReply, Equipment, Event, Fault, FaultPage, HealthHistory, Healthz, List, Login,
    NewApiToken, NewChallenge, NewCustomer, NewEquipment, NewFault, NewLink, NewPerson, NewRequest, NewSite, Note, Pend, Person, Reason,
    RecordingReply, RecoveryCodes, Resolution, Restore, SecondFactorCode, SecondFactorSecret, Session, Site, Tier, TokenReply, TrustBundle,
};
use lineman_common::statement::Signed;
use serde_json::Value;

use super::{Client, ClientError};

/// A longer text goes as a body: servers and proxies take addresses of some kilobytes only.
const LONGEST_IN_ADDRESS: usize = 1_000;

type Result<T> = std::result::Result<T, ClientError>;

/// Narrows a list; what a list doesn't know is not sent.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<String>,
    pub state: Option<String>,
    pub customer: Option<String>,
    pub equipment: Option<String>,
    pub fault: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub after: Option<String>,
    pub limit: Option<u32>,
}

fn query(filter: &Filter, page: &Page) -> Vec<(&'static str, String)> {
    let Filter { status, state, customer, equipment, fault } = filter;
    let texts =
        [("status", status), ("state", state), ("customer", customer), ("equipment", equipment), ("fault", fault), ("after", &page.after)];
    let mut query: Vec<_> = texts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
    query.extend(page.limit.map(|limit| ("limit", limit.to_string())));
    query
}

/// Who you are, customers, people.
impl Client {
    pub async fn healthz(&self) -> Result<Healthz> {
        let (_, body) = self.call(reqwest::Method::GET, "/healthz", &[], None).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    pub async fn login(&self, login: &Login) -> Result<TokenReply> {
        self.post(&["login"], login).await
    }

    pub async fn begin_second_factor(&self) -> Result<SecondFactorSecret> {
        self.post_empty(&["second-factor"]).await
    }

    pub async fn confirm_second_factor(&self, code: &SecondFactorCode) -> Result<RecoveryCodes> {
        self.post(&["second-factor", "confirmation"], code).await
    }

    pub async fn give_up_second_factor(&self, code: &SecondFactorCode) -> Result<()> {
        self.post::<_, Value>(&["second-factor", "removal"], code).await.map(drop)
    }

    pub async fn take_second_factor_away(&self, name: &str, reason: &Reason) -> Result<Person> {
        self.post(&["people", name, "second-factor", "removal"], reason).await
    }

    pub async fn sign_out_everywhere(&self, name: &str) -> Result<()> {
        self.post_empty::<Value>(&["people", name, "sign-out"]).await.map(drop)
    }

    pub async fn logout(&self) -> Result<()> {
        self.post_empty::<Value>(&["logout"]).await.map(drop)
    }

    pub async fn whoami(&self) -> Result<Person> {
        self.get(&["whoami"], &[]).await
    }

    pub async fn tiers(&self) -> Result<List<Tier>> {
        self.get(&["tiers"], &[]).await
    }

    pub async fn put_tier(&self, tier: &Tier) -> Result<Tier> {
        self.put(&["tiers", &tier.name], tier).await
    }

    pub async fn customers(&self) -> Result<List<Customer>> {
        self.get(&["customers"], &[]).await
    }

    pub async fn new_customer(&self, new: &NewCustomer) -> Result<Customer> {
        self.post(&["customers"], new).await
    }

    pub async fn sites(&self) -> Result<List<Site>> {
        self.get(&["sites"], &[]).await
    }

    pub async fn new_site(&self, new: &NewSite) -> Result<Site> {
        self.post(&["sites"], new).await
    }

    pub async fn people(&self) -> Result<List<Person>> {
        self.get(&["people"], &[]).await
    }

    pub async fn new_person(&self, new: &NewPerson) -> Result<Person> {
        self.post(&["people"], new).await
    }

    pub async fn new_token(&self, person: &str, new: &NewApiToken) -> Result<TokenReply> {
        self.post(&["people", person, "tokens"], new).await
    }

    pub async fn audit_chain(&self, customer: Option<&str>) -> Result<List<ChainCheck>> {
        let query: Vec<_> = customer.map(|customer| ("customer", customer.to_owned())).into_iter().collect();
        self.get(&["audit", "chain"], &query).await
    }
}

/// Equipment and trust.
impl Client {
    pub async fn equipment(&self, filter: &Filter, page: &Page) -> Result<List<Equipment>> {
        self.get(&["equipment"], &query(filter, page)).await
    }

    pub async fn new_equipment(&self, new: &NewEquipment) -> Result<Equipment> {
        self.post(&["equipment"], new).await
    }

    pub async fn equipment_show(&self, ne: &str) -> Result<Equipment> {
        self.get(&["equipment", ne], &[]).await
    }

    pub async fn enrolment_token(&self, ne: &str) -> Result<EnrolmentTokenReply> {
        self.post_empty(&["equipment", ne, "enrolment-token"]).await
    }

    pub async fn identity(&self, ne: &str) -> Result<DeviceIdentity> {
        self.get(&["equipment", ne, "identity"], &[]).await
    }

    /// Stores a device statement that the carrier's technician signed.
    pub async fn put_statement(&self, ne: &str, statement: &Signed) -> Result<()> {
        self.put::<_, Value>(&["equipment", ne, "statement"], statement).await.map(drop)
    }

    pub async fn health(&self, ne: &str, from: Option<Timestamp>, to: Option<Timestamp>, limit: Option<u32>) -> Result<HealthHistory> {
        let mut query: Vec<_> = [("from", from), ("to", to)].into_iter().filter_map(|(key, time)| Some((key, time?.to_string()))).collect();
        query.extend(limit.map(|limit| ("limit", limit.to_string())));
        self.get(&["equipment", ne, "health"], &query).await
    }

    pub async fn report_now(&self, ne: &str) -> Result<()> {
        self.post_empty::<Value>(&["equipment", ne, "report-now"]).await.map(drop)
    }

    pub async fn roster(&self) -> Result<Signed> {
        self.get(&["trust", "roster"], &[]).await
    }

    pub async fn put_roster(&self, roster: &Signed) -> Result<()> {
        self.put::<_, Value>(&["trust", "roster"], roster).await.map(drop)
    }

    pub async fn put_anchors(&self, customer: &str, anchors: &Signed) -> Result<()> {
        self.put::<_, Value>(&["trust", "anchors", customer], anchors).await.map(drop)
    }

    pub async fn trust(&self, customer: &str) -> Result<TrustBundle> {
        self.get(&["trust", customer], &[]).await
    }
}

/// Faults.
impl Client {
    pub async fn new_fault(&self, new: &NewFault) -> Result<Fault> {
        self.post(&["faults"], new).await
    }

    pub async fn fault(&self, fault: &str) -> Result<FaultPage> {
        self.get(&["faults", fault], &[]).await
    }

    pub async fn accept(&self, fault: &str) -> Result<Fault> {
        self.post_empty(&["faults", fault, "accept"]).await
    }

    pub async fn assign(&self, fault: &str, to: &Assign) -> Result<Fault> {
        self.post(&["faults", fault, "assign"], to).await
    }

    pub async fn note(&self, fault: &str, note: &Note) -> Result<Fault> {
        self.post(&["faults", fault, "notes"], note).await
    }

    pub async fn pend(&self, fault: &str, pend: &Pend) -> Result<Fault> {
        self.post(&["faults", fault, "pending"], pend).await
    }

    pub async fn resume(&self, fault: &str) -> Result<Fault> {
        self.post_empty(&["faults", fault, "resume"]).await
    }

    pub async fn diagnose(&self, fault: &str, diagnosis: &Diagnosis) -> Result<Fault> {
        self.post(&["faults", fault, "diagnosis"], diagnosis).await
    }

    pub async fn restore(&self, fault: &str, restore: &Restore) -> Result<Fault> {
        self.post(&["faults", fault, "restoration"], restore).await
    }

    pub async fn resolve(&self, fault: &str, resolution: &Resolution) -> Result<Fault> {
        self.post(&["faults", fault, "resolution"], resolution).await
    }

    pub async fn close(&self, fault: &str, close: &Close) -> Result<Closed> {
        self.post(&["faults", fault, "closure"], close).await
    }

    pub async fn reopen(&self, fault: &str, reason: &Reason) -> Result<Fault> {
        self.post(&["faults", fault, "reopening"], reason).await
    }

    pub async fn reject(&self, fault: &str, reason: &Reason) -> Result<Fault> {
        self.post(&["faults", fault, "rejection"], reason).await
    }

    pub async fn cancel(&self, fault: &str, reason: &Reason) -> Result<Fault> {
        self.post(&["faults", fault, "cancellation"], reason).await
    }

    pub async fn duplicate(&self, fault: &str, of: &Duplicate) -> Result<Fault> {
        self.post(&["faults", fault, "duplicate"], of).await
    }

    pub async fn clocks(&self, fault: &str) -> Result<List<Clock>> {
        self.get(&["faults", fault, "clocks"], &[]).await
    }

    pub async fn timeline(&self, fault: &str) -> Result<List<Event>> {
        self.get(&["faults", fault, "timeline"], &[]).await
    }
}

/// Consents and sessions.
impl Client {
    pub async fn challenge(&self, new: &NewChallenge) -> Result<ChallengeReply> {
        self.post(&["consents", "challenge"], new).await
    }

    pub async fn request(&self, request: Signed) -> Result<ConsentView> {
        self.post(&["consents"], &NewRequest { request }).await
    }

    pub async fn consents(&self, filter: &Filter) -> Result<List<ConsentView>> {
        self.get(&["consents"], &query(filter, &Page::default())).await
    }

    /// With the signed request, the consent, and what they are checked against.
    pub async fn consent(&self, id: &str) -> Result<ConsentView> {
        self.get(&["consents", id], &[]).await
    }

    pub async fn approve(&self, id: &str, consent: Signed) -> Result<ConsentView> {
        self.post(&["consents", id, "approval"], &Approval { consent }).await
    }

    pub async fn refuse(&self, id: &str, reason: &Reason) -> Result<ConsentView> {
        self.post(&["consents", id, "refusal"], reason).await
    }

    pub async fn revoke(&self, id: &str, reason: &Reason) -> Result<ConsentView> {
        self.post(&["consents", id, "revocation"], reason).await
    }

    pub async fn sessions(&self, filter: &Filter) -> Result<List<Session>> {
        self.get(&["sessions"], &query(filter, &Page::default())).await
    }

    pub async fn session(&self, id: &str) -> Result<Session> {
        self.get(&["sessions", id], &[]).await
    }

    /// The whole recording, page by page.
    pub async fn recording(&self, id: &str) -> Result<RecordingReply> {
        let mut whole = self.recording_page(id, 0).await?;
        while let Some(from) = whole.next {
            let page = self.recording_page(id, from).await?;
            if page.next.is_some_and(|next| next <= from) {
                return Err(ClientError::NotLineman { status: 200, body: "a recording without an end".into() });
            }
            whole.recording.push_str(&page.recording);
            (whole.session, whole.next) = (page.session, page.next);
        }
        Ok(whole)
    }

    /// A page may be long: only silence ends the wait, not its length.
    async fn recording_page(&self, id: &str, from: u64) -> Result<RecordingReply> {
        let response = self.reply(self.http.get(self.url(&["sessions", id, "recording"])).query(&[("from", from)])).await?;
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        Ok(serde_json::from_slice(&body)?)
    }

    pub async fn kill(&self, id: &str, reason: &Reason) -> Result<Session> {
        self.post(&["sessions", id, "kill"], reason).await
    }
}

/// The case library.
impl Client {
    /// In the query grammar: words, `key:value`, `-key:value`.
    pub async fn search_cases(&self, text: &str, limit: Option<u32>, facets: bool) -> Result<CaseAnswer> {
        if text.len() > LONGEST_IN_ADDRESS {
            let search = CaseSearch { q: text.to_owned(), limit, typing: false, facets };
            return self.post(&["cases", "search"], &search).await;
        }
        let mut query = vec![("q", text.to_owned())];
        query.extend(limit.map(|limit| ("limit", limit.to_string())));
        query.extend(facets.then(|| ("facets", true.to_string())));
        self.get(&["cases"], &query).await
    }

    pub async fn case(&self, case: &str) -> Result<Case> {
        self.get(&["cases", case], &[]).await
    }

    pub async fn new_case(&self, body: &CaseBody) -> Result<Case> {
        self.post(&["cases"], body).await
    }

    pub async fn submit_case(&self, case: &str) -> Result<Case> {
        self.post_empty(&["cases", case, "submission"]).await
    }

    pub async fn publish_case(&self, case: &str) -> Result<Case> {
        self.post_empty(&["cases", case, "publication"]).await
    }

    pub async fn archive_case(&self, case: &str) -> Result<Case> {
        self.post_empty(&["cases", case, "archival"]).await
    }

    pub async fn link_case(&self, case: &str, link: &NewLink) -> Result<Case> {
        self.post(&["cases", case, "links"], link).await
    }

    pub async fn draft_case(&self, fault: &str) -> Result<Case> {
        self.post_empty(&["faults", fault, "case-draft"]).await
    }
}
