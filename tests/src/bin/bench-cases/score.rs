//! nDCG@10, MRR@10 and recall@10.

use std::collections::{HashMap, HashSet};

use crate::set::Set;

const DEPTH: usize = 10;

/// The documents that each question was answered with, best first.
pub type Run = HashMap<String, Vec<(String, f64)>>;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    pub ndcg: f64,
    pub mrr: f64,
    pub recall: f64,
}

/// The mean over the questions that have an answer.
pub fn score(set: &Set, run: &Run) -> Scores {
    let mut all = Vec::new();
    for question in &set.questions {
        let Some(grades) = set.grades.get(&question.id) else { continue };
        let mut seen = HashSet::new();
        let answer = run.get(&question.id).into_iter().flatten().map(|(document, _)| document.as_str());
        let answer: Vec<&str> = answer.filter(|id| !question.exclude.contains(*id) && seen.insert(*id)).take(DEPTH).collect();
        all.push(one(grades, &answer));
    }
    let mean = |of: fn(&Scores) -> f64| all.iter().map(of).sum::<f64>() / count(all.len().max(1));
    Scores { ndcg: mean(|one| one.ndcg), mrr: mean(|one| one.mrr), recall: mean(|one| one.recall) }
}

fn one(grades: &HashMap<String, u32>, answer: &[&str]) -> Scores {
    let grade = |document: &&str| grades.get(*document).copied().unwrap_or(0);
    let gain = |grades: &mut dyn Iterator<Item = u32>| -> f64 {
        grades.take(DEPTH).enumerate().map(|(at, grade)| (f64::from(grade).exp2() - 1.0) / (count(at) + 2.0).log2()).sum()
    };
    let mut best: Vec<u32> = grades.values().copied().collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let ideal = gain(&mut best.iter().copied());
    let good = grades.values().filter(|grade| **grade > 0).count();
    let first = answer.iter().position(|document| grade(document) > 0);
    Scores {
        ndcg: if ideal > 0.0 { gain(&mut answer.iter().map(grade)) / ideal } else { 0.0 },
        mrr: first.map_or(0.0, |at| 1.0 / (count(at) + 1.0)),
        recall: count(answer.iter().filter(|document| grade(document) > 0).count()) / count(good.max(1)),
    }
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_books() {
        let grades = HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 1), ("z".to_owned(), 0)]);
        assert_eq!(one(&grades, &["a", "b"]), Scores { ndcg: 1.0, mrr: 1.0, recall: 1.0 });
        let scores = one(&grades, &["x", "a", "z"]);
        assert!((scores.ndcg - 0.630_93 / 1.630_93).abs() < 1e-4, "{scores:?}");
        assert!((scores.mrr - 0.5).abs() < 1e-9 && (scores.recall - 0.5).abs() < 1e-9);
        assert_eq!(one(&grades, &[]), Scores::default());
    }
}
