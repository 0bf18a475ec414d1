//! Routes of reports: figures, what is behind them, and the events that they are computed from.

use lineman_common::api::{CountedFault, Event, Figure, FigureDefinition, FigurePart, FiguresReport, List};
use reqwest::header::ACCEPT;

use super::{Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

/// Which faults, and how they are grouped; what is absent is not sent.
#[derive(Clone, Debug, Default)]
pub struct ReportQuery {
    pub from: Option<String>,
    pub until: Option<String>,
    pub zone: Option<String>,
    pub as_of: Option<String>,
    pub by: Vec<String>,
    pub figures: Vec<String>,
    pub customer: Option<String>,
    pub office: Option<String>,
    pub product: Option<String>,
    pub tier: Option<String>,
    pub severity: Option<String>,
}

impl ReportQuery {
    /// What reports and the lists behind their numbers have in common.
    fn window(&self) -> Vec<(&'static str, String)> {
        let Self { from, until, zone, as_of, by: _, figures: _, customer, office, product, tier, severity } = self;
        let texts = [
            ("from", from),
            ("until", until),
            ("zone", zone),
            ("as_of", as_of),
            ("customer", customer),
            ("office", office),
            ("product", product),
            ("tier", tier),
            ("severity", severity),
        ];
        texts.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))).collect()
    }

    fn whole(&self) -> Vec<(&'static str, String)> {
        let lists = [("by", &self.by), ("figure", &self.figures)].into_iter().filter(|(_, words)| !words.is_empty());
        self.window().into_iter().chain(lists.map(|(key, words)| (key, words.join(",")))).collect()
    }
}

impl Client {
    pub async fn figures(&self) -> Result<List<FigureDefinition>> {
        self.get(&["reports", "figures"], &[]).await
    }

    pub async fn report(&self, query: &ReportQuery) -> Result<FiguresReport> {
        self.get(&["reports"], &query.whole()).await
    }

    /// As the server writes it for spreadsheets.
    pub async fn report_csv(&self, query: &ReportQuery) -> Result<Vec<u8>> {
        self.csv(&["reports"], &query.whole()).await
    }

    pub async fn counted(&self, figure: Figure, part: FigurePart, query: &ReportQuery, page: &Page) -> Result<List<CountedFault>> {
        let mut asked = query.window();
        asked.push(("part", part.to_string()));
        asked.extend(page.after.clone().map(|after| ("after", after)));
        asked.extend(page.limit.map(|limit| ("limit", limit.to_string())));
        self.get(&["reports", "figures", figure.as_str(), "faults"], &asked).await
    }

    pub async fn counted_csv(&self, figure: Figure, part: FigurePart, query: &ReportQuery) -> Result<Vec<u8>> {
        let mut asked = query.window();
        asked.push(("part", part.to_string()));
        self.csv(&["reports", "figures", figure.as_str(), "faults"], &asked).await
    }

    /// A page of the events that figures are computed from; it may be empty and not be the last.
    pub async fn report_events(&self, customer: Option<&str>, page: &Page) -> Result<List<Event>> {
        let texts =
            [("customer", customer.map(str::to_owned)), ("after", page.after.clone()), ("limit", page.limit.map(|n| n.to_string()))];
        let asked: Vec<_> = texts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        self.get(&["reports", "events"], &asked).await
    }

    async fn csv(&self, segments: &[&str], query: &[(&str, String)]) -> Result<Vec<u8>> {
        let request = self.http.get(self.url(segments)).query(query).header(ACCEPT, "text/csv");
        let response = self.reply(request).await?;
        Ok(response.bytes().await.map_err(|e| self.unreachable(&e))?.to_vec())
    }
}
