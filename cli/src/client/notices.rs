//! Routes of notices: one's own preferences and targets, the delivery log, what is told again.

use lineman_common::api::{
    AddedTarget, List, NewNoticeTarget, NoticePage, NoticePreferences, NoticeRepeat, NoticeTarget, NoticeView, RepeatAcknowledgement,
    Replay, Replayed,
};

use super::{Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

/// Narrows the delivery log.
#[derive(Clone, Debug, Default)]
pub struct NoticeFilter {
    pub target: Option<String>,
    pub fault: Option<String>,
    pub state: Option<String>,
}

fn whose(person: Option<&str>) -> Vec<(&'static str, String)> {
    person.map(|person| ("person", person.to_owned())).into_iter().collect()
}

fn paged(page: &Page) -> Vec<(&'static str, String)> {
    let after = page.after.clone().map(|after| ("after", after));
    after.into_iter().chain(page.limit.map(|limit| ("limit", limit.to_string()))).collect()
}

impl Client {
    pub async fn notice_preferences(&self, person: Option<&str>) -> Result<NoticePreferences> {
        self.get(&["notices", "preferences"], &whose(person)).await
    }

    pub async fn put_notice_preferences(&self, person: Option<&str>, wanted: &NoticePreferences) -> Result<NoticePreferences> {
        self.send(self.http.put(self.url(&["notices", "preferences"])).query(&whose(person)).json(wanted)).await
    }

    pub async fn notice_targets(&self, page: &Page) -> Result<List<NoticeTarget>> {
        self.get(&["notices", "targets"], &paged(page)).await
    }

    pub async fn notice_target(&self, id: &str) -> Result<NoticeTarget> {
        self.get(&["notices", "targets", id], &[]).await
    }

    pub async fn add_notice_target(&self, new: &NewNoticeTarget) -> Result<AddedTarget> {
        self.post(&["notices", "targets"], new).await
    }

    pub async fn remove_notice_target(&self, id: &str) -> Result<NoticeTarget> {
        self.send(self.http.delete(self.url(&["notices", "targets", id]))).await
    }

    pub async fn rotate_notice_secret(&self, id: &str) -> Result<AddedTarget> {
        self.post_empty(&["notices", "targets", id, "secret"]).await
    }

    /// Sends a test; how it went shows in the log a moment later.
    pub async fn test_notice_target(&self, id: &str) -> Result<NoticeTarget> {
        self.post_empty(&["notices", "targets", id, "test"]).await
    }

    pub async fn notice_log(&self, filter: &NoticeFilter, page: &Page) -> Result<List<NoticeView>> {
        let NoticeFilter { target, fault, state } = filter;
        let texts = [("target", target), ("fault", fault), ("state", state)];
        let mut query: Vec<_> = texts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect();
        query.extend(paged(page));
        self.get(&["notices"], &query).await
    }

    pub async fn notice(&self, id: &str) -> Result<NoticePage> {
        self.get(&["notices", id], &[]).await
    }

    pub async fn replay_notice(&self, id: &str) -> Result<NoticePage> {
        self.post_empty(&["notices", id, "replay"]).await
    }

    pub async fn replay_notices(&self, wanted: &Replay) -> Result<Replayed> {
        self.post(&["notices", "replay"], wanted).await
    }

    pub async fn acknowledge_repeat(&self, fault: &str, why: &RepeatAcknowledgement) -> Result<NoticeRepeat> {
        self.post(&["faults", fault, "notices", "acknowledgement"], why).await
    }
}
