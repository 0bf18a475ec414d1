//! Routes of what the clocks are judged by: calendars, tiers, contracts.

use jiff::Timestamp;
use lineman_common::api::{Calendar, CalendarPreview, Contract, List, NewContract, Tier};

use super::{Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

fn query<const N: usize>(texts: [(&'static str, Option<String>); N], page: &Page) -> Vec<(&'static str, String)> {
    let page = [("after", page.after.clone()), ("limit", page.limit.map(|limit| limit.to_string()))];
    texts.into_iter().chain(page).filter_map(|(key, value)| Some((key, value?))).collect()
}

impl Client {
    pub async fn calendars(&self, page: &Page) -> Result<List<Calendar>> {
        self.get(&["calendars"], &query([], page)).await
    }

    pub async fn calendar(&self, name: &str) -> Result<Calendar> {
        self.get(&["calendars", name], &[]).await
    }

    pub async fn put_calendar(&self, calendar: &Calendar) -> Result<Calendar> {
        self.put(&["calendars", &calendar.name], calendar).await
    }

    pub async fn delete_calendar(&self, name: &str) -> Result<Calendar> {
        self.send(self.http.delete(self.url(&["calendars", name]))).await
    }

    /// When would a target end?
    pub async fn preview_calendar(
        &self,
        name: &str,
        target_s: u32,
        zone: Option<&str>,
        from: Option<Timestamp>,
    ) -> Result<CalendarPreview> {
        let texts =
            [("target_s", Some(target_s.to_string())), ("zone", zone.map(str::to_owned)), ("from", from.map(|from| from.to_string()))];
        self.get(&["calendars", name, "preview"], &query(texts, &Page::default())).await
    }

    pub async fn tier(&self, name: &str) -> Result<Tier> {
        self.get(&["tiers", name], &[]).await
    }

    pub async fn delete_tier(&self, name: &str) -> Result<Tier> {
        self.send(self.http.delete(self.url(&["tiers", name]))).await
    }

    pub async fn contracts(&self, customer: Option<&str>, page: &Page) -> Result<List<Contract>> {
        self.get(&["contracts"], &query([("customer", customer.map(str::to_owned))], page)).await
    }

    pub async fn contract(&self, id: &str) -> Result<Contract> {
        self.get(&["contracts", id], &[]).await
    }

    pub async fn new_contract(&self, new: &NewContract) -> Result<Contract> {
        self.post(&["contracts"], new).await
    }

    pub async fn put_contract(&self, id: &str, new: &NewContract) -> Result<Contract> {
        self.put(&["contracts", id], new).await
    }

    pub async fn delete_contract(&self, id: &str) -> Result<Contract> {
        self.send(self.http.delete(self.url(&["contracts", id]))).await
    }
}
