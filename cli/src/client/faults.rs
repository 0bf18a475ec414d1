//! Routes around faults: editing, merging, activities, links, attachments, presence, problems.

use jiff::Timestamp;
use lineman_common::api::{
    Activity, ActivityChange, AttachFaults, Attachment, Beat, Closing, EditFault, EditProblem, Fault, FaultLink, List, Matches, Merge,
    NewActivity, NewFaultLink, NewProblem, Present, ProblemResolution, ProblemView, Reason,
};
use lineman_common::fault::Doing;
use reqwest::header::IF_MATCH;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt;

use super::{CALL_TIMEOUT, Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

/// Narrows the list of faults; what is absent is not asked for.
#[derive(Clone, Debug, Default)]
pub struct FaultFilter {
    pub status: Option<String>,
    pub customer: Option<String>,
    pub equipment: Option<String>,
    pub owner: Option<String>,
    pub kind: Option<String>,
    pub severity: Option<String>,
    pub text: Option<String>,
    pub customer_reference: Option<String>,
    pub since: Option<Timestamp>,
    pub problem: Option<String>,
}

impl FaultFilter {
    pub(super) fn parts(&self) -> Vec<(&'static str, String)> {
        let Self { status, customer, equipment, owner, kind, severity, text, customer_reference, since, problem } = self.clone();
        let parts = [
            ("status", status),
            ("customer", customer),
            ("equipment", equipment),
            ("owner", owner),
            ("kind", kind),
            ("severity", severity),
            ("text", text),
            ("customer_reference", customer_reference),
            ("since", since.map(|since| since.to_string())),
            ("problem", problem),
        ];
        parts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

/// The version that a change is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(pub u64);

impl Client {
    async fn patch<B: Serialize + ?Sized, T: DeserializeOwned>(&self, segments: &[&str], seen: Seen, body: &B) -> Result<T> {
        let request = self.http.patch(self.url(segments)).header(IF_MATCH, format!("\"{}\"", seen.0));
        self.send(request.json(body)).await
    }

    async fn delete<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T> {
        self.send(self.http.delete(self.url(segments))).await
    }

    pub async fn edit_fault(&self, fault: &str, seen: Seen, edit: &EditFault) -> Result<Fault> {
        self.patch(&["faults", fault], seen, edit).await
    }

    pub async fn merge(&self, fault: &str, merge: &Merge) -> Result<Fault> {
        self.post(&["faults", fault, "merge"], merge).await
    }

    pub async fn unmerge(&self, fault: &str, reason: &Reason) -> Result<Fault> {
        self.post(&["faults", fault, "unmerge"], reason).await
    }

    pub async fn links(&self, fault: &str) -> Result<List<FaultLink>> {
        self.get(&["faults", fault, "links"], &[]).await
    }

    pub async fn link_fault(&self, fault: &str, link: &NewFaultLink) -> Result<List<FaultLink>> {
        self.post(&["faults", fault, "links"], link).await
    }

    pub async fn unlink_fault(&self, fault: &str, other: &str) -> Result<List<FaultLink>> {
        self.delete(&["faults", fault, "links", other]).await
    }

    pub async fn activities(&self, fault: &str) -> Result<List<Activity>> {
        self.get(&["faults", fault, "activities"], &[]).await
    }

    pub async fn new_activity(&self, fault: &str, new: &NewActivity) -> Result<Activity> {
        self.post(&["faults", fault, "activities"], new).await
    }

    /// `step` is `start`, `end` or `cancel`.
    pub async fn change_activity(&self, fault: &str, activity: &str, step: &str, change: &ActivityChange) -> Result<Activity> {
        self.post(&["faults", fault, "activities", activity, step], change).await
    }

    pub async fn present(&self, fault: &str) -> Result<List<Present>> {
        self.get(&["faults", fault, "presence"], &[]).await
    }

    pub async fn beat(&self, fault: &str, doing: Doing) -> Result<List<Present>> {
        self.put(&["faults", fault, "presence"], &Beat { doing }).await
    }

    pub async fn attachments(&self, fault: &str) -> Result<List<Attachment>> {
        self.get(&["faults", fault, "attachments"], &[]).await
    }

    pub async fn attach(&self, fault: &str, name: &str, internal: bool, bytes: Vec<u8>) -> Result<Attachment> {
        let request = self.http.post(self.url(&["faults", fault, "attachments"])).query(&[("name", name)]).query(&[("internal", internal)]);
        let request = request.header("content-type", "application/octet-stream").body(bytes);
        Ok(serde_json::from_slice(&self.bytes_once(request.timeout(CALL_TIMEOUT)).await?)?)
    }

    /// Writes a file's content out as it comes; answers how many bytes it was. Only silence ends the wait, not its length.
    pub async fn download(&self, fault: &str, attachment: &str, to: &mut tokio::fs::File) -> Result<std::io::Result<u64>> {
        let mut response = self.reply(self.http.get(self.url(&["faults", fault, "attachments", attachment]))).await?;
        let mut written = 0;
        while let Some(part) = response.chunk().await.map_err(|e| self.unreachable(&e))? {
            if let Err(error) = to.write_all(&part).await {
                return Ok(Err(error));
            }
            written += part.len() as u64;
        }
        Ok(to.flush().await.map(|()| written))
    }

    pub async fn delete_attachment(&self, fault: &str, attachment: &str, reason: &Reason) -> Result<Attachment> {
        self.post(&["faults", fault, "attachments", attachment, "deletion"], reason).await
    }

    pub async fn closing(&self) -> Result<List<Closing>> {
        self.get(&["closing"], &[]).await
    }

    pub async fn put_closing(&self, closing: &Closing) -> Result<List<Closing>> {
        self.put(&["closing"], closing).await
    }
}

/// Problems.
impl Client {
    pub async fn problems(&self, state: Option<&str>, page: &Page) -> Result<List<ProblemView>> {
        let parts =
            [("state", state.map(str::to_owned)), ("after", page.after.clone()), ("limit", page.limit.map(|limit| limit.to_string()))];
        let query: Vec<_> = parts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        self.get(&["problems"], &query).await
    }

    pub async fn problem(&self, problem: &str) -> Result<ProblemView> {
        self.get(&["problems", problem], &[]).await
    }

    pub async fn new_problem(&self, new: &NewProblem) -> Result<ProblemView> {
        self.post(&["problems"], new).await
    }

    pub async fn edit_problem(&self, problem: &str, seen: Seen, edit: &EditProblem) -> Result<ProblemView> {
        self.patch(&["problems", problem], seen, edit).await
    }

    pub async fn problem_matches(&self, problem: &str) -> Result<Matches> {
        self.get(&["problems", problem, "matches"], &[]).await
    }

    pub async fn attach_faults(&self, problem: &str, which: &AttachFaults) -> Result<ProblemView> {
        self.post(&["problems", problem, "faults"], which).await
    }

    pub async fn detach_fault(&self, problem: &str, fault: &str) -> Result<ProblemView> {
        self.delete(&["problems", problem, "faults", fault]).await
    }

    pub async fn resolve_problem(&self, problem: &str, resolution: &ProblemResolution) -> Result<ProblemView> {
        self.post(&["problems", problem, "resolution"], resolution).await
    }

    pub async fn reopen_problem(&self, problem: &str, reason: &Reason) -> Result<ProblemView> {
        self.post(&["problems", problem, "reopening"], reason).await
    }
}
