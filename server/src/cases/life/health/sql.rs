use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{HealthBy, HealthFigure, HealthItem};
use lineman_common::name::{CaseNumber, FaultNumber};
use rusqlite::{Row, params};

use super::Narrow;
use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};

/// What a figure counts, one row for each: `key`, `number` of the case, `value`, `at`. `?1` and `?2` are the period, as everywhere here.
const fn of_cases(figure: HealthFigure) -> &'static str {
    match figure {
        HealthFigure::LinkRate | HealthFigure::Unanswered => "",
        HealthFigure::Reuse | HealthFigure::TopReused => {
            "SELECT '' AS key, c.number, (SELECT count(*) FROM library_link l WHERE l.number = c.number AND l.verdict <> 'wrong'
                AND l.at >= ?1 AND l.at < ?2) AS value, c.published_at AS at FROM library_case c WHERE c.state = 'validated'"
        }
        HealthFigure::TimeToPublish => {
            "SELECT '' AS key, number, (published_at - created_at) / 1e6 AS value, published_at AS at FROM library_case
             WHERE published_at >= ?1 AND published_at < ?2"
        }
        HealthFigure::Stale => {
            "SELECT '' AS key, c.number, 1 AS value, c.confirmed_at AS at FROM library_case c WHERE c.state = 'validated'
             AND EXISTS (SELECT 1 FROM library_flag g WHERE g.number = c.number AND g.closed_at IS NULL)"
        }
        HealthFigure::ReviewBacklog => {
            "SELECT '' AS key, r.number, 1 AS value, r.since AS at FROM library_review r JOIN library_case w ON w.number = r.number
             WHERE w.state = 'not_validated'"
        }
        HealthFigure::ReviewAge => {
            "SELECT '' AS key, r.number, (?5 - r.since) / 1e6 AS value, r.since AS at FROM library_review r
             JOIN library_case w ON w.number = r.number WHERE w.state = 'not_validated'"
        }
        HealthFigure::NeverReused => {
            "SELECT '' AS key, c.number, 1 AS value, c.published_at AS at FROM library_case c
             WHERE c.state = 'validated' AND c.published_at < ?1
               AND NOT EXISTS (SELECT 1 FROM library_link l WHERE l.number = c.number AND l.verdict <> 'wrong')"
        }
        HealthFigure::Helpful => {
            "SELECT b.of_number || '.' || b.version || '.' || b.person AS key, b.number, b.helpful AS value, b.at FROM library_feedback b
             WHERE b.at >= ?1 AND b.at < ?2"
        }
        HealthFigure::Deflections => {
            "SELECT id AS key, number, 1 AS value, at FROM case_deflection WHERE undone_at IS NULL AND at >= ?1 AND at < ?2"
        }
        HealthFigure::ToTranslate => {
            "SELECT '' AS key, number, 1 AS value, updated_at AS at FROM library_case WHERE translate IS NOT NULL AND state <> 'archived'"
        }
    }
}

