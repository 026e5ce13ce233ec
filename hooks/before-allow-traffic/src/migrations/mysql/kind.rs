//! What a statement does to a transaction, and whether it may be run a second time where nobody heard how the first one ended.

use greenlight_lint::mysql::statements::{Statement, Token};

/// How a statement must be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Changes rows, in any transaction, or only reads.
    Rows,
    /// Sets something for the session: does nothing to the database, and must be done again by whoever goes on.
    Setting,
    /// Names a database, without quotes.
    Use(String),
    /// Opens a transaction.
    Begin,
    /// Ends one and keeps its work.
    Commit,
    /// Ends one and undoes its work.
    Rollback,
    /// Makes a table for this session only, and commits nothing.
    Temporary,
    /// Drops one.
    DropTemporary,
    /// `LOCK TABLES`: until they are unlocked nothing else is in reach, our records neither.
    Lock,
    /// `UNLOCK TABLES`.
    Unlock,
    /// Changes the definition of this table, as written: what it was before tells whether it was done.
    Table(String),
    /// Makes, drops or renames something: run again it gives one of these errors where it was done.
    Object(&'static [u16]),
    /// Does the same the second time: `GRANT`, `ANALYZE`, `CREATE OR REPLACE`.
    Again,
    /// Nobody can say what it does, or whether it was done: `CALL`.
    Unknown,
    /// Cannot work here, and why.
    Wrong(&'static str),
}

/// Table or view, database, routine, trigger, event, user or role, server, plugin.
const EXISTS: [u16; 8] = [1050, 1007, 1304, 1359, 1537, 1396, 1476, 1125];
/// Table, database, routine or plugin, trigger, event, user or role, server; MariaDB's sequence and view.
const GONE: [u16; 9] = [1051, 1008, 1305, 1360, 1539, 1396, 1477, 4091, 4092];
/// A table under its old name; an account.
const RENAMED: [u16; 2] = [1146, 1396];
/// Of an account, a table, a routine, a role.
const REVOKED: [u16; 4] = [1141, 1147, 1403, 1962];

const ROWS: [&str; 17] = [
    "delete",
    "desc",
    "describe",
    "do",
    "explain",
    "handler",
    "help",
    "insert",
    "load",
    "release",
    "replace",
    "savepoint",
    "show",
    "table",
    "update",
    "values",
    "with",
];
const AGAIN: [&str; 10] =
    ["analyze", "cache", "check", "checksum", "flush", "grant", "optimize", "repair", "reset", "truncate"];

const CLIENTS: &str = "is a word for the mysql client, which no server knows";
const OURS: &str = "would give back the lock under which the database is migrated";

impl Kind {
    /// Reads it off the first tokens.
    pub fn of(statement: &Statement<'_>) -> Self {
        match of(&statement.head) {
            Self::Rows | Self::Setting if statement.mentions("release_all_locks") => Self::Wrong(OURS),
            Self::Rows | Self::Setting if statement.mentions("release_lock") => Self::Wrong(OURS),
            kind => kind,
        }
    }

    /// Whether it commits the transaction in which it is run. <https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html>
    pub fn commits(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Object(_) | Self::Again | Self::Lock | Self::Unlock)
    }

    /// Whether it leaves something behind in its session.
    pub fn marks_session(&self) -> bool {
        matches!(self, Self::Setting | Self::Use(_) | Self::Temporary | Self::Lock | Self::Unknown)
    }
}

