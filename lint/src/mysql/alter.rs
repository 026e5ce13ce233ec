//! `ALTER TABLE`, `CREATE INDEX` and `DROP INDEX`, read clause by clause.

use super::clause::{Action, Clause, takes_all};
use super::cost::{Algorithm, Lock, Said};
use super::reader::Reader;
use crate::name::Name;
use crate::statements::Token;

/// A change of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alter {
    pub(super) table: Name,
    pub(super) said: Said,
    pub(super) clauses: Vec<Clause>,
}

/// What holds for the session when the statement comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habits {
    /// Whether foreign keys are checked, for then a new one is.
    pub(super) checks_foreign_keys: bool,
    /// Whether tables are copied unless something else is said: `old_alter_table`.
    pub(super) copies: bool,
}

/// Behind `ALTER`. `None` when it is not known word for word.
pub(super) fn alter_table(reader: &mut Reader<'_, '_>, habits: Habits) -> Option<Alter> {
    let mut said = Said::default();
    while let Some(word) = reader.eat_any(&["online", "ignore"]) {
        match word {
            "online" => said.lock = Some(Lock::None),
            // Which rows it throws away nobody can see.
            _ => return None,
        }
    }
    if !reader.eat(&["table"]) {
        return None;
    }
    reader.conditional();
    let table = reader.table()?;
    if reader.eat(&["wait"]) {
        reader.next();
    }
    reader.eat(&["nowait"]);
    // Before what is done to partitions they stand in front.
    while said.takes(reader)? {
        reader.mark(',');
    }
    let mut clauses = Vec::new();
    let parts = if takes_all(*reader) { vec![*reader] } else { reader.parts() };
    for mut part in parts {
        // Options of the table need no commas between them, and partitioning stands behind the last clause without one.
        loop {
            let before = part.rest();
            if said.takes(&mut part)? || part.eat(&["with", "validation"]) || part.eat(&["without", "validation"]) {
                continue;
            }
            if part.is_empty() {
                break;
            }
            let actions = Action::read(&mut part, habits)?;
            let (first, last) = (before.first()?, before.get(before.len() - part.rest().len() - 1)?);
            let place = first.place.start..last.place.end;
            clauses.extend(actions.into_iter().map(|action| Clause { place: Some(place.clone()), action }));
        }
    }
    Some(Alter { table, said: habits.applied_to(said), clauses })
}

/// Behind `CREATE`.
pub(super) fn create_index(reader: &mut Reader<'_, '_>, habits: Habits) -> Option<Alter> {
    reader.eat(&["or", "replace"]);
    let special = reader.eat_any(&["unique", "fulltext", "spatial", "vector"]);
    if !reader.eat(&["index"]) {
        return None;
    }
    reader.conditional();
    reader.column()?;
    if reader.eat(&["using"]) {
        reader.word()?;
    }
    if !reader.eat(&["on"]) {
        return None;
    }
    let table = reader.table()?;
    reader.group()?;
    let action = match special {
        Some("unique") => Action::AddIndex { unique: true, locked: false },
        special => Action::AddIndex { unique: false, locked: special.is_some() },
    };
    whole(reader, table, action, habits)
}

/// Behind `DROP INDEX`.
pub(super) fn drop_index(reader: &mut Reader<'_, '_>, habits: Habits) -> Option<Alter> {
    reader.conditional();
    let index = reader.column()?;
    if !reader.eat(&["on"]) {
        return None;
    }
    let table = reader.table()?;
    whole(reader, table, Action::DropIndex(index), habits)
}

/// The rest of a statement that is one action.
fn whole(reader: &mut Reader<'_, '_>, table: Name, action: Action, habits: Habits) -> Option<Alter> {
    let mut said = Said::default();
    while !reader.is_empty() {
        let known = said.takes(reader)? || index_option(reader) || reader.mark(',');
        if !known {
            return None;
        }
    }
    Some(Alter { table, said: habits.applied_to(said), clauses: vec![Clause { place: None, action }] })
}

/// `USING BTREE`, `COMMENT '…'`, `WITH PARSER ngram`, `INVISIBLE` and their like: none of them matters.
pub(super) fn index_option(reader: &mut Reader<'_, '_>) -> bool {
    if reader.eat(&["with", "parser"]) || reader.eat_any(&["using", "type"]).is_some() {
        return reader.word().is_some();
    }
    if reader.eat_any(&["comment", "key_block_size", "engine_attribute", "secondary_engine_attribute"]).is_some() {
        reader.mark('=');
        return matches!(reader.next(), Some(Token::Text(_) | Token::Word(_)));
    }
    reader.eat(&["not", "ignored"]) || reader.eat_any(&["visible", "invisible", "ignored", "wait", "nowait"]).is_some()
}

impl Habits {
    fn applied_to(self, said: Said) -> Said {
        match said.algorithm {
            None if self.copies => Said { algorithm: Some(Algorithm::Copy), ..said },
            _ => said,
        }
    }
}
