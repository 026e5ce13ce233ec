//! Which database it is: PostgreSQL, or MySQL and its kin.

use std::fmt;

/// What is spoken on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL, Aurora PostgreSQL.
    PostgreSql,
    /// MySQL, MariaDB, Aurora MySQL.
    MySql,
}

impl Engine {
    /// By the word that RDS and its secrets use: `aurora-postgresql`, `mariadb`. `None` for any other engine.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html>
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "mysql" | "aurora-mysql" | "mariadb" | "aurora" => Some(Self::MySql),
            word if word.contains("postgres") => Some(Self::PostgreSql),
            _ => None,
        }
    }

    /// Its own port.
    pub fn port(self) -> u16 {
        match self {
            Self::PostgreSql => 5432,
            Self::MySql => 3306,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::PostgreSql => "PostgreSQL",
            Self::MySql => "MySQL",
        })
    }
}
