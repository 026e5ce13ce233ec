//! The labelled files of `corpus/`: what breaks blue, what blocks it, what cannot be read, and what is safe.

use greenlight_lint::{Facts, Finding, Migration, Weight, lint};

#[path = "../../corpus/file.rs"]
mod file;
mod garbage;
#[path = "../../corpus/judged.rs"]
mod judged;
#[path = "../../corpus/labelled.rs"]
mod labelled;
#[path = "../../corpus/spoiled.rs"]
mod spoiled;

use labelled::{corpus, facts};

fn judge(name: &str, sql: &str) -> Vec<Finding> {
    let in_transaction = !sql.starts_with("-- no-transaction");
    lint(&[Migration { name, sql, in_transaction }], &facts())
}

#[test]
fn every_unsafe_file_is_flagged_for_its_harm_and_no_safe_one_is_stopped() {
    let files = corpus();
    let wrong = judged::wrong(&files, |file| judge(&file.name, &file.sql));
    let count = files.len();
    assert!(count >= 80, "{count} files");
    assert!(wrong.is_empty(), "{} of {count} files:\n{}", wrong.len(), wrong.join("\n"));
}

/// What several files do together is judged in their order.
fn stops(files: &[&str]) -> Vec<String> {
    let names: Vec<String> = (1..=files.len()).map(|number| number.to_string()).collect();
    let migrations: Vec<_> = files
        .iter()
        .zip(&names)
        .map(|(sql, name)| Migration { name, sql, in_transaction: !sql.starts_with("-- no-transaction") })
        .collect();
    let found = lint(&migrations, &facts());
    found.iter().filter(|it| it.weight == Weight::Stops).map(ToString::to_string).collect()
}

#[test]
fn what_an_earlier_file_makes_is_new_to_blue() {
    let expand = "CREATE TABLE invoices (id bigint PRIMARY KEY, note text); ALTER TABLE orders ADD COLUMN remark text;";
    let later = "CREATE INDEX by_note ON invoices (note); ALTER TABLE public.invoices DROP COLUMN note; \
                 ALTER TABLE orders RENAME COLUMN remark TO hint;";
    assert_eq!(stops(&[expand, later]), Vec::<String>::new());
    assert_eq!(stops(&[later, expand]).len(), 3, "before it is made it is somebody else's");
}

#[test]
fn a_constraint_is_validated_in_the_next_file() {
    let add = "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;";
    let validate = "ALTER TABLE orders VALIDATE CONSTRAINT positive;";
    assert_eq!(stops(&[add, validate]), Vec::<String>::new());
    assert_eq!(stops(&[&format!("{add}{validate}")]).len(), 1);
}

#[test]
fn without_a_database_every_table_is_large_and_every_column_in_use() {
    let sql = "CREATE INDEX by_value ON settings (value);";
    let alone = Migration { name: "1", sql, in_transaction: true };
    let weights = |facts: &Facts| lint(&[alone], facts).iter().map(|it| it.weight).collect::<Vec<_>>();
    assert_eq!(weights(&facts()), [Weight::Remark]);
    assert_eq!(weights(&Facts::default()), [Weight::Stops]);
}

#[test]
fn a_finding_says_where_what_and_how_to_write_it() {
    let sql = "-- a comment\nALTER TABLE orders\n  ADD COLUMN remark text,\n  DROP COLUMN note;";
    let found = judge("14_drop_note.sql", sql);
    let found = found.iter().find(|it| it.weight == Weight::Stops).expect("a column is dropped");
    assert_eq!(
        found.to_string(),
        "14_drop_note.sql line 2 (ALTER TABLE orders DROP COLUMN note) breaks blue: its queries that name the column fail"
    );
    assert_eq!(found.instead, "drop it in a later version, once no running version uses it");
}

#[test]
fn a_password_in_a_statement_is_not_told() {
    let found = judge("1.sql", "ALTER ROLE shop PASSWORD 'hunter2';");
    assert!(found.len() == 1 && !found[0].to_string().contains("hunter2"), "{found:?}");
}

#[test]
fn a_statement_of_unknown_grammar_is_opaque() {
    let found = stops(&["SELECT 1;\nFROBNICATE orders SIDEWAYS;"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("line 2 (FROBNICATE orders SIDEWAYS) cannot be read"), "{found:?}");
}
