//! Alarms: the list, what operators do with it, and the rules of correlation.

use lineman_common::api::{
    Acknowledgement, Alarm, AlarmAction, AlarmActionReply, AlarmPage, AlarmProfile, AlarmRule, AlarmSummary, DryRun, DryRunReply, List,
    MaintenanceWindow, NewAlarmProfile, NewMaintenanceWindow, NewShelf, SetAlarmRule, Shelf, ShelfOrder, Topology, TopologyView, Why,
};

use super::{Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

/// Narrows the alarm list: keys of the query with their values.
pub type AlarmFilter = Vec<(&'static str, String)>;

impl Client {
    /// A page that holds something, or the last one: the server gives up on a page that looks at too much.
    pub async fn alarms(&self, filter: &AlarmFilter, page: &Page) -> Result<List<Alarm>> {
        let mut after = page.after.clone();
        loop {
            let mut query = filter.clone();
            query.extend(after.map(|after| ("after", after)));
            query.extend(page.limit.map(|limit| ("limit", limit.to_string())));
            let list: List<Alarm> = self.get(&["alarms"], &query).await?;
            if !list.items.is_empty() || list.next.is_none() {
                return Ok(list);
            }
            after = list.next;
        }
    }

    pub async fn alarm(&self, alarm: &str) -> Result<AlarmPage> {
        self.get(&["alarms", alarm], &[]).await
    }

    pub async fn alarm_summary(&self) -> Result<AlarmSummary> {
        self.get(&["alarms", "summary"], &[]).await
    }

    pub async fn acknowledge(&self, alarm: &str, note: &Acknowledgement) -> Result<Alarm> {
        self.post(&["alarms", alarm, "acknowledgement"], note).await
    }

    pub async fn close_alarm(&self, alarm: &str, why: &Why) -> Result<Alarm> {
        self.post(&["alarms", alarm, "closure"], why).await
    }

    pub async fn unmark_alarm(&self, alarm: &str, why: &Why) -> Result<Alarm> {
        self.post(&["alarms", alarm, "unmarking"], why).await
    }

    pub async fn purge_alarms(&self, action: &AlarmAction) -> Result<AlarmActionReply> {
        self.post(&["alarms", "purge"], action).await
    }

    pub async fn compress_alarms(&self, action: &AlarmAction) -> Result<AlarmActionReply> {
        self.post(&["alarms", "compression"], action).await
    }

    pub async fn shelves(&self, customer: Option<&str>) -> Result<List<Shelf>> {
        let query: Vec<_> = customer.map(|customer| ("customer", customer.to_owned())).into_iter().collect();
        self.get(&["alarm-shelves"], &query).await
    }

    pub async fn new_shelf(&self, new: &NewShelf) -> Result<Shelf> {
        self.post(&["alarm-shelves"], new).await
    }

    pub async fn order_shelves(&self, order: &ShelfOrder) -> Result<List<Shelf>> {
        self.put(&["alarm-shelves", "order"], order).await
    }

    pub async fn remove_shelf(&self, shelf: &str, why: &Why) -> Result<()> {
        self.post(&["alarm-shelves", shelf, "removal"], why).await
    }

    pub async fn profiles(&self) -> Result<List<AlarmProfile>> {
        self.get(&["alarm-profiles"], &[]).await
    }

    pub async fn new_profile(&self, new: &NewAlarmProfile) -> Result<AlarmProfile> {
        self.post(&["alarm-profiles"], new).await
    }

    pub async fn remove_profile(&self, profile: &str, why: &Why) -> Result<()> {
        self.post(&["alarm-profiles", profile, "removal"], why).await
    }

    pub async fn windows(&self, filter: &AlarmFilter, page: &Page) -> Result<List<MaintenanceWindow>> {
        let mut query = filter.clone();
        query.extend(page.after.clone().map(|after| ("after", after)));
        query.extend(page.limit.map(|limit| ("limit", limit.to_string())));
        self.get(&["maintenance-windows"], &query).await
    }

    pub async fn window(&self, window: &str) -> Result<MaintenanceWindow> {
        self.get(&["maintenance-windows", window], &[]).await
    }

    pub async fn new_window(&self, new: &NewMaintenanceWindow) -> Result<MaintenanceWindow> {
        self.post(&["maintenance-windows"], new).await
    }

    pub async fn end_window(&self, window: &str, why: &Why) -> Result<MaintenanceWindow> {
        self.post(&["maintenance-windows", window, "end"], why).await
    }

    pub async fn rules(&self) -> Result<List<AlarmRule>> {
        self.get(&["alarm-rules"], &[]).await
    }

    pub async fn rule(&self, rule: &str) -> Result<AlarmRule> {
        self.get(&["alarm-rules", rule], &[]).await
    }

    pub async fn set_rule(&self, rule: &str, set: &SetAlarmRule) -> Result<AlarmRule> {
        self.put(&["alarm-rules", rule], set).await
    }

    pub async fn remove_rule(&self, rule: &str, why: &Why) -> Result<()> {
        self.post(&["alarm-rules", rule, "removal"], why).await
    }

    pub async fn dry_run(&self, ask: &DryRun) -> Result<DryRunReply> {
        self.post(&["alarm-rules", "dry-run"], ask).await
    }

    pub async fn topology(&self, ne: &str) -> Result<TopologyView> {
        self.get(&["equipment", ne, "topology"], &[]).await
    }

    pub async fn set_topology(&self, ne: &str, topology: &Topology) -> Result<TopologyView> {
        self.put(&["equipment", ne, "topology"], topology).await
    }
}
