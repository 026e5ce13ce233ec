//! The labelled files of `corpus-mysql/`: what breaks blue, what blocks it, what cannot be read, and what is safe.

use greenlight_lint::mysql::{lint, questions, table};
use greenlight_lint::{Facts, Finding, Harm, Migration, Weight};

#[path = "../../corpus/file.rs"]
mod file;
mod garbage;
#[path = "../../corpus/judged.rs"]
mod judged;
#[path = "../../corpus-mysql/labelled.rs"]
mod labelled;
#[path = "../../corpus/spoiled.rs"]
mod spoiled;

use labelled::{corpus, facts};

fn file<'a>(name: &'a str, sql: &'a str) -> Migration<'a> {
    Migration { name, sql, in_transaction: true }
}

fn judge(name: &str, sql: &str) -> Vec<Finding> {
    lint(&[file(name, sql)], &facts())
}

fn stops(sql: &str) -> Vec<String> {
    judge("1", sql).iter().filter(|it| it.weight == Weight::Stops).map(ToString::to_string).collect()
}

#[test]
fn every_unsafe_file_is_flagged_for_its_harm_and_no_safe_one_is_stopped() {
    let files = corpus();
    let wrong = judged::wrong(&files, |file| judge(&file.name, &file.sql));
    assert!(files.len() >= 150, "{} files", files.len());
    assert!(wrong.is_empty(), "{} of {} files:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

#[test]
fn what_an_earlier_file_makes_is_new_to_blue() {
    let expand = "CREATE TABLE invoices (id int, note text); ALTER TABLE orders ADD remark text, ALGORITHM=INSTANT;";
    let later = "CREATE FULLTEXT INDEX f ON invoices (note); ALTER TABLE invoices DROP note; \
                 ALTER TABLE orders CHANGE remark hint text;";
    let stops = |files: &[Migration<'_>]| lint(files, &facts()).iter().filter(|it| it.weight == Weight::Stops).count();
    assert_eq!(stops(&[file("1", expand), file("2", &later.replace("CHANGE remark hint text", "DROP remark"))]), 0);
    assert!(stops(&[file("1", later), file("2", expand)]) > 2, "before it is made it is somebody else's");
}

#[test]
fn without_a_database_every_table_is_large_and_every_column_in_use() {
    let weights =
        |facts: &Facts, sql| lint(&[file("1", sql)], facts).iter().map(|it| (it.harm, it.weight)).collect::<Vec<_>>();
    let build = "CREATE FULLTEXT INDEX f ON settings (value);";
    assert_eq!(weights(&facts(), build), [(Harm::Blocks, Weight::Remark)]);
    assert_eq!(weights(&Facts::default(), build), [(Harm::Blocks, Weight::Stops)]);
    let widen = "ALTER TABLE orders MODIFY note varchar(60), ALGORITHM=INSTANT;";
    assert_eq!(weights(&facts(), widen), []);
    assert_eq!(weights(&Facts::default(), widen), [(Harm::Breaks, Weight::Stops)]);
}

#[test]
fn the_database_is_asked_of_every_table_and_of_the_rows_that_are_locked() {
    let sql = "USE shop; ALTER TABLE a ADD b int; UPDATE `c d` SET e = 1 WHERE f; RENAME TABLE other.g TO h; \
               INSERT INTO i SELECT * FROM j; DELETE FROM k WHERE l; INSERT INTO m VALUES (1); SELECT 1 FROM n";
    let asked = questions(&[file("1", sql)]);
    let names: Vec<_> = asked.relations.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["other.g", "shop.`c d`", "shop.a", "shop.j", "shop.k"]);
    let statements: Vec<_> = asked.statements.iter().map(String::as_str).collect();
    assert_eq!(
        statements,
        ["DELETE FROM k WHERE l", "INSERT INTO i SELECT * FROM j", "UPDATE `c d` SET e = 1 WHERE f"]
    );
    assert!(asked.relations.contains(&table("`shop`.a")));
}

#[test]
fn a_finding_says_where_what_and_how_to_write_it() {
    let sql = "-- a comment\nALTER TABLE `orders`\n  ADD COLUMN remark text DEFAULT 'secret',\n  DROP COLUMN note;";
    let found = judge("14_drop_note.sql", sql);
    let found = found.iter().find(|it| it.weight == Weight::Stops).expect("a column is dropped");
    assert_eq!(
        found.to_string(),
        "14_drop_note.sql line 2 (ALTER TABLE orders DROP COLUMN note) breaks blue: its queries that name the column fail"
    );
    assert_eq!(found.instead, "take it away in a later version, once no running version uses it");
}

#[test]
fn a_password_in_a_statement_is_not_told() {
    for sql in ["ALTER USER 'shop'@'%' IDENTIFIED BY 'hunter2';", "SET PASSWORD = \"hunter2\"", "FROB 'hunter2'"] {
        let found = judge("1.sql", sql);
        assert!(found.len() == 1 && !found[0].to_string().contains("hunter2"), "{found:?}");
    }
}

#[test]
fn how_it_is_done_decides_whether_blue_waits() {
    let harms = |sql: &str| judge("1", sql).iter().map(|it| (it.harm, it.weight)).collect::<Vec<_>>();
    let rebuild = "ALTER TABLE orders FORCE";
    assert_eq!(harms(rebuild), [(Harm::Blocks, Weight::Stops)]);
    assert_eq!(harms(&format!("{rebuild}, ALGORITHM=INPLACE, LOCK=NONE")), [(Harm::Blocks, Weight::Remark)]);
    assert_eq!(harms(&format!("{rebuild}, ALGORITHM=INSTANT")), [], "the server refuses it");
    assert_eq!(harms(&format!("{rebuild}, ALGORITHM=INPLACE, LOCK=SHARED")), [(Harm::Blocks, Weight::Stops)]);
    let build = "ALTER TABLE orders ADD FULLTEXT (note)";
    assert_eq!(harms(&format!("{build}, ALGORITHM=INPLACE")), [(Harm::Blocks, Weight::Stops)]);
    assert_eq!(harms(&format!("{build}, LOCK=NONE")), [], "the server refuses it");
}

#[test]
fn a_client_s_word_is_told_with_what_to_do_without_it() {
    let found = stops("SELECT 1;\nDELIMITER //\nCREATE PROCEDURE p() SELECT 1//");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("line 2 (DELIMITER) cannot be read: it is a word for the mysql client"), "{found:?}");
}

#[test]
fn names_are_told_apart_by_their_databases_and_their_case() {
    assert_eq!(stops("CREATE TABLE archive.orders (id int); DROP TABLE archive.orders;"), [""; 0]);
    assert_eq!(stops("CREATE TABLE archive.orders (id int); DROP TABLE shop.orders;").len(), 1);
    assert_eq!(stops("CREATE TABLE `Drafts` (id int); DROP TABLE `Drafts`;"), [""; 0]);
    assert_eq!(stops("CREATE TABLE `Drafts` (id int); DROP TABLE drafts;").len(), 1);
}
