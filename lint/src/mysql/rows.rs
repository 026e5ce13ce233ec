//! What locks rows: `UPDATE`, `DELETE`, and what reads rows in order to write others.

use super::object::Object;
use super::reader::Reader;
use super::rules::{Act, LATER};
use crate::facts::FEW_ROWS;
use crate::finding::Verdict;
use crate::name::Name;
use crate::statements::Token;

/// Rows that a statement locks until it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// Whether a condition says which.
    chosen: bool,
    /// Whether `LIMIT` keeps them few.
    limited: bool,
    /// Whether it only reads them.
    reads: bool,
}

impl Rows {
    /// `estimated` is how many there are, as far as the planner knows.
    pub(super) fn verdict(self, estimated: Option<u64>) -> Option<Verdict> {
        let until = "until the statement is done; its writes of them wait";
        let many = match estimated {
            Some(rows) if rows < FEW_ROWS => return None,
            Some(rows) => format!("about {rows} rows stay locked {until}"),
            None if self.limited => return None,
            None if self.chosen => format!("nobody knows how many rows it touches; each stays locked {until}"),
            None => format!("every row stays locked {until}"),
        };
        let instead = if self.reads {
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED before it: rows that are only read are not locked then"
        } else {
            "change some thousand rows at a time: LIMIT, or a job apart from deployments that goes along the primary key"
        };
        Some(Verdict::blocks(many, instead))
    }
}

/// Behind `UPDATE`.
pub(super) fn update(mut reader: Reader<'_, '_>) -> Option<Act> {
    while reader.eat_any(&["low_priority", "ignore"]).is_some() {}
    let (tables, behind) = reader.around(&["set"])?;
    Some(Act { objects: relations(tables), rows: Some(rows(behind)), ..Act::default() })
}

/// Behind `DELETE`.
pub(super) fn delete(mut reader: Reader<'_, '_>) -> Option<Act> {
    while reader.eat_any(&["low_priority", "quick", "ignore"]).is_some() {}
    let (named, behind) = reader.around(&["from"])?;
    let tables = behind.around(&["where", "order", "limit", "returning"]).map_or(behind, |(tables, _)| tables);
    let mut objects = relations(tables);
    // `DELETE a FROM a JOIN b`, where it may be an alias.
    if named.is_empty() {
        objects.extend(tables.around(&["using"]).into_iter().flat_map(|(_, using)| relations(using)));
    }
    let rows = rows(behind);
    if rows.chosen {
        Some(Act { objects, rows: Some(rows), ..Act::default() })
    } else {
        Some(Act { objects, verdicts: vec![Verdict::breaks("its rows are gone", LATER)], ..Act::default() })
    }
}

/// `SELECT` and its like, which may lock what it reads.
pub(super) fn query(reader: Reader<'_, '_>) -> Act {
    let locks = reader.has_anywhere(&["for", "update"])
        || reader.has_anywhere(&["for", "share"])
        || reader.has_anywhere(&["lock", "in", "share", "mode"]);
    if !locks {
        return Act::default();
    }
    Act { objects: sources(reader), rows: Some(rows(reader)), ..Act::default() }
}

/// What is read in order to be written elsewhere: `INSERT … SELECT`, `CREATE TABLE … SELECT`. Unless every statement sees what is
/// committed when it begins, the rows stay locked.
/// <https://dev.mysql.com/doc/refman/8.4/en/innodb-locks-set.html>
pub(super) fn copied(reader: Reader<'_, '_>, reads_committed: bool) -> Option<Act> {
    let objects = sources(reader);
    let rows = Rows { reads: true, ..rows(reader) };
    (!objects.is_empty() && !reads_committed).then(|| Act { objects, rows: Some(rows), ..Act::default() })
}

fn rows(reader: Reader<'_, '_>) -> Rows {
    let condition = reader.around(&["where"]).map(|(_, behind)| {
        let ends = ["group", "having", "window", "order", "limit", "returning", "for", "lock", "into"];
        behind.around(&ends).map_or(behind, |(condition, _)| condition)
    });
    let number = |part: Reader<'_, '_>| match part.peek() {
        Some(Token::Word(count)) => count.parse::<u64>().ok(),
        _ => None,
    };
    // Of `LIMIT 5, 1000` both are taken for the count.
    let limit = reader
        .around(&["limit"])
        .and_then(|(_, behind)| behind.parts().into_iter().map(number).collect::<Option<Vec<_>>>()?.into_iter().max());
    Rows {
        chosen: condition.is_some_and(names_something),
        limited: limit.is_some_and(|rows| rows <= FEW_ROWS),
        reads: false,
    }
}

/// `WHERE 1 = 1` chooses nothing.
fn names_something(condition: Reader<'_, '_>) -> bool {
    condition.rest().iter().any(|lexed| match lexed.token {
        Token::Quoted(_) => true,
        Token::Word(word) => {
            let plain = ["and", "false", "is", "like", "not", "null", "or", "true", "xor"];
            !word.starts_with(|char: char| char.is_ascii_digit())
                && !plain.iter().any(|plain| word.eq_ignore_ascii_case(plain))
        }
        Token::Text(_) | Token::Mark(_) => false,
    })
}

/// The tables between commas and joins.
fn relations(tables: Reader<'_, '_>) -> Vec<Object> {
    let first = tables.parts().into_iter().filter_map(|mut part| named(&mut part));
    first.chain(behind(tables, &["join", "straight_join", "from"])).map(Object::relation).collect()
}

/// The tables that a query reads.
fn sources(query: Reader<'_, '_>) -> Vec<Object> {
    let mut sources: Vec<Object> =
        behind(query, &["join", "straight_join", "from", "table"]).into_iter().map(Object::relation).collect();
    // `FROM a, b`
    if let Some((_, from)) = query.around(&["from"]) {
        let from = from.around(&["where", "group", "order", "limit", "union", "on"]).map_or(from, |(from, _)| from);
        sources.extend(from.parts().into_iter().skip(1).filter_map(|mut part| named(&mut part)).map(Object::relation));
    }
    sources
}

/// What is named behind these words, wherever they stand.
fn behind(reader: Reader<'_, '_>, words: &[&str]) -> Vec<Name> {
    let mut names = Vec::new();
    let mut rest = reader;
    while let Some(token) = rest.next() {
        if words.iter().any(|word| token.is(word)) {
            while rest.mark('(') {}
            names.extend(named(&mut rest.clone()));
        }
    }
    names
}

fn named(reader: &mut Reader<'_, '_>) -> Option<Name> {
    while reader.mark('(') {}
    let nothing = ["select", "with", "values", "lateral", "json_table", "dual"].iter().any(|word| reader.is(&[word]));
    if nothing { None } else { reader.table() }
}
