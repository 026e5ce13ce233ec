//! Migrations: taken apart into statements, and judged.

use greenlight_lint::statements::{Statement, Token, Unclosed, statements};
use greenlight_lint::{Facts, Finding, Migration, lint, mysql, questions};

use crate::documents;

/// Characters of a summary at most, and the one that stands for what is left out.
const SUMMARY: usize = 91;

/// What a summary has in place of a text in quotes.
const LEFT_OUT: &str = "'…'";

pub(crate) fn read_postgresql(bytes: &[u8]) {
    let sql = documents::text(bytes);
    let found = split(&sql, statements);
    for statement in &found {
        let place = place(&sql, statement);
        assert_eq!(statement.line, 1 + sql[..place].matches('\n').count(), "{:?}", statement.text);
    }
    let files = [file(&sql)];
    questions(&files);
    are_told_of(&sql, &lint(&files, &Facts::default()));
}

pub(crate) fn read_mysql(bytes: &[u8]) {
    let sql = documents::text(bytes);
    split(&sql, mysql::statements::statements);
    let files = [file(&sql)];
    mysql::questions(&files);
    are_told_of(&sql, &mysql::lint(&files, &Facts::default()));
}

fn file(sql: &str) -> Migration<'_> {
    Migration { name: "1_a.sql", sql, in_transaction: true }
}

/// The statements, which lie in the file one behind the other and are the same when each is read alone.
fn split<'a, I>(sql: &'a str, read: impl Fn(&'a str) -> I) -> Vec<Statement<'a>>
where
    I: Iterator<Item = Result<Statement<'a>, Unclosed>>,
{
    let (mut found, mut end, lines) = (Vec::new(), 0, sql.split('\n').count());
    let mut all = read(sql);
    for statement in all.by_ref() {
        let statement = match statement {
            Ok(statement) => statement,
            Err(unclosed) => {
                assert!((1..=lines).contains(&unclosed.line), "{unclosed}");
                break;
            }
        };
        let begin = place(sql, &statement);
        assert!(begin >= end && !statement.text.is_empty(), "{:?} lies in the one before", statement.text);
        end = begin + statement.text.len();
        assert!((1..=lines).contains(&statement.line), "{:?}", statement.text);
        is_fit_for_people(&statement);
        let alone: Vec<_> = read(statement.text).collect();
        // To MySQL two dashes are a comment where nothing follows, and none before a semicolon.
        let same = matches!(alone.as_slice(), [Ok(alone)] if alone.text == statement.text);
        let same = same || statement.text.ends_with("--");
        assert!(same, "{:?} is read alone as {alone:?}", statement.text);
        found.push(statement);
    }
    assert!(all.next().is_none(), "it ends after the first error");
    found
}

/// Where in the file it begins.
fn place(sql: &str, statement: &Statement<'_>) -> usize {
    let place = (statement.text.as_ptr() as usize).checked_sub(sql.as_ptr() as usize).expect("it lies in the file");
    assert_eq!(sql.get(place..place + statement.text.len()), Some(statement.text));
    place
}

/// One line, short, and without what stands in quotes.
fn is_fit_for_people(statement: &Statement<'_>) {
    let summary = statement.summary();
    assert!(summary.chars().count() <= SUMMARY, "{summary}");
    assert!(!summary.contains(char::is_control), "{summary:?}");
    let shown = summary.replace(LEFT_OUT, "\n");
    for token in statement.tokens() {
        if let Token::Text(text) = token {
            // A name in other quotes may hold the same.
            let once = statement.text.match_indices(text).nth(1).is_none();
            assert!(!once || text.len() < 3 || !shown.contains(text), "{summary} shows {text}");
        }
    }
}

fn are_told_of(sql: &str, findings: &[Finding]) {
    let lines = sql.split('\n').count();
    for finding in findings {
        assert!((1..=lines).contains(&finding.line), "{finding}");
        assert!(!finding.to_string().contains('\n'), "{finding}");
    }
}
