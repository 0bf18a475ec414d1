//! Text search as the field needs it: what a token is, what means the same, and the inverted index. Knows nothing of cases or faults.

pub mod http;
pub mod index;
mod sql;
pub mod synonyms;
pub mod table;
pub mod term;
pub mod tokens;
