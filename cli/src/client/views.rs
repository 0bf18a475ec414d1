//! Lists that are asked for in the common grammar, and saved views.

use jiff::tz::TimeZone;
use lineman_common::api::{EditView, EquipmentRow, FaultRow, List, Listing, NewView, SavedView, SessionRow, ViewList};
use lineman_common::id::ViewId;
use serde::de::DeserializeOwned;

use super::{Client, ClientError, FaultFilter, Page};

type Result<T> = std::result::Result<T, ClientError>;

/// A question in the common grammar, and the order of the answer.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    pub q: Option<String>,
    pub sort: Option<String>,
}

impl Ask {
    /// The server reads dates in this machine's time zone.
    pub fn parts(&self) -> Vec<(&'static str, String)> {
        let zone = self.q.as_ref().and_then(|_| TimeZone::system().iana_name().map(str::to_owned));
        let parts = [("q", self.q.clone()), ("sort", self.sort.clone()), ("zone", zone)];
        parts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

impl Client {
    async fn rows<T: DeserializeOwned>(&self, list: &str, mut parts: Vec<(&'static str, String)>, page: &Page) -> Result<Listing<T>> {
        parts.extend(page.after.clone().map(|after| ("after", after)));
        parts.extend(page.limit.map(|limit| ("limit", limit.to_string())));
        self.get(&[list], &parts).await
    }

    pub async fn fault_rows(&self, filter: &FaultFilter, ask: &Ask, page: &Page) -> Result<Listing<FaultRow>> {
        self.rows("faults", [filter.parts(), ask.parts()].concat(), page).await
    }

    pub async fn session_rows(&self, filter: &[(&'static str, String)], ask: &Ask, page: &Page) -> Result<Listing<SessionRow>> {
        self.rows("sessions", [filter, &ask.parts()].concat(), page).await
    }

    pub async fn equipment_rows(&self, filter: &[(&'static str, String)], ask: &Ask, page: &Page) -> Result<Listing<EquipmentRow>> {
        self.rows("equipment", [filter, &ask.parts()].concat(), page).await
    }

    pub async fn views(&self, list: Option<ViewList>) -> Result<List<SavedView>> {
        let parts: Vec<_> = list.map(|list| ("list", list.to_string())).into_iter().collect();
        self.get(&["views"], &parts).await
    }

    pub async fn view(&self, view: ViewId) -> Result<SavedView> {
        self.get(&["views", &view.to_string()], &[]).await
    }

    pub async fn new_view(&self, new: &NewView) -> Result<SavedView> {
        self.post(&["views"], new).await
    }

    pub async fn edit_view(&self, view: ViewId, edit: &EditView) -> Result<SavedView> {
        self.send(self.http.patch(self.url(&["views", &view.to_string()])).json(edit)).await
    }

    pub async fn delete_view(&self, view: ViewId) -> Result<SavedView> {
        self.send(self.http.delete(self.url(&["views", &view.to_string()]))).await
    }
}
