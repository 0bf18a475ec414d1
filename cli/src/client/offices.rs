//! Routes of the support centre's organisation: offices, shifts, duty, and what changes about people.

use jiff::Timestamp;
use lineman_common::api::{
    DutyFault, DutyNow, DutyPlan, Escalate, FaultDuty, Handover, Inside, List, NewHandover, NewOverride, NewPassword, Office, Override,
    Person, Profile, Reason, Route, RouteQuestion, RoutingRule, RoutingRules, Shift, Workload,
};
use serde_json::Value;

use super::{Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

fn query<const N: usize>(texts: [(&'static str, Option<String>); N], page: &Page) -> Vec<(&'static str, String)> {
    let page = [("after", page.after.clone()), ("limit", page.limit.map(|limit| limit.to_string()))];
    texts.into_iter().chain(page).filter_map(|(key, value)| Some((key, value?))).collect()
}

/// Offices and their shifts.
impl Client {
    pub async fn offices(&self) -> Result<List<Office>> {
        self.get(&["offices"], &[]).await
    }

    pub async fn office(&self, name: &str) -> Result<Office> {
        self.get(&["offices", name], &[]).await
    }

    pub async fn new_office(&self, office: &Office) -> Result<Office> {
        self.post(&["offices"], office).await
    }

    pub async fn put_office(&self, office: &Office) -> Result<Office> {
        self.put(&["offices", office.name.as_str()], office).await
    }

    pub async fn delete_office(&self, name: &str) -> Result<()> {
        self.remove(&["offices", name]).await
    }

    pub async fn shifts(&self, office: &str) -> Result<List<Shift>> {
        self.get(&["offices", office, "shifts"], &[]).await
    }

    pub async fn put_shift(&self, office: &str, shift: &Shift) -> Result<Shift> {
        self.put(&["offices", office, "shifts", shift.name.as_str()], shift).await
    }

    pub async fn delete_shift(&self, office: &str, shift: &str) -> Result<()> {
        self.remove(&["offices", office, "shifts", shift]).await
    }

    pub async fn overrides(&self, office: &str) -> Result<List<Override>> {
        self.get(&["offices", office, "overrides"], &[]).await
    }

    pub async fn new_override(&self, office: &str, new: &NewOverride) -> Result<Override> {
        self.post(&["offices", office, "overrides"], new).await
    }

    pub async fn delete_override(&self, office: &str, id: &str) -> Result<()> {
        self.remove(&["offices", office, "overrides", id]).await
    }

    pub async fn duty_plan(&self, office: &str, from: Option<Timestamp>, to: Option<Timestamp>) -> Result<DutyPlan> {
        let times = [("from", from), ("to", to)].map(|(key, at)| (key, at.map(|at| at.to_string())));
        self.get(&["offices", office, "plan"], &query(times, &Page::default())).await
    }

    pub async fn handovers(&self, office: &str, waiting: bool, page: &Page) -> Result<List<Handover>> {
        self.get(&["offices", office, "handovers"], &query([("waiting", waiting.then(|| "true".to_owned()))], page)).await
    }

    pub async fn hand_over(&self, office: &str, new: &NewHandover) -> Result<Handover> {
        self.post(&["offices", office, "handovers"], new).await
    }

    pub async fn take_over(&self, handover: &str, note: &NewHandover) -> Result<Handover> {
        self.post(&["handovers", handover, "acknowledgement"], note).await
    }

    /// Deletes; the server has nothing to say about it.
    async fn remove(&self, segments: &[&str]) -> Result<()> {
        self.send(self.http.delete(self.url(segments))).await
    }
}

/// Duty: who, where, how much.
impl Client {
    pub async fn duty_now(&self, at: Option<Timestamp>) -> Result<List<DutyNow>> {
        self.get(&["duty", "now"], &query([("at", at.map(|at| at.to_string()))], &Page::default())).await
    }

    pub async fn workload(&self) -> Result<Workload> {
        self.get(&["duty", "workload"], &[]).await
    }

    pub async fn inside(&self, equipment: Option<String>, engineer: Option<String>, page: &Page) -> Result<List<Inside>> {
        self.get(&["duty", "inside"], &query([("equipment", equipment), ("engineer", engineer)], page)).await
    }

    pub async fn duty_faults(&self, office: Option<String>, owner: Option<String>, page: &Page) -> Result<List<DutyFault>> {
        self.get(&["duty", "faults"], &query([("office", office), ("owner", owner)], page)).await
    }

    pub async fn route(&self, question: &RouteQuestion) -> Result<Route> {
        self.post(&["duty", "route"], question).await
    }

    pub async fn routing_rules(&self) -> Result<List<RoutingRule>> {
        self.get(&["duty", "rules"], &[]).await
    }

    pub async fn put_routing_rules(&self, rules: &RoutingRules) -> Result<List<RoutingRule>> {
        self.put(&["duty", "rules"], rules).await
    }

    pub async fn fault_duty(&self, fault: &str) -> Result<FaultDuty> {
        self.get(&["faults", fault, "duty"], &[]).await
    }

    pub async fn escalate(&self, fault: &str, ask: &Escalate) -> Result<FaultDuty> {
        self.post(&["faults", fault, "escalation"], ask).await
    }

    pub async fn deescalate(&self, fault: &str, ask: &Escalate) -> Result<FaultDuty> {
        self.post(&["faults", fault, "deescalation"], ask).await
    }
}

/// What changes about people.
impl Client {
    pub async fn person(&self, name: &str) -> Result<Person> {
        self.get(&["people", name], &[]).await
    }

    pub async fn put_profile(&self, name: &str, profile: &Profile) -> Result<Person> {
        self.put(&["people", name, "profile"], profile).await
    }

    pub async fn disable_person(&self, name: &str, reason: &Reason) -> Result<Person> {
        self.post(&["people", name, "disable"], reason).await
    }

    pub async fn enable_person(&self, name: &str, reason: &Reason) -> Result<Person> {
        self.post(&["people", name, "enable"], reason).await
    }

    pub async fn put_password(&self, name: &str, new: &NewPassword) -> Result<()> {
        self.put::<_, Value>(&["people", name, "password"], new).await.map(drop)
    }
}