/// `?3` and `?4` narrow to a product (empty: about none) and an owner. `?5` is now.
fn query(figure: HealthFigure, by: Option<HealthBy>) -> String {
    match figure {
        HealthFigure::LinkRate => {
            let group = match by {
                None => "NULL",
                Some(HealthBy::Product) => "coalesce(e.product, '')",
                Some(HealthBy::Owner) => "coalesce(f.owner, '')",
            };
            format!(
                "SELECT {group}, f.id, NULL, k.code, f.serial, NULL,
                    EXISTS (SELECT 1 FROM library_link l WHERE l.fault = f.id AND l.verdict <> 'wrong')
                    OR EXISTS (SELECT 1 FROM library_case d WHERE d.source_fault = f.id) AS value, f.resolved_at AS at, f.title
                 FROM fault f JOIN customer k ON k.id = f.customer LEFT JOIN equipment e ON e.id = f.equipment
                 WHERE +f.status IN ('resolved', 'closed') AND +f.kind = 'fault' AND f.resolved_at >= ?1 AND f.resolved_at < ?2
                   AND (?3 IS NULL OR coalesce(e.product, '') = ?3) AND (?4 IS NULL OR f.owner = ?4) AND ?5 >= 0"
            )
        }
        HealthFigure::Unanswered => {
            let group = match by {
                None => "NULL",
                Some(HealthBy::Product) => "product",
                Some(HealthBy::Owner) => "''",
            };
            format!(
                "SELECT {group}, '', NULL, NULL, NULL, id, asked AS value, last_at AS at, text FROM library_gap
                 WHERE state = 'open' AND last_at >= ?1 AND last_at < ?2 AND (?3 IS NULL OR product = ?3) AND ?4 IS NULL AND ?5 >= 0"
            )
        }
        HealthFigure::Reuse
        | HealthFigure::TimeToPublish
        | HealthFigure::Stale
        | HealthFigure::ReviewBacklog
        | HealthFigure::ReviewAge
        | HealthFigure::NeverReused
        | HealthFigure::TopReused
        | HealthFigure::Helpful
        | HealthFigure::Deflections
        | HealthFigure::ToTranslate => {
            let (group, join) = match by {
                None => ("NULL", ""),
                Some(HealthBy::Product) => {
                    ("coalesce(json_extract(p.value, '$.product'), '')", "LEFT JOIN json_each(c.body, '$.equipment') p")
                }
                Some(HealthBy::Owner) => ("c.owner", ""),
            };
            format!(
                "SELECT DISTINCT {group}, x.key, x.number, NULL, NULL, NULL, x.value AS value, x.at AS at,
                    coalesce(json_extract(c.body, '$.en.title'), json_extract(c.body, '$.zh.title'), '')
                 FROM ({base}) x JOIN library_case c ON c.number = x.number {join}
                 WHERE (?3 IS NULL OR (?3 = '' AND json_array_length(c.body, '$.equipment') = 0)
                        OR EXISTS (SELECT 1 FROM json_each(c.body, '$.equipment') e WHERE json_extract(e.value, '$.product') = ?3))
                   AND (?4 IS NULL OR c.owner = ?4) AND ?5 >= 0 AND ?1 < ?2",
                base = of_cases(figure)
            )
        }
    }
}

fn item(row: &Row<'_>) -> rusqlite::Result<HealthItem> {
    let fault = match (row.get::<_, Option<Text<_>>>(3)?, row.get(4)?) {
        (Some(Text(customer)), Some(serial)) => Some(FaultNumber { customer, serial }),
        _ => None,
    };
    Ok(HealthItem {
        case: row.get::<_, Option<u32>>(2)?.map(CaseNumber),
        fault,
        gap: row.get(5)?,
        value: row.get(6)?,
        at: row.get::<_, Option<At>>(7)?.map(|at| at.0),
        title: Printable::new(row.get::<_, String>(8)?),
    })
}

/// Each group's values.
pub fn values(
    db: &Db<'_>,
    figure: HealthFigure,
    by: Option<HealthBy>,
    period: (Timestamp, Timestamp),
    narrow: &Narrow,
    mut take: impl FnMut(Option<String>, f64),
) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached(&query(figure, by))?;
    let owner = narrow.owner.as_ref().map(Text);
    let mut rows = statement.query(params![At(period.0), At(period.1), narrow.product, owner, At(db.now())])?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?, row.get(6)?);
    }
    Ok(())
}

/// What a figure counted, the largest value first; `after` lines are left out.
pub fn items(
    db: &Db<'_>,
    figure: HealthFigure,
    period: (Timestamp, Timestamp),
    narrow: &Narrow,
    after: u32,
    limit: u32,
) -> Result<Vec<HealthItem>, StoreError> {
    let sql = format!("{} ORDER BY value DESC, at, 3, 2 LIMIT ?7 OFFSET ?6", query(figure, None));
    let mut statement = db.sql().prepare_cached(&sql)?;
    let owner = narrow.owner.as_ref().map(Text);
    let rows = statement.query_map(params![At(period.0), At(period.1), narrow.product, owner, At(db.now()), after, limit], item)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
