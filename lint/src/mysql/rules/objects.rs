//! `CREATE`, `ALTER`, `DROP` and `RENAME` of whatever is not a clause of a table.

use super::{Act, INTO_THE_FILE, LATER, inside, named};
use crate::finding::Verdict;
use crate::mysql::alter::{Habits, alter_table, create_index, drop_index};
use crate::mysql::name;
use crate::mysql::object::{Kind, Object};
use crate::mysql::reader::Reader;
use crate::mysql::rows;
use crate::mysql::unit::Session;
use crate::name::Name;
use crate::statements::Token;

const LOGIN: &str = "change logins and rights apart from deployments";
const KEEPS_TO_IT: &str = "make sure that blue keeps to it";

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

pub(super) fn create(whole: Reader<'_, '_>, session: &Session) -> Option<Act> {
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
            Object { kind: Kind::Other(word), name: name::column(reader.table()?.as_str()) }
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

pub(super) fn alter(whole: Reader<'_, '_>, session: &Session) -> Option<Act> {
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

pub(super) fn drop(mut reader: Reader<'_, '_>, habits: Habits) -> Option<Act> {
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
            let name = reader.table().map(|name| name::column(name.as_str()));
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

pub(super) fn rename(mut reader: Reader<'_, '_>) -> Option<Act> {
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
pub(in crate::mysql) fn renamed() -> Verdict {
    Verdict::breaks(
        "its queries that use the old name fail",
        "leave the name; a view with the new one beside it serves the new version",
    )
}

fn database(reader: &mut Reader<'_, '_>) -> Option<Name> {
    reader.word().map(name::table)
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
    (!written.is_empty()).then(|| name::table(&format!("`{written}`")))
}
