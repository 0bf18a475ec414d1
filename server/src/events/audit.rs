//! The log as auditors read it: newest first, page by page.

use jiff::Timestamp;
use lineman_common::api::{Event, List};
use lineman_common::id::CustomerId;

use super::{Kind, sql};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// What a page of the log is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// The number of the last event of the page before, as the scope counts.
    pub after: Option<u64>,
    pub customer: Option<CustomerId>,
    /// Any of these; all when empty.
    pub kinds: Vec<Kind>,
    pub actor: Option<String>,
    /// By the server's record of time.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub limit: u32,
}

impl Audit {
    /// Kinds by their names or by what these begin with: `fault`, `consent.approved`. None when there is no such kind.
    pub fn kinds_of(word: &str) -> Option<Vec<Kind>> {
        let begins = |kind: &&Kind| {
            let rest = kind.as_str().strip_prefix(word);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || word.ends_with('.'))
        };
        let kinds: Vec<_> = Kind::ALL.iter().filter(begins).copied().collect();
        (!kinds.is_empty()).then_some(kinds)
    }
}

/// A page of the log, newest first; of one customer's when that is named.
pub fn audit(db: &Db<'_>, scope: &Scope, customer: Option<&str>, ask: Audit) -> Result<List<Event>, StoreError> {
    let customer = match customer {
        Some(code) => match sql::customer_by_code(db, scope, code)? {
            Some(customer) => Some(customer),
            None => return Ok(Vec::new().into()),
        },
        None => None,
    };
    let limit = ask.limit as usize;
    let more = Audit { customer, limit: ask.limit.saturating_add(1), ..ask };
    // An index for each kind: of several, the newest of each are put together.
    let mut items = match more.kinds.as_slice() {
        [] => sql::audit(db, scope, &more, None)?,
        kinds => {
            let mut all = Vec::new();
            for kind in kinds {
                all.extend(sql::audit(db, scope, &more, Some(*kind))?);
            }
            all.sort_by_key(|event: &Event| std::cmp::Reverse(event.seq));
            all
        }
    };
    let next = (items.len() > limit).then(|| {
        items.truncate(limit);
        items.last().map(|last| last.seq.to_string()).unwrap_or_default()
    });
    Ok(List { items, next })
}
