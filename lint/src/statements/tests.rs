#![allow(clippy::unwrap_used, reason = "a test may")]

use super::{Statement, Unclosed, statements};

fn split(sql: &str) -> Vec<Statement<'_>> {
    statements(sql).collect::<Result<_, _>>().unwrap()
}

fn texts(sql: &str) -> Vec<&str> {
    split(sql).iter().map(|statement| statement.text).collect()
}

#[test]
fn a_semicolon_ends_a_statement_and_empty_ones_are_none() {
    assert_eq!(texts("create table a (); ;\n select 1 ; "), ["create table a ()", "select 1"]);
    assert_eq!(texts(" -- only a comment\n"), Vec::<&str>::new());
}

#[test]
fn a_semicolon_in_a_quote_ends_nothing() {
    assert_eq!(
        texts(r#"select 'a;''b;' as ";""x;"; select E'it\';s'; select 2"#),
        [r#"select 'a;''b;' as ";""x;""#, r"select E'it\';s'", "select 2"]
    );
}

/// Without `E`, a backslash is an ordinary character: reading it as an escape would swallow the rest of the file.
#[test]
fn a_backslash_escapes_only_after_e() {
    assert_eq!(texts(r"select 'c:\'; select 2"), [r"select 'c:\'", "select 2"]);
}

#[test]
fn a_semicolon_in_a_dollar_quote_ends_nothing() {
    let sql = "do $$ begin perform 1; end $$; do $a$ x; $$ y; $a$; select $1";
    assert_eq!(texts(sql), ["do $$ begin perform 1; end $$", "do $a$ x; $$ y; $a$", "select $1"]);
    assert_eq!(texts("select a$b; select c$d"), ["select a$b", "select c$d"]);
}

#[test]
fn a_semicolon_in_a_comment_ends_nothing() {
    assert_eq!(
        texts("select 1 -- a; b\n, 2; /* x; /* y; */ z; */ select 3 /* ; */"),
        ["select 1 -- a; b\n, 2", "select 3"]
    );
}

#[test]
fn a_rule_and_an_atomic_body_are_one_statement() {
    let rule = "create rule r as on insert to t do also (select 1; select 2)";
    let body =
        "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end";
    let sql = format!("{rule}; {body}; select 3");
    assert_eq!(texts(&sql), [rule, body, "select 3"]);
}

#[test]
fn begin_of_a_transaction_is_a_statement() {
    assert_eq!(texts("begin; create table a(); end;"), ["begin", "create table a()", "end"]);
}

#[test]
fn lines_are_counted_from_the_first_token() {
    let sql = "-- one\n\nselect 'a\nb';\r\n/* x\n*/ select\n  oops";
    let found = split(sql);
    assert_eq!(found.iter().map(|statement| statement.line).collect::<Vec<_>>(), [3, 6]);
    assert_eq!(found[1].line_at(10), 7);
}

#[test]
fn what_is_never_closed_is_named_with_its_line() {
    let error = |sql: &str| statements(sql).find_map(Result::err);
    assert_eq!(error("select 1;\nselect 'a"), Some(Unclosed { what: "a quoted text", line: 2 }));
    assert_eq!(error("select 1;\n\n/* a /* */"), Some(Unclosed { what: "a comment", line: 3 }));
    assert_eq!(error("do $a$ x"), Some(Unclosed { what: "a dollar-quoted text", line: 1 }));
    assert_eq!(error("select 'é"), Some(Unclosed { what: "a quoted text", line: 1 }));
}

/// `CREATE ROLE … PASSWORD '…'` must not reach the log.
#[test]
fn a_summary_leaves_quoted_texts_out() {
    let found = split("create role app\n  login password 'hunter2' valid until 'tomorrow'");
    assert_eq!(found[0].summary(), "create role app login password '…' valid until '…'");
}

#[test]
fn a_summary_is_short() {
    let sql = format!("select {}", "abcdefgh, ".repeat(50));
    assert_eq!(split(&sql)[0].summary().chars().count(), 91);
}

#[test]
fn a_summary_keeps_the_blanks_of_the_statement() {
    let found =
        split("create table a(id  int,\n  -- not told\n  n numeric(10, 2)) /* , */ ; select a::int>=5, \"b\n c\"");
    let told: Vec<_> = found.iter().map(Statement::summary).collect();
    assert_eq!(told, ["create table a(id int, n numeric(10, 2))", "select a::int>=5, \"b  c\""]);
}

#[test]
fn every_token_of_a_long_statement_is_told() {
    let sql = format!("insert into a values {} (1), with", "(1), ".repeat(1_000));
    let split = split(&sql);
    assert!(split[0].tokens().any(|token| token.is("with")));
    assert!(!split[0].mentions("with"), "only the first ones are kept");
}