fn of(tokens: &[Token<'_>]) -> Kind {
    let is = |keywords: &[&str]| starts(tokens, keywords);
    let mentions = |keyword: &str| tokens.iter().any(|token| token.is(keyword));
    let Some(Token::Word(first)) = tokens.first() else {
        // A query in parentheses; or a command of the client's.
        return if tokens.first() == Some(&Token::Mark('\\')) { Kind::Wrong(CLIENTS) } else { Kind::Rows };
    };
    let first = first.to_ascii_lowercase();
    match first.as_str() {
        "begin" if is(&["begin", "not"]) => Kind::Unknown,
        "start" if !is(&["start", "transaction"]) => Kind::Unknown,
        "begin" | "start" => Kind::Begin,
        "rollback" if mentions("to") => Kind::Rows,
        "commit" | "rollback" if (mentions("chain") || mentions("release")) && !mentions("no") => {
            Kind::Wrong("leaves a transaction, or a connection, of which nobody can say how it ends")
        }
        "commit" => Kind::Commit,
        "rollback" => Kind::Rollback,
        "xa" => Kind::Wrong("is part of a transaction that another session may end"),
        "select" if sets_variable(tokens) => Kind::Setting,
        "select" => Kind::Rows,
        "load" if mentions("local") => Kind::Wrong("needs a file that only a client could send"),
        "flush" if mentions("lock") || mentions("export") => {
            Kind::Wrong("locks the tables in which greenlight keeps its records")
        }
        "source" | "system" => Kind::Wrong(CLIENTS),
        "set" if is(&["set", "statement"]) => {
            let after = tokens.iter().position(|token| token.is("for")).map_or(tokens.len(), |at| at + 1);
            of(&tokens[after..])
        }
        "set" if leaves_autocommit(tokens) => Kind::Wrong(
            "begins a transaction of which nobody can say where it ends; write START TRANSACTION and COMMIT around what \
             belongs together",
        ),
        "set" | "prepare" | "deallocate" => Kind::Setting,
        "use" => Kind::Use(object(&tokens[1..]).replace('`', "")),
        "lock" if is(&["lock", "tables"]) || is(&["lock", "table"]) => Kind::Lock,
        "unlock" => Kind::Unlock,
        "create" => create(&tokens[1..]),
        "drop" => drop(&tokens[1..]),
        "alter" => alter(&tokens[1..]),
        // `a TO b, c TO a`: done a second time it would be undone, or half of it be found done.
        "rename" if names_twice(&tokens[1..]) => Kind::Unknown,
        "rename" => Kind::Object(&RENAMED),
        "revoke" => Kind::Object(&REVOKED),
        "install" => Kind::Object(&EXISTS),
        "uninstall" => Kind::Object(&GONE),
        word if ROWS.contains(&word) => Kind::Rows,
        word if AGAIN.contains(&word) => Kind::Again,
        _ => Kind::Unknown,
    }
}

fn create(tokens: &[Token<'_>]) -> Kind {
    let replaces = starts(tokens, &["or", "replace"]);
    let tokens = if replaces { &tokens[2..] } else { tokens };
    if starts(tokens, &["temporary"]) {
        return Kind::Temporary;
    }
    let index = tokens.iter().take(2).any(|token| token.is("index"));
    match tokens.iter().position(|token| token.is("on")) {
        Some(on) if index => Kind::Table(object(&tokens[on + 1..])),
        _ if replaces => Kind::Again,
        _ => Kind::Object(&EXISTS),
    }
}

fn drop(tokens: &[Token<'_>]) -> Kind {
    match tokens.iter().position(|token| token.is("on")) {
        _ if starts(tokens, &["temporary"]) => Kind::DropTemporary,
        _ if starts(tokens, &["prepare"]) => Kind::Setting,
        Some(on) if starts(tokens, &["index"]) => Kind::Table(object(&tokens[on + 1..])),
        _ => Kind::Object(&GONE),
    }
}

fn alter(tokens: &[Token<'_>]) -> Kind {
    let Some(table) = tokens.iter().take(3).position(|token| token.is("table")) else {
        return if starts(tokens, &["event"]) { Kind::Object(&GONE) } else { Kind::Again };
    };
    // Done a second time it would be undone, and the definition does not show it.
    if tokens.iter().any(|token| token.is("exchange")) {
        return Kind::Unknown;
    }
    let name = &tokens[table + 1..];
    Kind::Table(object(if starts(name, &["if", "exists"]) { &name[2..] } else { name }))
}

/// Whether a name of the list is there twice.
fn names_twice(tokens: &[Token<'_>]) -> bool {
    let mut names: Vec<String> = tokens
        .split(|token| token.is("to") || *token == Token::Mark(','))
        .filter_map(|name| name.iter().rev().find_map(as_name))
        .collect();
    let all = names.len();
    names.sort();
    names.dedup();
    names.len() < all
}

fn as_name(token: &Token<'_>) -> Option<String> {
    match token {
        Token::Word(name) | Token::Quoted(name) => Some(name.trim_matches('`').to_lowercase()),
        Token::Text(_) | Token::Mark(_) => None,
    }
}

/// `SELECT … INTO @x`, `SELECT @x := …`.
fn sets_variable(tokens: &[Token<'_>]) -> bool {
    tokens
        .windows(2)
        .any(|pair| (pair[0].is("into") && pair[1] == Token::Mark('@')) || pair == [Token::Mark(':'), Token::Mark('=')])
}

/// Whether it sets `autocommit` to anything but on.
fn leaves_autocommit(tokens: &[Token<'_>]) -> bool {
    tokens.iter().enumerate().filter(|(_, token)| token.is("autocommit")).any(|(at, _)| {
        let mut value = tokens[at + 1..].iter().skip_while(|token| **token == Token::Mark(':'));
        value.next() == Some(&Token::Mark('='))
            && !value.next().is_some_and(|value| ["1", "on", "true", "default"].iter().any(|on| value.is(on)))
    })
}

fn starts(tokens: &[Token<'_>], keywords: &[&str]) -> bool {
    keywords.len() <= tokens.len() && tokens.iter().zip(keywords).all(|(token, keyword)| token.is(keyword))
}

/// `name` or `database.name`, as written.
fn object(tokens: &[Token<'_>]) -> String {
    let as_written = |token: Option<&Token<'_>>| match token {
        Some(Token::Word(name) | Token::Quoted(name)) => (*name).to_owned(),
        _ => String::new(),
    };
    let mut out = as_written(tokens.first());
    if tokens.get(1) == Some(&Token::Mark('.')) {
        out.push('.');
        out.push_str(&as_written(tokens.get(2)));
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use greenlight_lint::mysql::statements::statements;

    use super::{Kind, OURS};

    fn kind(sql: &str) -> Kind {
        Kind::of(&statements(sql).next().unwrap().unwrap())
    }

    fn table(name: &str) -> Kind {
        Kind::Table(name.to_owned())
    }

    #[test]
    fn transaction_control_is_recognised() {
        assert_eq!(kind("BEGIN"), Kind::Begin);
        assert_eq!(kind("start transaction with consistent snapshot"), Kind::Begin);
        assert_eq!(kind("commit work"), Kind::Commit);
        assert_eq!(kind("rollback to savepoint a"), Kind::Rows);
        assert!(matches!(kind("commit and chain"), Kind::Wrong(_)));
        assert_eq!(kind("commit and no chain"), Kind::Commit);
        assert!(matches!(kind("xa start 'x'"), Kind::Wrong(_)));
    }

    #[test]
    fn a_transaction_that_never_ends_is_not_begun_by_autocommit() {
        assert!(matches!(kind("SET autocommit = 0"), Kind::Wrong(_)));
        assert!(matches!(kind("SET @@session.autocommit := OFF"), Kind::Wrong(_)));
        assert!(matches!(kind("SET @OLD = @@AUTOCOMMIT, AUTOCOMMIT=0"), Kind::Wrong(_)));
        assert_eq!(kind("SET autocommit = 1"), Kind::Setting);
        assert_eq!(kind("SET @OLD = @@AUTOCOMMIT"), Kind::Setting);
    }

    #[test]
    fn the_table_whose_definition_changes_is_named() {
        assert_eq!(kind("ALTER TABLE orders ADD COLUMN x int"), table("orders"));
        assert_eq!(kind("alter ignore table if exists `a b`.`c` drop x"), table("`a b`.`c`"));
        assert_eq!(kind("create unique index i on shop.orders (a)"), table("shop.orders"));
        assert_eq!(kind("CREATE OR REPLACE INDEX i ON orders (a)"), table("orders"));
        assert_eq!(kind("drop index i on orders"), table("orders"));
        assert_eq!(kind("/*!40000 ALTER TABLE `orders` DISABLE KEYS */"), table("`orders`"));
        assert_eq!(kind("alter table a exchange partition p with table b"), Kind::Unknown);
    }

    #[test]
    fn what_may_be_done_again_and_what_nobody_can_say() {
        assert!(matches!(kind("create table a (x int, index (x))"), Kind::Object(_)));
        assert!(matches!(kind("create definer = a@b procedure p() begin select 1; end"), Kind::Object(_)));
        assert_eq!(kind("create or replace view v as select 1"), Kind::Again);
        assert!(matches!(kind("drop table a"), Kind::Object(_)));
        assert!(matches!(kind("rename table a to b, shop.c to d"), Kind::Object(_)));
        assert_eq!(kind("rename table a to t, `b` to a, t to b"), Kind::Unknown);
        assert_eq!(kind("truncate orders"), Kind::Again);
        assert_eq!(kind("call fill()"), Kind::Unknown);
        assert_eq!(kind("begin not atomic select 1; end"), Kind::Unknown);
        assert_eq!(kind("SET STATEMENT max_statement_time = 0 FOR CALL fill()"), Kind::Unknown);
    }

    #[test]
    fn what_only_sets_something_for_the_session_is_recognised() {
        assert_eq!(kind("SET NAMES utf8mb4"), Kind::Setting);
        assert_eq!(kind("select count(*) into @n from a"), Kind::Setting);
        assert_eq!(kind("select @n := 1"), Kind::Setting);
        assert_eq!(kind("select '@n := 1'"), Kind::Rows);
        assert_eq!(kind("create temporary table a (x int)"), Kind::Temporary);
        assert_eq!(kind("use `shop`"), Kind::Use("shop".to_owned()));
    }

    #[test]
    fn the_lock_is_not_given_back() {
        assert_eq!(kind("select release_all_locks()"), Kind::Wrong(OURS));
        assert_eq!(kind("do release_lock('x')"), Kind::Wrong(OURS));
        assert!(matches!(kind("create procedure p() do release_lock('x')"), Kind::Object(_)), "only made, not run");
    }
}
