//! What a database's errors mean here: which may pass, and what to say.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;

/// What an error means for the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The connection is gone, and with it the knowledge of what the last statement did.
    Lost,
    /// Somebody else held a lock for too long, or we were the victim of a deadlock.
    Busy,
    /// The server starts, has no room for us, or became a reader.
    Unready,
    /// Our own statement timeout, or somebody cancelled the statement.
    Cancelled,
    /// The server will say the same the next time.
    Refused,
}

/// Sorts an error by PostgreSQL's SQLSTATE, or by MySQL's and MariaDB's number.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
/// <https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>
/// <https://mariadb.com/docs/server/reference/error-codes>
pub fn class(error: &sqlx::Error) -> Class {
    if let Some(number) = mysql_number(error) {
        return match number {
            // The server stops, or somebody ended our connection.
            1053 | 1079 | 1927 | 3169 | 4031 => Class::Lost,
            // Lock wait timeout, deadlock, of user-level locks too.
            1205 | 1213 | 3058 | 3572 => Class::Busy,
            // Too many connections, or no writer any more.
            1040 | 1203 | 1290 | 1792 | 1836 => Class::Unready,
            // Interrupted, by KILL QUERY or max_statement_time.
            1317 | 1969 | 3024 => Class::Cancelled,
            _ => Class::Refused,
        };
    }
    let Some(code) = sqlstate(error) else {
        return match error {
            sqlx::Error::Io(cause) if cause.kind() == std::io::ErrorKind::InvalidData => Class::Refused,
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Class::Lost,
            _ => Class::Refused,
        };
    };
    match code.as_str() {
        "57P01" | "57P02" | "57P05" | "25P03" => Class::Lost,
        "55P03" | "40P01" | "40001" => Class::Busy,
        "53300" | "57P03" | "25006" => Class::Unready,
        "57014" => Class::Cancelled,
        code if code.starts_with("08") => Class::Lost,
        _ => Class::Refused,
    }
}

/// Whether no trusted connection came about: a certificate that is not accepted, or a server without TLS.
pub fn is_of_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(cause) => cause.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    }
}

/// The server's five characters of SQLSTATE; `None` when the error is not the server's.
pub fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

/// The server's message, SQLSTATE and hint. Its detail is left out: it quotes rows. So do some messages of MySQL: what they
/// quote is left out. Where the error is not the server's,
/// its first cause: sqlx's own words repeat it.
pub fn words(error: &sqlx::Error) -> String {
    if let Some(server) = mysql(error) {
        let state = server.code().map(|state| format!(", SQLSTATE {state}")).unwrap_or_default();
        let message = without_texts(server.number(), server.message());
        return format!("{message} (error {}{state})", server.number());
    }
    let Some(server) = server(error) else {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        return causes.last().map_or_else(String::new, ToString::to_string);
    };
    let mut out = format!("{} (SQLSTATE {})", server.message(), server.code());
    if let Some(hint) = server.hint() {
        out.push_str("; hint: ");
        out.push_str(hint);
    }
    out
}

/// MySQL quotes what it stumbles over: the statement's own text, or the value of a row. Either may be secret.
fn without_texts(number: u16, message: &str) -> String {
    let (opens, closes) = match number {
        // Wrong syntax.
        1064 | 1149 => (" near '", "' at line "),
        // A duplicate.
        1062 | 1586 => ("Duplicate entry '", "' for key "),
        // Of a variable.
        1231 => (" value of '", "'"),
        // Of the wrong kind, or out of range.
        1292 | 1366 | 1367 | 1411 | 1525 | 1690 => ("'", "' for "),
        _ => return message.to_owned(),
    };
    // What has another form than expected is left out from its first quote to its last.
    let from = message.find(opens).map(|at| at + opens.len()).or_else(|| message.find('\'').map(|at| at + 1));
    let to = message.rfind(closes).or_else(|| message.rfind('\''));
    match (from, to) {
        (Some(from), Some(to)) if from <= to => format!("{}…{}", &message[..from], &message[to..]),
        _ => message.to_owned(),
    }
}

/// The number of an error of MySQL or MariaDB: 1205.
pub fn mysql_number(error: &sqlx::Error) -> Option<u16> {
    mysql(error).map(MySqlDatabaseError::number)
}

fn mysql(error: &sqlx::Error) -> Option<&MySqlDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref())
}

/// The error as PostgreSQL said it; `None` when it is not PostgreSQL's.
pub fn server(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref())
}

/// Between half of this and all of it, so that two who stand in each other's way do not meet again.
pub fn jittered(longest: Duration) -> Duration {
    let random = RandomState::new().hash_one(0_u8) % 512;
    longest / 2 + longest * u32::try_from(random).unwrap_or(0) / 1024
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Class, class, jittered, without_texts};

    #[test]
    fn a_broken_connection_is_lost_and_a_wrong_certificate_is_refused() {
        let io = |kind| sqlx::Error::Io(std::io::Error::from(kind));
        assert_eq!(class(&io(std::io::ErrorKind::ConnectionReset)), Class::Lost);
        assert_eq!(class(&io(std::io::ErrorKind::UnexpectedEof)), Class::Lost);
        assert_eq!(class(&io(std::io::ErrorKind::InvalidData)), Class::Refused);
    }

    #[test]
    fn what_mysql_quotes_of_statements_and_rows_is_not_told() {
        for (number, message, told) in [
            (1064, "wrong syntax to use near 'IS 'it' at line 3' at line 1", "wrong syntax to use near '…' at line 1"),
            (1062, "Duplicate entry 'it's' for key 'by_name'", "Duplicate entry '…' for key 'by_name'"),
            (
                1231,
                "Variable 'sql_mode' can't be set to the value of 'x'",
                "Variable 'sql_mode' can't be set to the value of '…'",
            ),
            (
                1366,
                "Incorrect integer value: 'x' for column 'y' at row 1",
                "Incorrect integer value: '…' for column 'y' at row 1",
            ),
            (1292, "Truncated incorrect DOUBLE value: 'x'", "Truncated incorrect DOUBLE value: '…'"),
            (1054, "Unknown column 'y' in 'field list'", "Unknown column 'y' in 'field list'"),
        ] {
            assert_eq!(without_texts(number, message), told);
        }
    }

    #[test]
    fn jitter_keeps_between_half_and_all() {
        for _ in 0..1000 {
            let drawn = jittered(Duration::from_secs(2));
            assert!((Duration::from_secs(1)..=Duration::from_secs(2)).contains(&drawn), "{drawn:?}");
        }
    }
}
