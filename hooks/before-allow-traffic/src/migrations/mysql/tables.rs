//! What the server's dictionary says of tables, as far as it decides how a step is run.

use std::collections::BTreeSet;

use greenlight_lint::mysql::statements::{Statement, Token};
use sha2::{Digest, Sha384};
use sqlx::{AssertSqlSafe, Row as _};

use super::fault::{halt, mysql_number};
use super::session::Session;
use crate::migrations::Halt;

/// Tables of this database that no transaction can undo, such as those of `MyISAM`, in lower case.
pub async fn untransactional(session: &mut Session<'_>) -> Result<BTreeSet<String>, Halt> {
    const SQL: &str = "SELECT CAST(LOWER(t.table_name) AS CHAR) FROM information_schema.tables t \
         JOIN information_schema.engines e ON e.engine = t.engine \
         WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND COALESCE(e.transactions, 'NO') <> 'YES'";
    let found: Vec<String> = sqlx::query_scalar(SQL)
        .fetch_all(&mut session.connection)
        .await
        .map_err(|error| halt("the engines of the tables", &session.place, error))?;
    Ok(found.into_iter().collect())
}

/// Whether the statement speaks of one of these tables.
pub fn speaks_of(statement: &Statement<'_>, tables: &BTreeSet<String>) -> bool {
    let name = |token: &Token<'_>| match token {
        Token::Word(name) | Token::Quoted(name) => tables.contains(&name.trim_matches('`').to_lowercase()),
        Token::Text(_) | Token::Mark(_) => false,
    };
    !tables.is_empty() && statement.head.iter().any(name)
}

/// Checksum of a table's definition, named as in the migration; `None` where there is no such table.
pub async fn definition(session: &mut Session<'_>, table: &str) -> Result<Option<Vec<u8>>, Halt> {
    let sql = format!("SHOW CREATE TABLE {table}");
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(&mut session.connection).await;
    let shown = match row {
        // No such table, no such database, a name that is none.
        Err(error) if matches!(mysql_number(&error), Some(1146 | 1049 | 1064)) => return Ok(None),
        // Its type depends on the server's version.
        row => row.and_then(|row| row.try_get_unchecked::<Vec<u8>, _>(1)),
    };
    let shown = shown.map_err(|error| halt(&format!("the table {table}"), &session.place, error))?;
    Ok(Some(Sha384::digest(without_counter(&String::from_utf8_lossy(&shown))).to_vec()))
}

/// What every inserted row changes is not the definition.
fn without_counter(shown: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    match shown.split_once(COUNTER) {
        None => shown.to_owned(),
        Some((before, after)) => before.to_owned() + after.trim_start_matches(|char: char| char.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::without_counter;

    #[test]
    fn a_definition_is_the_same_with_more_rows() {
        assert_eq!(without_counter("CREATE … AUTO_INCREMENT=42 DEFAULT"), without_counter("CREATE … DEFAULT"));
    }
}
