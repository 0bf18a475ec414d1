//! A retrieval set: past cases, questions, and which answers which.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::Context;
use lineman_common::api::{CaseBody, CaseText};
use serde_json::Value;

/// Characters that a title and a text may have.
const LONGEST_TITLE: usize = 300;
const LONGEST_TEXT: usize = 20_000;

pub struct Set {
    pub name: String,
    pub documents: Vec<Document>,
    pub questions: Vec<Question>,
    /// Grades by question and document.
    pub grades: HashMap<String, HashMap<String, u32>>,
}

pub struct Document {
    pub id: String,
    pub title: String,
    pub text: String,
}

pub struct Question {
    pub id: String,
    /// What is typed.
    pub text: String,
    /// Documents that are no answer: the report itself.
    pub exclude: HashSet<String>,
}

impl Set {
    pub fn read(folder: &Path, limit: Option<usize>) -> anyhow::Result<Self> {
        let name = folder.file_name().context("a folder with a name")?.to_string_lossy().into_owned();
        let documents = lines(&folder.join("docs.jsonl"))?.iter().map(Document::of).collect::<anyhow::Result<_>>()?;
        let mut questions = lines(&folder.join("queries.jsonl"))?.iter().map(Question::of).collect::<anyhow::Result<Vec<_>>>()?;
        questions.truncate(limit.unwrap_or(usize::MAX));
        let mut grades: HashMap<String, HashMap<String, u32>> = HashMap::new();
        let file = folder.join("qrels.tsv");
        for line in std::fs::read_to_string(&file).with_context(|| file.display().to_string())?.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            let [question, document, grade] = fields[..] else { anyhow::bail!("{}: `{line}`", file.display()) };
            grades.entry(question.to_owned()).or_default().insert(document.to_owned(), grade.trim().parse()?);
        }
        Ok(Self { name, documents, questions, grades })
    }
}

fn lines(file: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| serde_json::from_str(line).with_context(|| format!("{}: {line}", file.display()))).collect()
}

fn word(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

impl Document {
    fn of(value: &Value) -> anyhow::Result<Self> {
        let id = value["id"].as_str().context("a document without an id")?.to_owned();
        Ok(Self { id, title: word(value, "title"), text: word(value, "text") })
    }

    /// A case in work, in the language that it is written in. A report is what was seen: its text is the symptom.
    pub fn case(&self) -> CaseBody {
        let has_title = !self.title.trim().is_empty();
        let (title, symptom) = if has_title { (&*self.title, &*self.text) } else { (first_line(&self.text), &*self.text) };
        let said_already = title.trim() == symptom.trim();
        let cut = |text: &str, most| text.chars().take(most).collect::<String>();
        let text = CaseText {
            title: cut(if title.trim().is_empty() { "-" } else { title }, LONGEST_TITLE).into(),
            symptom: if said_already { String::new() } else { cut(symptom, LONGEST_TEXT) }.into(),
            ..CaseText::default()
        };
        let is_han = |c: &char| ('\u{4e00}'..='\u{9fff}').contains(c);
        let is_chinese = self.title.chars().chain(self.text.chars().take(500)).filter(is_han).count() > 3;
        if is_chinese { CaseBody { zh: Some(text), ..CaseBody::default() } } else { CaseBody { en: Some(text), ..CaseBody::default() } }
    }
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or_default()
}

impl Question {
    fn of(value: &Value) -> anyhow::Result<Self> {
        let id = value["id"].as_str().context("a question without an id")?.to_owned();
        let exclude = value["exclude"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { id, text: word(value, "text"), exclude })
    }
}
