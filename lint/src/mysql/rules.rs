//! What a statement does, read off its first words. What is not known here word for word is opaque.

use super::alter::{Alter, Habits, alter_table, create_index, drop_index};
use super::object::{Kind, Object};
use super::reader::Reader;
use super::rows::{self, Rows};
use super::unit::Session;
use crate::finding::Verdict;
use crate::name::Name;
use crate::statements::Token;

pub(super) const LATER: &str = "take it away in a later version, once no running version uses it";
const LOGIN: &str = "change logins and rights apart from deployments";
const INTO_THE_FILE: &str = "write the statements themselves into the file";
const KEEPS_TO_IT: &str = "make sure that blue keeps to it";

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
        "alter" => alter(reader, session),
        "create" => create(reader, session),
        "drop" => drop(reader, session.habits),
        "rename" => rename(reader),
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

/// What stands behind `CREATE` and `ALTER` and before the word for the object.
fn head(reader: &mut Reader<'_, '_>) -> Option<&'static str> {
    const WORDS: [&str; 18] = [
        "table",
        "view",
        "procedure",
        "function",
        "package",
        "trigger",
        "event",
        "database",
        "schema",
        "user",
        "role",
        "sequence",
        "index",
        "unique",
        "fulltext",
        "spatial",
        "vector",
        "temporary",
    ];
    loop {
        if let Some(word) = reader.eat_any(&WORDS) {
            return Some(word);
        }
        let definer = reader.eat(&["definer"]) && reader.mark('=');
        if definer {
            // `app@localhost`, `'app'@'%'`, `CURRENT_USER()`
            reader.next()?;
            reader.group();
            if reader.mark('@') {
                reader.next()?;
            }
        } else if reader.eat(&["algorithm"]) {
            reader.mark('=');
            reader.word()?;
        } else if reader.eat(&["sql", "security"]) {
            reader.word()?;
        } else {
            reader.eat_any(&["or", "replace", "aggregate", "online", "ignore"])?;
        }
    }
}

fn create(whole: Reader<'_, '_>, session: &Session) -> Option<Act> {
    let mut reader = whole;
    let replaces = reader.is(&["or", "replace"]);
    let word = head(&mut reader)?;
    if ["index", "unique", "fulltext", "spatial", "vector"].contains(&word) {
        return create_index(&mut whole.clone(), session.habits).map(Act::altering);
    }
    let word = if word == "temporary" { reader.eat_any(&["table", "sequence"])? } else { word };
    if word == "package" {
        reader.eat(&["body"]);
    }
    let perhaps = reader.conditional();
    let object = match word {
        "user" | "role" => Object { kind: Kind::Other(word), name: account(&mut reader)? },
        "procedure" | "function" | "package" => {
            Object { kind: Kind::Other(word), name: super::column(reader.table()?.as_str()) }
        }
        "table" | "view" | "sequence" => Object::relation(reader.table()?),
        "database" | "schema" => Object { kind: Kind::Other("database"), name: database(&mut reader)? },
        word => Object { kind: Kind::Other(word), name: reader.table()? },
    };
    let mut act = match word {
        "event" => event(reader, session)?,
        "trigger" => {
            let (_, mut behind) = reader.around(&["on"])?;
            let table = Object::relation(behind.table()?);
            Act::of(vec![table], Verdict::remark("blue's writes run what this adds", "make sure that blue survives it"))
        }
        "table" if reader.has_anywhere(&["select"]) || reader.has_anywhere(&["as", "table"]) => {
            rows::copied(reader, session.reads_committed).unwrap_or_default()
        }
        _ => Act::default(),
    };
    if replaces {
        act.objects.push(object.clone());
        act.verdicts.push(match word {
            "table" | "sequence" | "database" | "schema" => Verdict::breaks("what was there is gone", LATER),
            "user" | "role" => Verdict::breaks("its login or its rights may be gone", LOGIN),
            _ => Verdict::remark("blue will work with what this changes", KEEPS_TO_IT),
        });
    }
    // Of tables and views the database is asked whether they were there.
    if object.kind == Kind::Relation || !(perhaps || replaces) {
        act.makes.push(object);
    }
    Some(act)
}

/// What an event does, by itself and as soon as its time has come.
fn event(reader: Reader<'_, '_>, session: &Session) -> Option<Act> {
    let Some((_, body)) = reader.around(&["do"]) else { return Some(Act::default()) };
    if body.is(&["begin"]) {
        return Some(Act::opaque("nobody can see what the event does", INTO_THE_FILE));
    }
    inside(body, session)
}

