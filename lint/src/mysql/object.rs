//! What a name names: a table and a procedure of one name are two things.

use std::collections::HashMap;

use crate::name::Name;

/// An object of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) name: Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tables, views and sequences: no two of them have one name.
    Relation,
    /// Anything else, by its word: `procedure`.
    Other(&'static str),
}

impl Object {
    pub(super) fn relation(name: Name) -> Self {
        Self { kind: Kind::Relation, name }
    }

    /// Its name, if it is a table or the like.
    pub(super) fn as_relation(&self) -> Option<&Name> {
        (self.kind == Kind::Relation).then_some(&self.name)
    }

    /// Whether both may be the same.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name.matches(&other.name)
    }
}

/// Many objects, found by their names.
#[derive(Debug, Default)]
pub(super) struct Objects(HashMap<String, Vec<Object>>);

impl Objects {
    pub(super) fn add(&mut self, object: Object) {
        self.0.entry(object.name.alone().to_owned()).or_default().push(object);
    }

    /// Whether one of them may be that object.
    pub(super) fn have(&self, object: &Object) -> bool {
        self.0.get(object.name.alone()).is_some_and(|named| named.iter().any(|known| known.matches(object)))
    }
}
