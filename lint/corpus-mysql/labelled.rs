//! The labelled files of this folder, and what the database of `schema.sql` says of their tables.

use std::collections::BTreeMap;

use greenlight_lint::mysql::{column, table};
use greenlight_lint::{Column, Facts, Relation, SMALL};

use crate::file::{File, files};

/// Every file; its folder is its label.
pub(crate) fn corpus() -> Vec<File> {
    files("corpus-mysql")
}

/// What the database of `corpus-mysql/schema.sql` says.
pub(crate) fn facts() -> Facts {
    let kind = |kind: &str, not_null, has_default| Column { kind: kind.to_owned(), not_null, has_default };
    let large = Relation { bytes: 2 * SMALL, ..Relation::default() };
    let orders = Relation {
        columns: BTreeMap::from([
            (column("id"), kind("bigint(20) unsigned", true, true)),
            (column("sku"), kind("varchar(40)", true, false)),
            (column("quantity"), kind("int(11)", true, true)),
            (column("note"), kind("varchar(40)", false, false)),
            (column("total"), kind("decimal(10,2)", false, false)),
            (column("state"), kind("enum('open','sent')", true, true)),
            (column("email"), kind("varchar(100)", false, false)),
            (column("customer_id"), kind("bigint(20) unsigned", false, false)),
        ]),
        constraints: BTreeMap::from([
            (column("PRIMARY"), true),
            (column("orders_sku"), true),
            (column("orders_by_customer"), false),
        ]),
        ..large.clone()
    };
    let settings = Relation {
        bytes: 16_384,
        columns: BTreeMap::from([
            (column("name"), kind("varchar(40)", true, false)),
            (column("value"), kind("text", false, false)),
        ]),
        constraints: BTreeMap::from([(column("PRIMARY"), true)]),
        ..Relation::default()
    };
    let regions = Relation { bytes: 16_384, ..Relation::default() };
    let relations = BTreeMap::from([
        (table("orders"), orders),
        (table("customers"), large.clone()),
        (table("events"), large),
        (table("settings"), settings),
        (table("regions"), regions),
    ]);
    let rows = [
        ("UPDATE orders SET note = 'x' WHERE id = 7", 1),
        ("DELETE FROM orders WHERE id IN (1, 2, 3)", 3),
        ("DELETE FROM events WHERE at < '2026-02-01'", 50_000),
    ];
    Facts { relations, rows: rows.map(|(statement, rows)| (statement.to_owned(), rows)).into() }
}
