//! A clause of an `ALTER TABLE`: what it does to the table, read off its first words.

use std::ops::Range;

use super::alter::{Habits, index_option};
use super::column::{Definition, Generated, Value, reference_options};
use super::cost::Cost;
use super::reader::Reader;
use crate::name::Name;
use crate::statements::Token;

/// A clause, and where it stands in the statement; `None` when it is the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) place: Option<Range<usize>>,
    pub(super) action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    AddColumn {
        column: Name,
        definition: Definition,
    },
    /// `MODIFY`, and `CHANGE` with the name it has then.
    Modify {
        column: Name,
        renamed: Option<Name>,
        definition: Definition,
    },
    DropColumn {
        column: Name,
        conditional: bool,
    },
    RenameColumn {
        column: Name,
        renamed: Name,
    },
    RenameTable(Name),
    RenameIndex,
    SetDefault(Name),
    DropDefault(Name),
    /// `locked` is whether nobody writes until it is built.
    AddIndex {
        unique: bool,
        locked: bool,
    },
    AddPrimaryKey,
    AddForeignKey {
        checked: bool,
    },
    AddCheck {
        enforced: bool,
    },
    DropIndex(Name),
    DropConstraint(Name),
    HideIndex,
    /// Rows go with it.
    DropPartition,
    /// The charset of the whole table.
    Convert,
    /// Anything else, by its cost.
    Other(Cost),
}

/// Whether commas in it divide no clauses: such a clause is the last one.
pub(super) fn takes_all(reader: Reader<'_, '_>) -> bool {
    let mut reader = reader;
    reader.eat(&["order", "by"])
        || partitions(&mut reader).is_some()
        || reader.eat(&["add", "partition"])
        || reader.eat(&["drop", "partition"])
}

impl Action {
    /// The next clause, which may add many columns.
    pub(super) fn read(reader: &mut Reader<'_, '_>, habits: Habits) -> Option<Vec<Self>> {
        let one = |action: Option<Self>| action.map(|action| vec![action]);
        if reader.eat(&["add"]) {
            return add(reader, habits);
        }
        if reader.eat(&["modify"]) {
            reader.eat(&["column"]);
            reader.conditional();
            return one(modify(reader, false));
        }
        if reader.eat(&["change"]) {
            reader.eat(&["column"]);
            reader.conditional();
            return one(modify(reader, true));
        }
        if reader.eat(&["drop"]) {
            return one(drop_part(reader));
        }
        if reader.eat(&["rename"]) {
            return one(rename(reader));
        }
        if reader.eat(&["alter"]) {
            return one(alter_part(reader));
        }
        if reader.eat(&["convert", "to"]) {
            charset(reader)?;
            return Some(vec![Self::Convert]);
        }
        if reader.eat(&["order", "by"]) {
            *reader = reader.end();
            return Some(vec![Self::Other(Cost::Copy)]);
        }
        if let Some(action) = partitions(reader) {
            return Some(vec![action]);
        }
        one(table_option(reader))
    }
}

fn add(reader: &mut Reader<'_, '_>, habits: Habits) -> Option<Vec<Action>> {
    if reader.eat(&["partition"]) {
        // Partitions of ranges are made empty; of hashes the rows are moved.
        let empty = reader.rest().iter().any(|lexed| lexed.token.is("values"));
        *reader = reader.end();
        return Some(vec![Action::Other(if empty { Cost::Online } else { Cost::Copy })]);
    }
    if reader.eat(&["system", "versioning"]) {
        return Some(vec![Action::Other(Cost::Copy)]);
    }
    let named = reader.eat(&["constraint"]);
    if named
        && !reader.is(&["primary"])
        && !reader.is(&["unique"])
        && !reader.is(&["foreign"])
        && !reader.is(&["check"])
    {
        reader.conditional();
        reader.word()?;
    }
    let action = if reader.eat(&["primary", "key"]) {
        keys(reader).map(|()| Action::AddPrimaryKey)
    } else if reader.eat(&["unique"]) {
        reader.eat_any(&["key", "index"]);
        keys(reader).map(|()| Action::AddIndex { unique: true, locked: false })
    } else if reader.eat_any(&["fulltext", "spatial", "vector"]).is_some() {
        reader.eat_any(&["key", "index"]);
        keys(reader).map(|()| Action::AddIndex { unique: false, locked: true })
    } else if reader.eat(&["foreign", "key"]) {
        foreign_key(reader).map(|()| Action::AddForeignKey { checked: habits.checks_foreign_keys })
    } else if reader.eat(&["check"]) {
        reader.group()?;
        let enforced = !reader.eat(&["not", "enforced"]);
        reader.eat(&["enforced"]);
        Some(Action::AddCheck { enforced })
    } else if !named && reader.eat_any(&["key", "index"]).is_some() {
        keys(reader).map(|()| Action::AddIndex { unique: false, locked: false })
    } else if named {
        None
    } else {
        return columns(reader, habits);
    };
    action.map(|action| vec![action])
}

