//! What a statement does to the transaction it runs in, as far as that decides how it must be run.

use greenlight_lint::statements::{Statement, Token};

/// How a statement must be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In any transaction.
    Ordinary,
    /// Sets something for the session: does nothing to the database, and must be done again by whoever goes on.
    Setting,
    /// Opens a transaction.
    Begin,
    /// Ends one and keeps its work.
    Commit,
    /// Ends one and undoes its work.
    Rollback,
    /// Ends one in a way that we cannot follow: `PREPARE TRANSACTION`, `… AND CHAIN`.
    Untraceable,
    /// `COPY … FROM STDIN`: its data would have to come from a client such as psql.
    CopyFromStdin,
    /// `CREATE INDEX CONCURRENTLY`: in no transaction.
    CreateIndexConcurrently {
        /// Its name as written; `None` when PostgreSQL is to choose one.
        name: Option<String>,
        /// Its table as written, perhaps with its schema.
        table: String,
    },
    /// `DROP INDEX CONCURRENTLY`: in no transaction. The index as written, perhaps with its schema.
    DropIndexConcurrently(String),
    /// Another statement that refuses to run in a transaction.
    Alone {
        /// Whether it locks nothing that readers or writers need.
        politely: bool,
    },
}

impl Kind {
    /// Reads it off the first tokens. What is not recognised here and still refuses a transaction says so itself
    /// (SQLSTATE 25001) before it does anything.
    pub fn of(statement: &Statement<'_>) -> Self {
        let is = |keywords: &[&str]| statement.starts_with(keywords);
        let chained = statement.mentions("chain") && !statement.mentions("no");
        if is(&["begin"]) || is(&["start", "transaction"]) {
            Self::Begin
        } else if is(&["commit", "prepared"]) || is(&["rollback", "prepared"]) {
            Self::Alone { politely: false }
        } else if is(&["prepare", "transaction"]) {
            Self::Untraceable
        } else if is(&["rollback"]) && statement.mentions("to") {
            Self::Ordinary
        } else if is(&["commit"]) || is(&["end"]) {
            if chained { Self::Untraceable } else { Self::Commit }
        } else if is(&["rollback"]) || is(&["abort"]) {
            if chained { Self::Untraceable } else { Self::Rollback }
        } else if is(&["reset"]) || (is(&["set"]) && !is(&["set", "constraints"])) {
            Self::Setting
        } else if is(&["copy"]) && statement.mentions("stdin") {
            Self::CopyFromStdin
        } else if is(&["create", "index", "concurrently"]) || is(&["create", "unique", "index", "concurrently"]) {
            create_index(statement)
        } else if is(&["drop", "index", "concurrently"]) {
            drop_index(statement)
        } else if is(&["vacuum"]) || (is(&["reindex"]) && statement.mentions("concurrently")) {
            Self::Alone { politely: !statement.mentions("full") }
        } else {
            Self::Ordinary
        }
    }

    /// Whether it waits for others without making anybody wait, so that a short lock timeout would only hurt.
    pub fn waits_politely(&self) -> bool {
        match self {
            Self::CreateIndexConcurrently { .. } | Self::DropIndexConcurrently(_) => true,
            Self::Alone { politely } => *politely,
            _ => false,
        }
    }

    /// Whether it is known to refuse a transaction.
    pub fn refuses_transaction(&self) -> bool {
        matches!(self, Self::CreateIndexConcurrently { .. } | Self::DropIndexConcurrently(_) | Self::Alone { .. })
    }
}

fn create_index(statement: &Statement<'_>) -> Kind {
    let mut tokens = statement.head.iter().skip_while(|token| !token.is("concurrently")).skip(1).peekable();
    if tokens.peek().is_some_and(|token| token.is("if")) {
        tokens.nth(2);
    }
    let name = match tokens.peek() {
        Some(token) if !token.is("on") => tokens.next().and_then(as_written),
        _ => None,
    };
    tokens.next();
    if tokens.peek().is_some_and(|token| token.is("only")) {
        tokens.next();
    }
    Kind::CreateIndexConcurrently { name, table: object(tokens) }
}

