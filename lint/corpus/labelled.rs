//! The labelled files of this folder, and what the database of `schema.sql` says of their tables.

use std::collections::BTreeMap;

use greenlight_lint::{Column, Facts, Name, Relation, SMALL};

use crate::file::{File, files};

/// Every file; its folder is its label.
pub(crate) fn corpus() -> Vec<File> {
    files("corpus")
}

/// What the database of `corpus/schema.sql` says.
pub(crate) fn facts() -> Facts {
    let column = |kind: &str, not_null| Column { kind: kind.to_owned(), not_null, has_default: false };
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
