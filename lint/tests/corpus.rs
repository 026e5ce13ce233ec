//! The labelled files of `corpus/`: what breaks blue, what blocks it, what cannot be read, and what is safe.

use std::collections::BTreeMap;
use std::path::Path;

use greenlight_lint::{Column, Facts, Finding, Harm, Migration, Name, Relation, SMALL, Weight, lint};

/// What the database of `corpus/schema.sql` says.
fn facts() -> Facts {
    let column = |kind: &str, not_null| Column { kind: kind.to_owned(), not_null };
    let names = |names: &[&str]| names.iter().map(|name| Name::new(name)).collect();
    let large = Relation { bytes: 2 * SMALL, ..Relation::default() };
    let orders = Relation {
        columns: BTreeMap::from([
            (Name::new("id"), column("bigint", true)),
            (Name::new("sku"), column("text", true)),
            (Name::new("quantity"), column("integer", true)),
            (Name::new("note"), column("character varying(40)", false)),
            (Name::new("total"), column("numeric(10,2)", false)),
            (Name::new("email"), column("text", false)),
            (Name::new("customer_id"), column("bigint", false)),
        ]),
        constraints: BTreeMap::from([(Name::new("orders_sku_key"), true), (Name::new("orders_pkey"), true)]),
        never_null: names(&["email"]),
        ..large.clone()
    };
    let settings = Relation {
        bytes: 8192,
        columns: BTreeMap::from([
            (Name::new("key"), column("text", true)),
            (Name::new("value"), column("text", false)),
        ]),
        ..Relation::default()
    };
    let mut relations: BTreeMap<Name, Relation> = ["customers", "events", "events_2026_01", "sales", "orders_by_time"]
        .map(|name| (Name::new(name), large.clone()))
        .into();
    relations.insert(Name::new("orders"), orders.clone());
    relations.insert(Name::new("public.orders"), orders);
    relations.insert(Name::new("public.customers"), large);
    relations.insert(Name::new("settings"), settings);
    let rows = [
        ("UPDATE orders SET note = 'x' WHERE id = 7", 1),
        ("DELETE FROM orders WHERE id IN (1, 2, 3)", 3),
        ("DELETE FROM events WHERE at < '2026-02-01'", 50_000),
    ];
    Facts { relations, rows: rows.map(|(statement, rows)| (statement.to_owned(), rows)).into() }
}

/// Every file with the name of its folder.
fn corpus() -> Vec<(Harm, bool, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files = Vec::new();
    for (label, harm, safe) in [
        ("breaks", Harm::Breaks, false),
        ("blocks", Harm::Blocks, false),
        ("opaque", Harm::Opaque, false),
        ("safe", Harm::Breaks, true),
    ] {
        let entries = std::fs::read_dir(folder.join(label)).expect("the corpus is there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
        paths.sort();
        for path in paths {
            let name = format!("{label}/{}", path.file_name().expect("a file").to_string_lossy());
            files.push((harm, safe, name, std::fs::read_to_string(path).expect("it can be read")));
        }
    }
    files
}

fn judge(name: &str, sql: &str) -> Vec<Finding> {
    let in_transaction = !sql.starts_with("-- no-transaction");
    lint(&[Migration { name, sql, in_transaction }], &facts())
}

#[test]
fn every_unsafe_file_is_flagged_for_its_harm_and_no_safe_one_is_stopped() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (harm, safe, name, sql) in corpus() {
        count += 1;
        let found = judge(&name, &sql);
        let stops: Vec<_> = found.iter().filter(|finding| finding.weight == Weight::Stops).collect();
        let right = if safe { stops.is_empty() } else { stops.iter().any(|finding| finding.harm == harm) };
        if !right {
            let told: Vec<_> = found.iter().map(|it| format!("  {:?} {it}", it.weight)).collect();
            wrong.push(format!("{name}\n{}", told.join("\n")));
        }
    }
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
