#![allow(clippy::unwrap_used, reason = "a test may")]

use super::{DELIMITER, Statement, Unclosed, statements};

fn split(sql: &str) -> Vec<Statement<'_>> {
    statements(sql).collect::<Result<_, _>>().unwrap()
}

fn texts(sql: &str) -> Vec<&str> {
    split(sql).iter().map(|statement| statement.text).collect()
}

fn error(sql: &str) -> Option<Unclosed> {
    statements(sql).find_map(Result::err)
}

/// It is one statement with what follows it.
fn is_kept_whole(routine: &str) {
    assert_eq!(texts(&format!("{routine};\nselect 2;")), [routine, "select 2"]);
}

#[test]
fn a_semicolon_ends_a_statement_and_empty_ones_are_none() {
    assert_eq!(texts("create table a (b int); ;\n select 1 ; "), ["create table a (b int)", "select 1"]);
    assert_eq!(texts("select (1; select 2"), ["select (1", "select 2"], "to the client too");
    assert_eq!(texts(" -- only a comment\n"), Vec::<&str>::new());
}

#[test]
fn a_semicolon_in_a_quote_ends_nothing() {
    assert_eq!(
        texts(r#"select 'a;''b;', "c;""d;" as `;``x;`; select 2"#),
        [r#"select 'a;''b;', "c;""d;" as `;``x;`"#, "select 2"]
    );
}

/// Reading a backslash in backticks as an escape would swallow the rest of the file.
#[test]
fn a_backslash_escapes_in_texts_and_not_in_names() {
    assert_eq!(
        texts(r#"select 'it\';s', "a\";"; select `c:\`; select 3"#),
        [r#"select 'it\';s', "a\";""#, r"select `c:\`", "select 3"]
    );
}

#[test]
fn dollars_quote_nothing() {
    assert_eq!(texts("select $$; select a$b$"), ["select $$", "select a$b$"]);
}

#[test]
fn a_semicolon_in_a_comment_ends_nothing() {
    assert_eq!(
        texts("select 1 -- a; b\n, 2 # c; 'd\n; /* x; /* y; */ select 3 /* ; */;--\nselect 4;-- ; 'x"),
        ["select 1 -- a; b\n, 2", "select 3", "select 4"]
    );
}

/// `5--1` is a sum, and a dash more is no comment either.
#[test]
fn two_dashes_need_a_blank_to_be_a_comment() {
    assert_eq!(texts("select 5--1; select 2"), ["select 5--1", "select 2"]);
    assert_eq!(texts("select 5 --\t1; select 2\n; select 3"), ["select 5", "select 3"]);
}

#[test]
fn a_comment_that_is_executed_is_part_of_its_statement() {
    let sql = "/*!40101 SET NAMES utf8mb4 */;\n/*M! drop table a */; create table b (c int) /*!50100 partition by hash (c) */;";
    assert_eq!(
        texts(sql),
        [
            "/*!40101 SET NAMES utf8mb4 */",
            "/*M! drop table a */",
            "create table b (c int) /*!50100 partition by hash (c) */"
        ]
    );
    assert!(split(sql)[1].starts_with(&["drop", "table"]));
    assert_eq!(split(sql)[0].summary(), "SET NAMES utf8mb4");
    assert_eq!(
        texts("/*!50003 CREATE*/ /*!50020 TRIGGER t */ x; y"),
        ["/*!50003 CREATE*/ /*!50020 TRIGGER t */ x", "y"]
    );
    assert_eq!(texts("/*!40000 */; select 1 */ 2"), ["select 1 */ 2"]);
    assert_eq!(texts("select /*! 'a;' */ 1; select 2"), ["select /*! 'a;' */ 1", "select 2"]);
}

/// A server for which the version is too new skips to the first `*/`, and executes what others take for a text.
#[test]
fn a_comment_that_is_executed_ends_where_it_does_when_it_is_skipped() {
    let unclosed = |line| Some(Unclosed { what: "a comment that is executed", line });
    assert_eq!(error("select 1;\n/*!99999 select '*/; drop table a; -- ' */;"), unclosed(2));
    assert_eq!(error("/*!40000 select 1; select 2 */;"), unclosed(1));
    assert_eq!(error("/*!40000 select 1"), unclosed(1));
}

#[test]
fn the_body_of_a_routine_is_one_statement() {
    for routine in [
        "create procedure p() begin select 1; select 2; end",
        "create definer=`a;`@'%' procedure if not exists p(in x int) begin end",
        "CREATE OR REPLACE FUNCTION f(a varchar(9) character set utf8mb4) RETURNS int DETERMINISTIC BEGIN RETURN 1; END",
        "create trigger t before insert on a for each row begin set new.b = 1; set new.c = 2; end",
        "create event e on schedule every 1 day do begin delete from a where b < 1; delete from c; end",
        "alter event e do begin select 1; end",
        "create procedure p() begin begin select 1; end; a: begin select 2; end a; end",
        "create procedure p() begin if a then select 1; elseif b then select 2; else if c then select 3; end if; end if; end",
        "create procedure p() begin case a when 1 then select 1; else begin end; end case; select case a when 1 then 2 end; end",
        "create procedure p() begin l: loop leave l; end loop l; while a do set a = 0; end while; end",
        "create procedure p() begin repeat set a = repeat('x', 2); until a = case b when 1 then 2 end end repeat; end",
        "create procedure p() begin declare exit handler for sqlexception begin rollback; end; select if(a, 1, 2); end",
        "create procedure p() begin declare continue handler for not found set done = if(a, 1, 2); select 1; end",
        "create procedure p() begin drop table if exists a; create table if not exists b (c int); end",
        "create procedure p() begin select `end`, t.end, begin from t; select a.begin; end",
        "create procedure p() begin /* end; */ select 'end;'; -- end;\n select 2; end",
        "begin not atomic declare a int; set a = 1; end",
        "create procedure p() begin for i in 1 .. 3 do select i; end for; end",
        "if a = 1 then select 1; select 2; end if",
    ] {
        is_kept_whole(routine);
    }
}

#[test]
fn the_body_of_a_routine_may_be_one_statement() {
    for routine in [
        "create procedure p() select if(a, 1, 2)",
        "create function f() returns int return case a when 1 then 2 end",
        "create trigger t after update on a for each row if new.b then set @c = 1; set @d = 2; end if",
        "create trigger t before insert on a for each row set new.b = if(new.c, 1, 2)",
        "create procedure p() while a do select 1; select 2; end while",
        "create event e on schedule every 1 day do drop table if exists a",
        "create function f() returns varchar(9) character set utf8mb4 if a then return 1; end if",
    ] {
        is_kept_whole(routine);
    }
}

#[test]
fn what_is_no_routine_has_no_body() {
    assert_eq!(texts("begin; update a set b = 1; commit"), ["begin", "update a set b = 1", "commit"]);
    assert_eq!(texts("begin work; select 1"), ["begin work", "select 1"]);
    assert_eq!(texts("create table event (begin int); select 1"), ["create table event (begin int)", "select 1"]);
    let view = "create definer=root@localhost view v as select case a when 1 then 2 end, begin from b";
    assert_eq!(texts(&format!("{view}; select 1")), [view, "select 1"]);
    assert_eq!(texts("drop procedure if exists p; select 1"), ["drop procedure if exists p", "select 1"]);
}

#[test]
fn lines_are_counted_from_the_first_token() {
    let sql = "# one\n\nselect 'a\nb';\r\n/* x\n*/ select\n  oops;\n/*!40000\n select 1 */";
    let found = split(sql);
    assert_eq!(found.iter().map(|statement| statement.line).collect::<Vec<_>>(), [3, 6, 9]);
    assert_eq!(found[1].line_at(10), 7);
}

#[test]
fn what_is_never_closed_is_named_with_its_line() {
    let unclosed = |what, line| Some(Unclosed { what, line });
    assert_eq!(error("select 1;\nselect 'a\\'"), unclosed("a quoted text", 2));
    assert_eq!(error("select \"a"), unclosed("a quoted text", 1));
    assert_eq!(error("select 1;\n\nselect `a\\`;`"), unclosed("a quoted name", 3));
    assert_eq!(error("select 1; /* a"), unclosed("a comment", 1));
    assert_eq!(error("\ncreate procedure p()\nbegin select 1;"), unclosed("the body of a routine", 2));
    assert_eq!(
        error("select `a").map(|it| it.to_string()).as_deref(),
        Some("line 1: a quoted name is opened here and never closed")
    );
}

#[test]
fn the_word_for_the_client_is_told_apart() {
    let sql = "select 1;\ndelimiter //\ncreate procedure p() begin select 1; end//\nDELIMITER ;";
    assert_eq!(statements(sql).count(), 2, "it ends there");
    assert_eq!(error(sql), Some(Unclosed { what: DELIMITER, line: 2 }));
    assert!(
        error(sql).is_some_and(|it| it.to_string().starts_with("line 2: DELIMITER is a word for the mysql client"))
    );
    assert_eq!(error("select delimiter from a"), None);
}

/// `CREATE USER … IDENTIFIED BY '…'` must not reach the log, in double quotes neither.
#[test]
fn a_summary_leaves_quoted_texts_out() {
    let found = split("create user 'app'@`%`\n  identified by \"hunter2\" # 'x'\n comment 'it\\'s'");
    assert_eq!(found[0].summary(), "create user '…'@`%` identified by '…' comment '…'");
    assert_eq!(split(&format!("select {}", "abcdefgh, ".repeat(50)))[0].summary().chars().count(), 91);
}

#[test]
fn every_token_of_a_long_statement_is_told() {
    let sql = format!("insert into a values {} (1), `last`", "(1), ".repeat(1_000));
    assert!(split(&sql)[0].tokens().any(|token| token == super::Token::Quoted("`last`")));
    assert!(split(&sql)[0].starts_with(&["insert", "into"]) && !split(&sql)[0].mentions("last"));
}