fn drop_index(statement: &Statement<'_>) -> Kind {
    let mut tokens = statement.head.iter().skip(3).peekable();
    if tokens.peek().is_some_and(|token| token.is("if")) {
        tokens.nth(1);
    }
    Kind::DropIndexConcurrently(object(tokens))
}

/// `name` or `schema.name`, as written.
fn object<'a>(mut tokens: impl Iterator<Item = &'a Token<'a>>) -> String {
    let mut out = tokens.next().and_then(as_written).unwrap_or_default();
    if tokens.next() == Some(&Token::Mark('.')) {
        out.push('.');
        out.push_str(&tokens.next().and_then(as_written).unwrap_or_default());
    }
    out
}

fn as_written(token: &Token<'_>) -> Option<String> {
    match token {
        Token::Word(name) | Token::Quoted(name) => Some((*name).to_owned()),
        Token::Text(_) | Token::Mark(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::Kind;
    use greenlight_lint::statements::statements;

    fn kind(sql: &str) -> Kind {
        Kind::of(&statements(sql).next().unwrap().unwrap())
    }

    fn create_index(name: Option<&str>, table: &str) -> Kind {
        Kind::CreateIndexConcurrently { name: name.map(str::to_owned), table: table.to_owned() }
    }

    #[test]
    fn transaction_control_is_recognised() {
        assert_eq!(kind("BEGIN"), Kind::Begin);
        assert_eq!(kind("start transaction isolation level serializable"), Kind::Begin);
        assert_eq!(kind("commit work"), Kind::Commit);
        assert_eq!(kind("END"), Kind::Commit);
        assert_eq!(kind("abort"), Kind::Rollback);
        assert_eq!(kind("rollback to savepoint a"), Kind::Ordinary);
        assert_eq!(kind("commit and chain"), Kind::Untraceable);
        assert_eq!(kind("commit and no chain"), Kind::Commit);
        assert_eq!(kind("prepare transaction 'x'"), Kind::Untraceable);
        assert_eq!(kind("prepare q as select 1"), Kind::Ordinary);
    }

    #[test]
    fn a_concurrent_index_is_recognised_with_name_and_table() {
        assert_eq!(kind("create index concurrently a on t (x)"), create_index(Some("a"), "t"));
        assert_eq!(
            kind("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"A b\" ON ONLY shop.\"T\" USING btree (x)"),
            create_index(Some("\"A b\""), "shop.\"T\"")
        );
        assert_eq!(kind("create index concurrently on t(x)"), create_index(None, "t"));
        assert_eq!(kind("create index a on t (x)"), Kind::Ordinary);
        assert_eq!(kind("drop index concurrently if exists shop.a"), Kind::DropIndexConcurrently("shop.a".to_owned()));
    }

    /// `VACUUM FULL` with a long lock timeout would make blue's queries queue behind it.
    #[test]
    fn only_what_makes_nobody_wait_may_wait_long() {
        assert!(kind("vacuum (analyze) orders").waits_politely());
        assert!(kind("reindex index concurrently by_total").waits_politely());
        assert!(!kind("vacuum full orders").waits_politely());
        assert!(kind("vacuum full orders").refuses_transaction());
        assert!(!kind("alter table orders add x int").waits_politely());
    }

    #[test]
    fn a_setting_of_the_session_is_recognised() {
        assert_eq!(kind("set lock_timeout = '1s'"), Kind::Setting);
        assert_eq!(kind("reset all"), Kind::Setting);
        assert_eq!(kind("set constraints all deferred"), Kind::Ordinary);
    }

    #[test]
    fn data_that_only_psql_could_send_is_recognised() {
        assert_eq!(kind("copy t (a, b) from stdin"), Kind::CopyFromStdin);
        assert_eq!(kind("copy t from '/x'"), Kind::Ordinary);
    }
}
