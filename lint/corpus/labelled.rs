//! The labelled files of this folder, and what the database of `schema.sql` says of their tables.

use std::collections::BTreeMap;
use std::path::Path;

use greenlight_lint::{Column, Facts, Harm, Name, Relation, SMALL};

/// A file and its label.
pub(crate) struct File {
    /// What it does to blue; `None` when it is safe.
    pub(crate) harm: Option<Harm>,
    /// `breaks/drop_column.sql`.
    pub(crate) name: String,
    /// Its text.
    pub(crate) sql: String,
}

/// Every file; its folder is its label.
pub(crate) fn corpus() -> Vec<File> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut files = Vec::new();
    for (label, harm) in
        [("breaks", Some(Harm::Breaks)), ("blocks", Some(Harm::Blocks)), ("opaque", Some(Harm::Opaque)), ("safe", None)]
    {
        let entries = std::fs::read_dir(folder.join(label)).expect("the corpus is there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
        paths.sort();
        for path in paths {
            let name = format!("{label}/{}", path.file_name().expect("a file").to_string_lossy());
            files.push(File { harm, name, sql: std::fs::read_to_string(path).expect("it can be read") });
        }
    }
    files
}

/// What the database of `corpus/schema.sql` says.
pub(crate) fn facts() -> Facts {
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
