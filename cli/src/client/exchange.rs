//! Routes of the library's import and export, and of the users' synonyms.

use lineman_common::api::{
    CaseExport, CaseImport, ImportPlan, List, NewSynonyms, SynonymGroup, SynonymImport, SynonymSwitch, SynonymTable,
};
use lineman_common::name::CaseNumber;

use super::{Client, ClientError, Page};

type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    /// A page of the library, by number.
    pub async fn export_cases(&self, query: &str, as_is: bool, after: Option<CaseNumber>, limit: u32) -> Result<CaseExport> {
        let mut params = vec![("q", query.to_owned()), ("as_is", as_is.to_string()), ("limit", limit.to_string())];
        params.extend(after.map(|after| ("after", after.to_string())));
        self.get(&["cases", "export"], &params).await
    }

    /// Without a plan, what it would do; with one, carried out.
    pub async fn import_cases(&self, import: &CaseImport) -> Result<ImportPlan> {
        self.post(&["cases", "import"], import).await
    }

    pub async fn synonyms(&self, page: &Page) -> Result<List<SynonymGroup>> {
        let after = page.after.clone().map(|after| ("after", after));
        let params: Vec<_> = after.into_iter().chain(page.limit.map(|limit| ("limit", limit.to_string()))).collect();
        self.get(&["cases", "synonyms"], &params).await
    }

    pub async fn add_synonyms(&self, new: &NewSynonyms) -> Result<SynonymGroup> {
        self.post(&["cases", "synonyms"], new).await
    }

    pub async fn edit_synonyms(&self, group: &str, new: &NewSynonyms) -> Result<SynonymGroup> {
        self.put(&["cases", "synonyms", group], new).await
    }

    pub async fn remove_synonyms(&self, group: &str) -> Result<SynonymGroup> {
        self.send(self.http.delete(self.url(&["cases", "synonyms", group]))).await
    }

    pub async fn switch_synonyms(&self, group: &str, on: bool) -> Result<SynonymGroup> {
        self.put(&["cases", "synonyms", group, "switch"], &SynonymSwitch { on }).await
    }

    /// The users' groups, a group a line.
    pub async fn synonym_table(&self) -> Result<String> {
        let response = self.reply(self.http.get(self.url(&["cases", "synonyms", "table"]))).await?;
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    pub async fn import_synonyms(&self, table: &SynonymTable) -> Result<SynonymImport> {
        self.post(&["cases", "synonyms", "import"], table).await
    }
}
