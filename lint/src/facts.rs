//! What the real database says, by which a finding weighs more or less. Nothing known is the worst case.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::Name;

/// A table below this size is scanned or rewritten within milliseconds.
pub const SMALL: u64 = 10 * 1024 * 1024;

/// A statement that touches fewer rows is over before anybody notices their locks.
pub const FEW_ROWS: u64 = 10_000;

/// What is known of the database that the migrations are for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What exists, by the name that the migrations use.
    pub relations: BTreeMap<Name, Relation>,
    /// How many rows the planner expects an `UPDATE` or `DELETE` to touch, by its text.
    pub rows: BTreeMap<String, u64>,
}

/// A table, or the table of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// Its rows on disk, those of its partitions too. Bytes.
    pub bytes: u64,
    /// Its columns.
    pub columns: BTreeMap<Name, Column>,
    /// Its constraints: whether each is a primary key or unique. In MySQL its indexes, for there a unique one is the constraint.
    pub constraints: BTreeMap<Name, bool>,
    /// Columns that a validated CHECK keeps from being null.
    pub never_null: BTreeSet<Name>,
}

/// A column as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its type as PostgreSQL writes it: `character varying(10)`; of MySQL its `column_type`: `bigint unsigned`.
    pub kind: String,
    /// Whether it refuses nulls.
    pub not_null: bool,
    /// Whether it has a value for whoever gives it none: a default, its own count or an expression. Asked only of MySQL, where
    /// MODIFY takes away what it does not repeat.
    pub has_default: bool,
}

impl Facts {
    pub(crate) fn relation(&self, name: &Name) -> Option<&Relation> {
        self.relations.get(name)
    }

    pub(crate) fn is_small(&self, name: &Name) -> bool {
        self.relation(name).is_some_and(|relation| relation.bytes < SMALL)
    }

    pub(crate) fn column(&self, table: &Name, column: &Name) -> Option<&Column> {
        self.relation(table)?.columns.get(column)
    }
}