fn alter(whole: Reader<'_, '_>, session: &Session) -> Option<Act> {
    let mut reader = whole;
    match head(&mut reader)? {
        "table" => alter_table(&mut whole.clone(), session.habits).map(Act::altering),
        "event" => {
            let mut act = event(reader, session)?;
            act.verdicts.push(Verdict::remark("blue will work with what this changes", KEEPS_TO_IT));
            Some(act)
        }
        word @ ("view" | "sequence") => {
            let object = Object::relation(reader.table()?);
            let suffers =
                if word == "view" { "blue will read what this changes" } else { "blue will count as this says" };
            Some(Act::of(vec![object], Verdict::remark(suffers, KEEPS_TO_IT)))
        }
        "procedure" | "function" | "package" => {
            Some(Act::of(Vec::new(), Verdict::remark("blue will work with what this changes", KEEPS_TO_IT)))
        }
        "database" | "schema" if reader.has_anywhere(&["read", "only"]) => {
            Some(Act::of(Vec::new(), Verdict::breaks("its writes may be refused", "leave it out")))
        }
        "database" | "schema" => {
            Some(Act::of(Vec::new(), Verdict::remark("tables that blue makes will be made otherwise", KEEPS_TO_IT)))
        }
        "user" | "role" => Some(Act::of(Vec::new(), Verdict::breaks("its login may be refused", LOGIN))),
        _ => None,
    }
}

fn drop(mut reader: Reader<'_, '_>, habits: Habits) -> Option<Act> {
    if reader.eat(&["index"]) {
        return drop_index(&mut reader, habits).map(Act::altering);
    }
    if reader.eat(&["temporary"]) || reader.eat(&["prepare"]) {
        return Some(Act::default());
    }
    let word = reader.eat_any(&[
        "table",
        "tables",
        "view",
        "sequence",
        "procedure",
        "function",
        "package",
        "trigger",
        "event",
        "database",
        "schema",
        "user",
        "role",
    ])?;
    if word == "package" {
        reader.eat(&["body"]);
    }
    reader.conditional();
    let other =
        |kind, name: Option<Name>| name.map(|name| Object { kind: Kind::Other(kind), name }).into_iter().collect();
    let objects: Vec<Object> = match word {
        "table" | "tables" | "view" | "sequence" => named(reader),
        "procedure" | "function" | "package" => {
            let name = reader.table().map(|name| super::column(name.as_str()));
            other(word, name)
        }
        "user" | "role" => {
            let accounts = reader.parts().into_iter().map(|mut part| account(&mut part)).collect::<Option<Vec<_>>>()?;
            accounts.into_iter().map(|name| Object { kind: Kind::Other(word), name }).collect()
        }
        "database" | "schema" => other("database", database(&mut reader)),
        word => other(word, reader.table()),
    };
    let verdict = match word {
        "trigger" | "event" => Verdict::remark("what it did for blue is no longer done", KEEPS_TO_IT),
        "user" | "role" => Verdict::breaks("its login or its rights may be gone", LOGIN),
        "procedure" | "function" | "package" => Verdict::breaks(
            "its calls fail, at least until it is made again",
            "give the new one another name, or in MariaDB CREATE OR REPLACE; drop the old one in a later version",
        ),
        "table" | "tables" | "view" => Verdict::breaks("its queries that read or write it fail", LATER),
        _ => Verdict::breaks("its queries that use it fail", LATER),
    };
    Some(Act::of(objects, verdict))
}

fn rename(mut reader: Reader<'_, '_>) -> Option<Act> {
    if reader.eat(&["user"]) {
        return Some(Act::of(Vec::new(), Verdict::breaks("its login may be refused", LOGIN)));
    }
    reader.eat_any(&["table", "tables"])?;
    reader.conditional();
    let mut pairs = Vec::new();
    for mut part in reader.parts() {
        let from = part.table()?;
        if part.eat(&["wait"]) {
            part.next();
        }
        part.eat(&["nowait"]);
        if !part.eat(&["to"]) {
            return None;
        }
        pairs.push((Object::relation(from), Object::relation(part.table()?)));
    }
    let act = Act { moves: pairs, ..Act::default() };
    let gone = act.moves.iter().map(|(old, _)| old).filter(|old| !act.refills(old)).cloned().collect();
    Some(Act { objects: gone, verdicts: vec![renamed()], ..act })
}

/// What `RENAME` does to whoever knows the old name.
pub(super) fn renamed() -> Verdict {
    Verdict::breaks(
        "its queries that use the old name fail",
        "leave the name; a view with the new one beside it serves the new version",
    )
}

/// The tables between commas.
fn named(reader: Reader<'_, '_>) -> Vec<Object> {
    reader.parts().into_iter().filter_map(|mut part| part.table()).map(Object::relation).collect()
}

fn database(reader: &mut Reader<'_, '_>) -> Option<Name> {
    reader.word().map(super::table)
}

/// `'app'@'%'`, told as it is written.
fn account(reader: &mut Reader<'_, '_>) -> Option<Name> {
    let mut written = String::new();
    while let Some(token) = reader.peek() {
        match token {
            Token::Word(text) | Token::Text(text) | Token::Quoted(text)
                if written.is_empty() || written.ends_with('@') =>
            {
                written.push_str(text.trim_matches(['\'', '"', '`']));
            }
            Token::Mark('@') => written.push('@'),
            _ => break,
        }
        reader.next();
    }
    (!written.is_empty()).then(|| super::table(&format!("`{written}`")))
}
