//! What is said of a column behind its name.

use super::kind::Kind;
use super::reader::Reader;
use crate::statements::Token;

/// `int NOT NULL DEFAULT 1 AFTER id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) kind: Kind,
    pub(super) not_null: bool,
    pub(super) default: Value,
    pub(super) generated: Generated,
    pub(super) counts: bool,
    pub(super) unique: bool,
    pub(super) primary: bool,
    pub(super) checked: bool,
    pub(super) refers: bool,
    /// `CHARACTER SET` or `COLLATE`.
    pub(super) in_charset: bool,
    /// `FIRST` or `AFTER`.
    pub(super) placed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// None is told, or null.
    None,
    Constant,
    /// In parentheses, though no more than constants: MySQL does not add it at once.
    /// <https://github.com/vitessio/vitess/issues/16024>
    Expression,
    /// What another column, or another function than the clock says.
    Computed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generated {
    No,
    Virtual,
    Stored,
}

impl Definition {
    /// `None` when a word of it is not known.
    pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Self> {
        let serial = reader.is(&["serial"]);
        let mut definition = Self {
            kind: Kind::read(reader)?,
            not_null: serial,
            default: Value::None,
            generated: Generated::No,
            counts: serial,
            unique: serial,
            primary: false,
            checked: false,
            refers: false,
            in_charset: false,
            placed: false,
        };
        while !reader.is_empty() {
            definition.attribute(reader)?;
        }
        Some(definition)
    }

    /// Whether a row gets a value from whoever gives it none.
    pub(super) fn fills_itself(&self) -> bool {
        self.default != Value::None || self.counts || self.generated != Generated::No
    }

    /// Whether it refuses nulls.
    pub(super) fn refuses_null(&self) -> bool {
        self.not_null || self.primary
    }

    fn attribute(&mut self, reader: &mut Reader<'_, '_>) -> Option<()> {
        if reader.eat(&["not", "null"]) {
            self.not_null = true;
        } else if reader.eat(&["not", "enforced"]) {
            self.checked = false;
        } else if reader.eat(&["serial", "default", "value"]) {
            (self.not_null, self.counts, self.unique) = (true, true, true);
        } else if reader.eat(&["default"]) {
            self.default = value(reader)?;
        } else if reader.eat(&["on", "update"]) {
            value(reader)?;
        } else if reader.eat(&["auto_increment"]) {
            self.counts = true;
        } else if reader.eat(&["unique"]) {
            self.unique = true;
            reader.eat(&["key"]);
        } else if reader.eat(&["primary", "key"]) || reader.eat(&["key"]) {
            self.primary = true;
        } else if reader.eat(&["character", "set"])
            || reader.eat(&["char", "set"])
            || reader.eat_any(&["charset", "collate"]).is_some()
        {
            reader.mark('=');
            self.in_charset = true;
            if !matches!(reader.next()?, Token::Word(_) | Token::Quoted(_) | Token::Text(_)) {
                return None;
            }
        } else if reader.eat_any(&["ascii", "unicode", "binary"]).is_some() {
            self.in_charset = true;
        } else if reader.eat_any(&["comment", "engine_attribute", "secondary_engine_attribute"]).is_some() {
            reader.mark('=');
            reader.next()?;
        } else if reader.eat_any(&["column_format", "storage", "srid"]).is_some() {
            reader.next()?;
        } else if reader.eat(&["constraint"]) {
            if !reader.is(&["check"]) {
                reader.word()?;
            }
        } else if reader.eat(&["check"]) {
            reader.group()?;
            self.checked = true;
        } else if reader.eat(&["generated", "always"]) {
            // AS follows.
        } else if reader.eat(&["as"]) {
            reader.group()?;
            self.generated = Generated::Virtual;
        } else if reader.eat_any(&["stored", "persistent"]).is_some() {
            self.generated = Generated::Stored;
        } else if reader.eat(&["references"]) {
            reader.table()?;
            reader.group();
            self.refers = true;
            reference_options(reader)?;
        } else if reader.eat(&["first"]) {
            self.placed = true;
        } else if reader.eat(&["after"]) {
            reader.word()?;
            self.placed = true;
        } else {
            reader.eat_any(&["null", "virtual", "enforced", "visible", "invisible"])?;
        }
        Some(())
    }
}

/// `MATCH FULL ON DELETE SET NULL …`
pub(super) fn reference_options(reader: &mut Reader<'_, '_>) -> Option<()> {
    while reader.eat(&["match"]) || reader.eat(&["on", "delete"]) || reader.eat(&["on", "update"]) {
        reader.eat_any(&["set", "no"]);
        reader.word()?;
    }
    Some(())
}

/// The clock is read once for all rows.
const CLOCK: [&str; 4] = ["current_timestamp", "now", "localtime", "localtimestamp"];

fn value(reader: &mut Reader<'_, '_>) -> Option<Value> {
    if let Some(inside) = reader.group() {
        let named = inside.rest().iter().any(|lexed| match lexed.token {
            Token::Word(word) => !is_number(word),
            Token::Quoted(_) => true,
            Token::Text(_) | Token::Mark(_) => false,
        });
        return Some(if named { Value::Computed } else { Value::Expression });
    }
    let _ = reader.mark('-') || reader.mark('+');
    if reader.eat(&["null"]) {
        return Some(Value::None);
    }
    if reader.eat_any(&CLOCK).is_some() {
        reader.group();
        return Some(Value::Constant);
    }
    let pointed = reader.mark('.');
    match reader.next()? {
        Token::Text(_) => {}
        Token::Word(word) if is_number(word) => {
            let whole = !pointed && reader.mark('.');
            if whole && matches!(reader.peek(), Some(Token::Word(word)) if is_number(word)) {
                reader.next();
            }
        }
        Token::Word(word) if word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false") => {}
        // `b'1'`, `_utf8mb4'x'` and `DATE '2026-01-01'`; anything else is a function or a column.
        Token::Word(_) if matches!(reader.peek(), Some(Token::Text(_))) => {}
        Token::Word(_) => {
            reader.group();
            return Some(Value::Computed);
        }
        Token::Quoted(_) => return Some(Value::Computed),
        Token::Mark(_) => return None,
    }
    while matches!(reader.peek(), Some(Token::Text(_))) {
        reader.next();
    }
    Some(Value::Constant)
}

fn is_number(word: &str) -> bool {
    word.starts_with(|char: char| char.is_ascii_digit())
}
