//! The life of a case.

use jiff::Timestamp;
use lineman_common::api::{
    Case, CaseBody, CaseDiff, CaseHealth, CaseLink, CaseSettings, CaseState, CaseVersion, Confirm, ConfirmTranslation, Feedback, Flag,
    FlagKind, Gap, GapState, HandOver, HandOverMany, HandedOver, HandleGap, HealthBy, HealthFigure, HealthItem, Language, List,
    NewFeedback, Reason, Restoration, ReviewItem, SameAs, TranslateItem, Unlink,
};
use reqwest::Method;
use reqwest::header::IF_MATCH;
use serde::Serialize;

use super::{Client, ClientError, Page, Seen};

type Result<T> = std::result::Result<T, ClientError>;

/// What a list of the library is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct CaseFilter {
    pub state: Option<CaseState>,
    pub owner: Option<String>,
    pub author: Option<String>,
    pub product: Option<String>,
    pub flag: Option<FlagKind>,
    pub language: Option<Language>,
    /// Only what the asker may review.
    pub mine: bool,
}

/// What a view of the library's health is about.
#[derive(Clone, Debug, Default)]
pub struct HealthQuery {
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub by: Option<HealthBy>,
    pub product: Option<String>,
    pub owner: Option<String>,
}

type Pairs = Vec<(&'static str, String)>;

fn pairs<const N: usize>(parts: [(&'static str, Option<String>); N], page: Option<&Page>) -> Pairs {
    let mut pairs: Pairs = parts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    if let Some(page) = page {
        pairs.extend(page.after.iter().map(|after| ("after", after.clone())));
        pairs.extend(page.limit.map(|limit| ("limit", limit.to_string())));
    }
    pairs
}

fn word(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

impl Client {
    pub async fn list_cases(&self, filter: &CaseFilter, page: &Page) -> Result<List<Case>> {
        let CaseFilter { state, owner, author, product, flag, .. } = filter.clone();
        let parts = [("state", word(state)), ("owner", owner), ("author", author), ("product", product), ("flag", word(flag))];
        self.get(&["cases", "all"], &pairs(parts, Some(page))).await
    }

    /// Edits the version that was seen.
    pub async fn put_case(&self, case: &str, seen: Seen, note: Option<&str>, body: &CaseBody) -> Result<Case> {
        let request = self.http.put(self.url(&["cases", case])).header(IF_MATCH, format!("\"{}\"", seen.0));
        self.send(request.query(&pairs([("note", word(note))], None)).json(body)).await
    }

    pub async fn reviews(&self, filter: &CaseFilter, page: &Page) -> Result<List<ReviewItem>> {
        let CaseFilter { owner, product, mine, .. } = filter.clone();
        let parts = [("owner", owner), ("product", product), ("mine", mine.then(|| "true".to_owned()))];
        self.get(&["cases", "reviews"], &pairs(parts, Some(page))).await
    }

    pub async fn claim_case(&self, case: &str) -> Result<Case> {
        self.post_empty(&["cases", case, "claim"]).await
    }

    pub async fn release_case(&self, case: &str) -> Result<Case> {
        self.send(self.http.request(Method::DELETE, self.url(&["cases", case, "claim"]))).await
    }

    pub async fn return_case(&self, case: &str, reason: &Reason) -> Result<Case> {
        self.step_case(case, "return", reason).await
    }

    pub async fn unarchive_case(&self, case: &str) -> Result<Case> {
        self.post_empty(&["cases", case, "unarchival"]).await
    }

    async fn step_case<B: Serialize>(&self, case: &str, step: &str, body: &B) -> Result<Case> {
        self.post(&["cases", case, step], body).await
    }

    pub async fn case_versions(&self, case: &str, page: &Page) -> Result<List<CaseVersion>> {
        self.get(&["cases", case, "versions"], &pairs([], Some(page))).await
    }

    pub async fn case_version(&self, case: &str, version: u32) -> Result<CaseVersion> {
        self.get(&["cases", case, "versions", &version.to_string()], &[]).await
    }

    pub async fn case_diff(&self, case: &str, from: Option<u32>, to: Option<u32>) -> Result<CaseDiff> {
        self.get(&["cases", case, "diff"], &pairs([("from", word(from)), ("to", word(to))], None)).await
    }

    pub async fn restore_case(&self, case: &str, version: u32, said: &Restoration) -> Result<Case> {
        self.post(&["cases", case, "versions", &version.to_string(), "restoration"], said).await
    }

    pub async fn hand_case_over(&self, case: &str, said: &HandOver) -> Result<Case> {
        self.step_case(case, "owner", said).await
    }

    pub async fn hand_cases_over(&self, said: &HandOverMany) -> Result<HandedOver> {
        self.post(&["cases", "handover"], said).await
    }

    pub async fn case_flags(&self, case: &str) -> Result<List<Flag>> {
        self.get(&["cases", case, "flags"], &[]).await
    }

    pub async fn doubt_case(&self, case: &str, reason: &Reason) -> Result<Case> {
        self.step_case(case, "flags", reason).await
    }

    pub async fn confirm_case(&self, case: &str, said: &Confirm) -> Result<Case> {
        self.step_case(case, "confirmation", said).await
    }

    pub async fn case_settings(&self) -> Result<CaseSettings> {
        self.get(&["case-settings"], &[]).await
    }

    pub async fn set_case_settings(&self, settings: &CaseSettings) -> Result<CaseSettings> {
        self.put(&["case-settings"], settings).await
    }

    pub async fn merge_case(&self, case: &str, into: &SameAs) -> Result<Case> {
        self.step_case(case, "merge", into).await
    }

    pub async fn unmerge_case(&self, case: &str) -> Result<Case> {
        self.post_empty(&["cases", case, "unmerge"]).await
    }

    pub async fn case_links(&self, case: &str, page: &Page) -> Result<List<CaseLink>> {
        self.get(&["cases", case, "links"], &pairs([], Some(page))).await
    }

    pub async fn unlink_case(&self, case: &str, said: &Unlink) -> Result<Case> {
        self.step_case(case, "unlink", said).await
    }

    pub async fn case_feedback(&self, case: &str, page: &Page) -> Result<List<Feedback>> {
        self.get(&["cases", case, "feedback"], &pairs([], Some(page))).await
    }

    pub async fn give_feedback(&self, case: &str, said: &NewFeedback) -> Result<Feedback> {
        self.put(&["cases", case, "feedback"], said).await
    }

    pub async fn to_translate(&self, language: Option<Language>, page: &Page) -> Result<List<TranslateItem>> {
        self.get(&["cases", "to-translate"], &pairs([("language", word(language))], Some(page))).await
    }

    pub async fn case_translated(&self, case: &str, said: &ConfirmTranslation) -> Result<Case> {
        self.step_case(case, "translation", said).await
    }

    pub async fn gaps(&self, state: Option<GapState>, filter: &CaseFilter, page: &Page) -> Result<List<Gap>> {
        let parts = [("state", word(state)), ("language", word(filter.language)), ("product", filter.product.clone())];
        self.get(&["case-gaps"], &pairs(parts, Some(page))).await
    }

    pub async fn handle_gap(&self, gap: u32, said: &HandleGap) -> Result<Gap> {
        self.post(&["case-gaps", &gap.to_string(), "handling"], said).await
    }

    pub async fn case_health(&self, query: &HealthQuery) -> Result<CaseHealth> {
        self.get(&["cases", "health"], &health(query, query.by, None)).await
    }

    pub async fn behind_case_health(&self, figure: HealthFigure, query: &HealthQuery, page: &Page) -> Result<List<HealthItem>> {
        self.get(&["cases", "health", figure.as_str()], &health(query, None, Some(page))).await
    }
}

fn health(query: &HealthQuery, by: Option<HealthBy>, page: Option<&Page>) -> Pairs {
    let HealthQuery { from, until, product, owner, .. } = query.clone();
    pairs([("from", word(from)), ("until", word(until)), ("by", word(by)), ("product", product), ("owner", owner)], page)
}
