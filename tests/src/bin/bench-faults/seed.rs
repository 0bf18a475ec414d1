//! Much that is old, at once: rows that the server wrote are copied in its database file while no server runs.

use std::path::Path;

use anyhow::{Context, ensure};
use rusqlite::Connection;

pub fn open(database: &Path) -> anyhow::Result<Connection> {
    let connection = Connection::open(database)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    Ok(connection)
}

/// Copies the row of `table` that fits `template` for every number `n` of `1..=count`. `changed` says of some columns, in SQL, what is
/// in them instead, if the table has them; the others are as in the template.
pub fn copies(connection: &Connection, table: &str, template: &str, count: u32, changed: &[(&str, &str)]) -> anyhow::Result<()> {
    let mut statement = connection.prepare("SELECT name, type, pk FROM pragma_table_info(?1)")?;
    let columns: Vec<(String, String, i64)> =
        statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_, _>>()?;
    ensure!(!columns.is_empty(), "the database has no table `{table}`");
    // The database numbers these itself.
    let own: Vec<_> = columns.iter().filter(|(name, kind, pk)| !(kind == "INTEGER" && *pk == 1) || is_changed(changed, name)).collect();
    let of =
        |name: &str| changed.iter().find(|(column, _)| *column == name).map_or_else(|| format!("t.{name}"), |(_, sql)| (*sql).to_owned());
    let names: Vec<_> = own.iter().map(|(name, _, _)| name.as_str()).collect();
    let values: Vec<_> = names.iter().map(|name| of(name)).collect();
    let sql = format!(
        "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {count})
         INSERT INTO {table}({}) SELECT {} FROM (SELECT * FROM {table} WHERE {template} LIMIT 1) t CROSS JOIN number",
        names.join(", "),
        values.join(", ")
    );
    let made = connection.execute(&sql, []).with_context(|| sql.clone())?;
    ensure!(made == count as usize, "{made} of {count} rows of {table} were made: no row fits `{template}`");
    Ok(())
}

fn is_changed(changed: &[(&str, &str)], name: &str) -> bool {
    changed.iter().any(|(column, _)| *column == name)
}