/// A column, or some in parentheses.
fn columns(reader: &mut Reader<'_, '_>, habits: Habits) -> Option<Vec<Action>> {
    let column = |reader: &mut Reader<'_, '_>| {
        let column = reader.column()?;
        let mut definition = Definition::read(reader)?;
        definition.refers &= habits.checks_foreign_keys;
        Some(Action::AddColumn { column, definition })
    };
    reader.eat(&["column"]);
    reader.conditional();
    match reader.group() {
        Some(group) => group.parts().into_iter().map(|mut part| column(&mut part)).collect(),
        None => Some(vec![column(reader)?]),
    }
}

/// The name of an index, its columns and its options.
fn keys(reader: &mut Reader<'_, '_>) -> Option<()> {
    reader.conditional();
    if !reader.is(&["using"]) && reader.peek() != Some(Token::Mark('(')) {
        reader.word()?;
    }
    while reader.peek() != Some(Token::Mark('(')) {
        if !index_option(reader) {
            return None;
        }
    }
    reader.group()?;
    while index_option(reader) {}
    Some(())
}

fn foreign_key(reader: &mut Reader<'_, '_>) -> Option<()> {
    reader.conditional();
    if reader.peek() != Some(Token::Mark('(')) {
        reader.word()?;
    }
    reader.group()?;
    if !reader.eat(&["references"]) {
        return None;
    }
    reader.table()?;
    reader.group()?;
    reference_options(reader)
}

fn modify(reader: &mut Reader<'_, '_>, renames: bool) -> Option<Action> {
    let column = reader.column()?;
    let renamed = if renames { Some(reader.column()?).filter(|name| *name != column) } else { None };
    Some(Action::Modify { column, renamed, definition: Definition::read(reader)? })
}

fn drop_part(reader: &mut Reader<'_, '_>) -> Option<Action> {
    if reader.eat(&["partition"]) {
        *reader = reader.end();
        return Some(Action::DropPartition);
    }
    if reader.eat(&["primary", "key"]) {
        return Some(Action::DropIndex(super::column("PRIMARY")));
    }
    if reader.eat(&["system", "versioning"]) {
        return Some(Action::Other(Cost::Copy));
    }
    if reader.eat(&["foreign", "key"]) || reader.eat_any(&["check", "constraint"]).is_some() {
        reader.conditional();
        return Some(Action::DropConstraint(reader.column()?));
    }
    if reader.eat_any(&["index", "key"]).is_some() {
        reader.conditional();
        return Some(Action::DropIndex(reader.column()?));
    }
    reader.eat(&["column"]);
    let conditional = reader.conditional();
    let column = reader.column()?;
    reader.eat_any(&["restrict", "cascade"]);
    Some(Action::DropColumn { column, conditional })
}

fn rename(reader: &mut Reader<'_, '_>) -> Option<Action> {
    if reader.eat(&["column"]) {
        reader.conditional();
        let column = reader.column()?;
        return if reader.eat(&["to"]) {
            Some(Action::RenameColumn { column, renamed: reader.column()? })
        } else {
            None
        };
    }
    if reader.eat_any(&["index", "key"]).is_some() {
        reader.conditional();
        reader.column()?;
        return if reader.eat(&["to"]) { reader.column().map(|_| Action::RenameIndex) } else { None };
    }
    let _ = reader.eat_any(&["to", "as"]).is_some() || reader.mark('=');
    Some(Action::RenameTable(reader.table()?))
}

