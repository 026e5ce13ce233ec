//! What a statement does, read off its first words. What is not known here word for word is opaque.

mod objects;

use super::alter::Alter;
use super::object::Object;
use super::reader::Reader;
use super::rows::{self, Rows};
use super::unit::Session;
use crate::finding::Verdict;
use crate::statements::Token;

pub(super) use objects::renamed;

pub(super) const LATER: &str = "take it away in a later version, once no running version uses it";
const INTO_THE_FILE: &str = "write the statements themselves into the file";

/// What a statement does, before the database is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Act {
    /// What it changes; none where that is not known.
    pub(super) objects: Vec<Object>,
    /// What it makes that was not there before.
    pub(super) makes: Vec<Object>,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) alter: Option<Alter>,
    pub(super) rows: Option<Rows>,
    /// What `RENAME` gives another name, and that name.
    pub(super) moves: Vec<(Object, Object)>,
}

impl Act {
    pub(super) fn of(objects: Vec<Object>, verdict: Verdict) -> Self {
        Self { objects, verdicts: vec![verdict], ..Self::default() }
    }

    pub(super) fn opaque(why: &'static str, instead: &'static str) -> Self {
        Self::of(Vec::new(), Verdict::opaque(why, instead))
    }

    /// Whether something else gets that name.
    pub(super) fn refills(&self, old: &Object) -> bool {
        self.moves.iter().any(|(_, new)| new == old)
    }

    fn altering(alter: Alter) -> Self {
        Self { objects: vec![Object::relation(alter.table.clone())], alter: Some(alter), ..Self::default() }
    }
}

/// `None` when it is not known.
pub(super) fn act(whole: Reader<'_, '_>, session: &Session) -> Option<Act> {
    let mut reader = whole;
    if reader.peek() == Some(Token::Mark('(')) {
        return Some(rows::query(whole));
    }
    let Token::Word(first) = reader.next()? else { return None };
    let breaks = |suffers: &str, instead| Some(Act::of(Vec::new(), Verdict::breaks(suffers, instead)));
    match first.to_ascii_lowercase().as_str() {
        "select" | "table" | "values" => Some(rows::query(whole)),
        "with" => with(whole),
        "update" => rows::update(reader),
        "delete" => rows::delete(reader),
        "insert" | "replace" => Some(insert(reader, first, session)),
        "explain" | "describe" | "desc" | "analyze" => explained(reader, first, session),
        "alter" => objects::alter(reader, session),
        "create" => objects::create(reader, session),
        "drop" => objects::drop(reader, session.habits),
        "rename" => objects::rename(reader),
        "truncate" => {
            reader.eat(&["table"]);
            let table = Object::relation(reader.table()?);
            Some(Act::of(vec![table], Verdict::breaks("its rows are gone", LATER)))
        }
        "revoke" => breaks("its queries may be refused", "revoke in a later version what no running version needs"),
        "set" => super::unit::set(reader, session),
        "lock" if reader.eat_any(&["table", "tables"]).is_some() => {
            let verdict = Verdict::blocks("its queries wait until the tables are unlocked", "leave the lock out");
            Some(Act::of(named(reader), verdict))
        }
        "flush" if reader.has("table") || reader.has("tables") => {
            let suffers = "its queries wait until every table is closed, and the one that runs longest is over";
            Some(Act::of(Vec::new(), Verdict::blocks(suffers, "leave it out")))
        }
        "optimize" | "repair" => {
            reader.eat_any(&["local", "no_write_to_binlog"]);
            reader.eat_any(&["table", "tables"])?;
            let verdict = Verdict::blocks(
                "the table is built anew, and its writes wait where the server cannot do that beside them",
                super::cost::APART,
            );
            Some(Act::of(named(reader), verdict))
        }
        "call" => Some(Act::opaque("nobody can see what the procedure does", INTO_THE_FILE)),
        "prepare" | "execute" => Some(Act::opaque("nobody can see what the prepared statement does", INTO_THE_FILE)),
        "load" | "import" => {
            Some(Act::opaque("nobody can see what the data does to the rows there are", INTO_THE_FILE))
        }
        "begin" if reader.eat(&["not"]) => Some(Act::opaque("it is a program", INTO_THE_FILE)),
        "if" | "case" | "loop" | "repeat" | "while" | "for" => Some(Act::opaque("it is a program", INTO_THE_FILE)),
        "kill" | "shutdown" | "restart" | "reset" => {
            breaks("its sessions or what they rely on may be gone", "leave it out")
        }
        "start" if !reader.eat(&["transaction"]) => None,
        "begin" | "start" | "commit" | "rollback" | "savepoint" | "release" | "unlock" | "use" | "show" | "help"
        | "do" | "check" | "checksum" | "deallocate" | "grant" | "flush" => Some(Act::default()),
        _ => None,
    }
}

/// What a statement does that is part of another. One that again has one inside is not looked through.
pub(super) fn inside(part: Reader<'_, '_>, session: &Session) -> Option<Act> {
    let nests = ["analyze", "desc", "describe", "explain", "set"].iter().any(|word| part.is(&[word]));
    let event = part.has("event") && (part.is(&["create"]) || part.is(&["alter"]));
    if nests || event { None } else { act(part, session) }
}

fn with(whole: Reader<'_, '_>) -> Option<Act> {
    let (_, behind) = whole.around(&["select", "update", "delete", "table", "values"])?;
    // The word itself says what is done.
    let from = whole.rest().len() - behind.rest().len() - 1;
    match whole.rest()[from].token {
        token if token.is("update") => rows::update(behind),
        token if token.is("delete") => rows::delete(behind),
        _ => Some(rows::query(whole)),
    }
}

fn insert(mut reader: Reader<'_, '_>, first: &str, session: &Session) -> Act {
    while reader.eat_any(&["low_priority", "delayed", "high_priority", "ignore", "into"]).is_some() {}
    let target = reader.table();
    let mut act = rows::copied(reader, session.reads_committed).unwrap_or_default();
    if first.eq_ignore_ascii_case("replace") {
        act.objects.extend(target.map(Object::relation));
        act.verdicts.push(replaced());
    }
    act
}

/// What `REPLACE` does to rows that are there.
fn replaced() -> Verdict {
    Verdict::remark(
        "rows of the same key are deleted and written anew, with what blue has written to them",
        "INSERT … ON DUPLICATE KEY UPDATE, which changes the columns it names",
    )
}

/// Whether an `EXPLAIN` runs what it explains.
fn explained(mut reader: Reader<'_, '_>, first: &str, session: &Session) -> Option<Act> {
    let runs = first.eq_ignore_ascii_case("analyze") || reader.eat(&["analyze"]);
    reader.eat_any(&["local", "no_write_to_binlog"]);
    if !runs || reader.is(&["table"]) || reader.is(&["tables"]) {
        return Some(Act::default());
    }
    if reader.eat(&["format"]) {
        reader.mark('=');
        reader.next();
    }
    inside(reader, session)
}

/// The tables between commas.
pub(super) fn named(reader: Reader<'_, '_>) -> Vec<Object> {
    reader.parts().into_iter().filter_map(|mut part| part.table()).map(Object::relation).collect()
}
