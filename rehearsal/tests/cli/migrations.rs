//! `rehearse check` reads migrations, too: in a pipeline, before anybody has deployed them.

use crate::workshop::{Said, Workshop};

const DROP: &str = "ALTER TABLE orders DROP COLUMN note;\n";

#[test]
fn a_migration_that_would_break_blue_is_told_with_its_line_and_the_safe_way() {
    let workshop = Workshop::new();
    workshop.write("2_note.sql", format!("-- the note\n{DROP}"));
    workshop.write("1_orders.sql", "CREATE TABLE invoices (id bigint); DROP TABLE invoices;");
    let Said { code, out, err } = workshop.rehearse(&["check", "2_note.sql", "1_orders.sql"]);
    assert_eq!((code, out.as_str()), (Some(2), "1_orders.sql: blue survives it\n"));
    insta::assert_snapshot!(err, @r#"
    rehearse: 2_note.sql:2: breaks blue: its queries that name the column fail (ALTER TABLE orders DROP COLUMN note); safe: drop it in a later version, once no running version uses it
    rehearse: note: if blue is not harmed, say why in the plan: migrations: { allow: [{ file: 2_note.sql, checksum: "fd3bf852323c", reason: … }] }
    "#);
}

#[test]
fn the_files_are_judged_together_in_the_order_of_their_versions() {
    let workshop = Workshop::new();
    workshop.write("10_drop.sql", "DROP TABLE invoices;");
    workshop.write("9_create.sql", "CREATE TABLE invoices (id bigint);");
    let said = workshop.rehearse(&["check", "10_drop.sql", "9_create.sql"]);
    let survived = "9_create.sql: blue survives it\n\
                    10_drop.sql: blue survives it, as long as what the files before it make is new to blue\n";
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (Some(0), survived, ""));
}

#[test]
fn a_plan_beside_them_allows_what_it_names() {
    let workshop = Workshop::new();
    workshop.write("2_note.sql", DROP);
    let refused = workshop.rehearse(&["check", "2_note.sql"]).err;
    let entry = refused.split_once("allow: [").and_then(|(_, rest)| rest.split_once(']')).unwrap().0;
    let entry = entry.replace('…', "nobody reads it");
    workshop.write("plan.yaml", format!("version: 1\nmigrations: {{ allow: [{entry}] }}\n"));
    let said = workshop.rehearse(&["check", "2_note.sql", "plan.yaml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("2_note.sql:1: breaks blue, which the plan allows: nobody reads it"), "{}", said.err);
    workshop.write("2_note.sql", "ALTER TABLE orders DROP COLUMN sku;\n");
    assert_eq!(
        workshop.rehearse(&["check", "2_note.sql", "plan.yaml"]).code,
        Some(2),
        "another text, another checksum"
    );
}

#[test]
fn files_of_mysql_are_judged_as_its_server_reads_them() {
    let workshop = Workshop::new();
    workshop.write("2_who.sql", "# who it was\nALTER TABLE `orders` CHANGE note remark varchar(40);\n");
    let Said { code, out, err } = workshop.rehearse(&["check", "--engine", "mysql", "2_who.sql"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(err.starts_with("rehearse: 2_who.sql:2: breaks blue: its queries that use the old name fail"), "{err}");
}