fn alter_part(reader: &mut Reader<'_, '_>) -> Option<Action> {
    if reader.eat_any(&["index", "key"]).is_some() {
        reader.conditional();
        reader.column()?;
        let shown = reader.eat(&["not", "ignored"]) || reader.eat(&["visible"]);
        return if shown {
            Some(Action::Other(Cost::Free))
        } else {
            reader.eat_any(&["invisible", "ignored"]).map(|_| Action::HideIndex)
        };
    }
    if reader.eat_any(&["check", "constraint"]).is_some() {
        let name = reader.column()?;
        if reader.eat(&["not", "enforced"]) {
            return Some(Action::DropConstraint(name));
        }
        return reader.eat(&["enforced"]).then_some(Action::AddCheck { enforced: true });
    }
    reader.eat(&["column"]);
    reader.conditional();
    let column = reader.column()?;
    if reader.eat(&["drop", "default"]) {
        return Some(Action::DropDefault(column));
    }
    if reader.eat(&["set", "default"]) {
        *reader = reader.end();
        return Some(Action::SetDefault(column));
    }
    let hides = reader.eat(&["set", "visible"]) || reader.eat(&["set", "invisible"]);
    hides.then_some(Action::Other(Cost::Free))
}

/// What is done to partitions and to the file of the table, but for ADD and DROP.
fn partitions(reader: &mut Reader<'_, '_>) -> Option<Action> {
    let action =
        if reader.is(&["truncate", "partition"]) || reader.is(&["exchange", "partition"]) || reader.is(&["discard"]) {
            Action::DropPartition
        } else if reader.is(&["analyze", "partition"]) || reader.is(&["check", "partition"]) {
            Action::Other(Cost::Online)
        } else if reader.is(&["partition", "by"])
            || ["coalesce", "optimize", "rebuild", "reorganize", "repair"]
                .iter()
                .any(|word| reader.is(&[word, "partition"]))
            || reader.is(&["remove", "partitioning"])
            || reader.is(&["import"])
        {
            Action::Other(Cost::Copy)
        } else {
            return None;
        };
    *reader = reader.end();
    Some(action)
}

/// `ENGINE = InnoDB` and its like, one of them.
fn table_option(reader: &mut Reader<'_, '_>) -> Option<Action> {
    if reader.eat_any(&["enable", "disable"]).is_some() {
        return reader.eat(&["keys"]).then_some(Action::Other(Cost::Free));
    }
    if reader.eat(&["force"]) {
        return Some(Action::Other(Cost::Rebuild));
    }
    if reader.is(&["default"]) || reader.is(&["character"]) || reader.is(&["charset"]) || reader.is(&["collate"]) {
        reader.eat(&["default"]);
        charset(reader)?;
        return Some(Action::Other(Cost::Rebuild));
    }
    let option = reader.eat_any(&[
        "engine",
        "row_format",
        "key_block_size",
        "auto_increment",
        "comment",
        "stats_persistent",
        "stats_auto_recalc",
        "stats_sample_pages",
        "max_rows",
        "min_rows",
        "avg_row_length",
        "compression",
        "encryption",
        "page_compressed",
        "page_compression_level",
        "tablespace",
    ])?;
    reader.mark('=');
    let value = reader.next()?;
    let cost = match option {
        "engine" if !value.is("innodb") => Cost::Copy,
        "engine" | "row_format" | "key_block_size" | "page_compressed" | "page_compression_level" | "tablespace" => {
            Cost::Rebuild
        }
        "encryption" => Cost::Copy,
        _ => Cost::Free,
    };
    Some(Action::Other(cost))
}

/// `CHARACTER SET = x COLLATE = y`
fn charset(reader: &mut Reader<'_, '_>) -> Option<()> {
    let mut told = false;
    while reader.eat(&["character", "set"]) || reader.eat_any(&["charset", "collate"]).is_some() {
        reader.mark('=');
        told = matches!(reader.next()?, Token::Word(_) | Token::Text(_) | Token::Quoted(_));
    }
    told.then_some(())
}

/// What a new column costs.
pub(super) fn cost_of_new(definition: &Definition) -> Cost {
    let stored = definition.generated == Generated::Stored;
    if stored || definition.default == Value::Computed || definition.checked || definition.refers {
        Cost::Copy
    } else if definition.counts {
        Cost::Locked
    } else if definition.primary || definition.unique || definition.default == Value::Expression {
        Cost::Rebuild
    } else {
        Cost::Instant
    }
}
