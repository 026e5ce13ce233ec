//! What a MySQL or MariaDB itself says of the tables that the migrations change.

use std::collections::BTreeMap;

use greenlight_lint::{Column, Facts, Name, Questions, Relation, mysql};
use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, FromRow, Row as _};

use crate::migrations::Halt;
use crate::migrations::mysql::fault::halt;
use crate::migrations::mysql::session::Session;

/// Each column as text or number, whatever type a server gives it.
const TABLES: &str = "SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), \
    CAST(COALESCE(data_length, 0) AS UNSIGNED) FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND";
/// The default of a column that may be null is `NULL` in MariaDB, as text, and none in MySQL.
const COLUMNS: &str = "SELECT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), CAST(column_name AS CHAR), \
    CAST(column_type AS CHAR), CAST(is_nullable = 'NO' AS UNSIGNED), \
    CAST(COALESCE(column_default, 'NULL') <> 'NULL' OR extra LIKE '%auto_increment%' OR extra LIKE '%GENERATED%' \
      AS UNSIGNED) FROM information_schema.columns WHERE";
const INDEXES: &str = "SELECT DISTINCT CAST(table_schema AS CHAR), CAST(table_name AS CHAR), CAST(index_name AS CHAR), \
    CAST(non_unique = 0 AS UNSIGNED) FROM information_schema.statistics WHERE";

type FoundColumn = (String, String, String, String, u64, u64);

/// How names are found: that of the database, and whether the case of a table's counts.
struct Names {
    database: String,
    in_any_case: bool,
}

/// Asks the database what [`greenlight_lint::mysql::lint`] wants to know. Changes nothing and locks nothing.
pub async fn facts(session: &mut Session<'_>, questions: &Questions) -> Result<Facts, Halt> {
    let asked: Vec<&Name> = questions.relations.iter().collect();
    let mut relations = BTreeMap::new();
    if !asked.is_empty() {
        const NAMES: &str = "SELECT DATABASE(), CAST(@@lower_case_table_names AS UNSIGNED)";
        let (database, lower): (String, u64) = one(session, NAMES).await?;
        let names = Names { database, in_any_case: lower != 0 };
        let tables: Vec<(String, String, u64)> = all(session, TABLES, &asked).await?;
        let columns: Vec<FoundColumn> = all(session, COLUMNS, &asked).await?;
        let indexes: Vec<(String, String, String, u64)> = all(session, INDEXES, &asked).await?;
        for name in asked {
            let is = |schema: &str, table: &str| names.is(name, schema, table);
            let Some((.., bytes)) = tables.iter().find(|(schema, table, _)| is(schema, table)) else { continue };
            let column = |(_, _, name, kind, not_null, has_default): &FoundColumn| {
                let column = Column { kind: kind.clone(), not_null: *not_null != 0, has_default: *has_default != 0 };
                (mysql::column(&quoted(name)), column)
            };
            let relation = Relation {
                bytes: *bytes,
                columns: columns.iter().filter(|it| is(&it.0, &it.1)).map(column).collect(),
                constraints: indexes
                    .iter()
                    .filter(|it| is(&it.0, &it.1))
                    .map(|(_, _, name, unique)| (mysql::column(&quoted(name)), *unique != 0))
                    .collect(),
                ..Relation::default()
            };
            relations.insert(name.clone(), relation);
        }
    }
    let mut facts = Facts { relations, rows: BTreeMap::new() };
    for statement in &questions.statements {
        // What cannot be planned yet, because its column comes with these files, stays unknown.
        if let Some(rows) = estimate(session, statement).await {
            facts.rows.insert(statement.clone(), rows);
        }
    }
    Ok(facts)
}

impl Names {
    fn is(&self, asked: &Name, schema: &str, table: &str) -> bool {
        let in_schema = asked.schema().map_or(schema == self.database, |wanted| wanted == schema);
        let same = asked.alone() == table || (self.in_any_case && asked.alone().eq_ignore_ascii_case(table));
        in_schema && same
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

async fn one<T: Send + Unpin + for<'r> FromRow<'r, MySqlRow>>(
    session: &mut Session<'_>,
    sql: &'static str,
) -> Result<T, Halt> {
    let found = sqlx::query_as(sql).fetch_one(&mut session.connection).await;
    found.map_err(|error| halt("the size of the tables", &session.place, error))
}

/// What `information_schema` says of the tables with one of these names, in whichever database.
async fn all<T: Send + Unpin + for<'r> FromRow<'r, MySqlRow>>(
    session: &mut Session<'_>,
    sql: &str,
    names: &[&Name],
) -> Result<Vec<T>, Halt> {
    let places = vec!["?"; names.len()].join(", ");
    let sql = format!("{sql} table_name IN ({places})");
    let mut query = sqlx::query_as(AssertSqlSafe(sql));
    for name in names {
        query = query.bind(name.alone());
    }
    let found = query.fetch_all(&mut session.connection).await;
    found.map_err(|error| halt("the size of the tables", &session.place, error))
}

/// How many rows the server expects to look at, all of which a statement locks. It is planned, not run.
async fn estimate(session: &mut Session<'_>, statement: &str) -> Option<u64> {
    let sql = format!("EXPLAIN {statement}");
    let planned = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut session.connection).await;
    let lines = planned.ok()?;
    let of_first = number(lines.first()?, "id")?;
    let of_statement = lines.iter().filter(|line| number(line, "id") == Some(of_first));
    let rows: Vec<u64> = of_statement.filter_map(|line| number(line, "rows")).collect();
    (!rows.is_empty()).then(|| rows.iter().fold(1, |all: u64, rows| all.saturating_mul(*rows)))
}

/// A number of a plan, which MySQL gives as one and MariaDB as text.
fn number(line: &MySqlRow, column: &str) -> Option<u64> {
    let number = line.try_get::<u64, _>(column).ok().or_else(|| line.try_get::<i64, _>(column).ok()?.try_into().ok());
    number.or_else(|| line.try_get::<String, _>(column).ok()?.parse().ok())
}
