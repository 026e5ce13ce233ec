//! Types of columns, and what becomes of the values when one is changed to another.

use super::reader::Reader;
use crate::statements::{Grammar, Token, lexed};

/// `varchar(40)`, `int unsigned`, `enum('a','b')`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    base: String,
    /// As written, without blanks.
    arguments: Vec<String>,
    unsigned: bool,
}

/// What a change of the type does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// Every value fits as it lies there.
    Extends,
    /// Every value fits, and each is written anew.
    Widens,
    /// Values may not fit, or read otherwise.
    Alters,
}

impl Kind {
    /// As `information_schema` has it.
    pub(super) fn of(column_type: &str) -> Option<Self> {
        let tokens: Vec<_> = lexed(column_type, Grammar::MySql).collect();
        Self::read(&mut Reader::new(&tokens, None))
    }

    pub(super) fn read(reader: &mut Reader<'_, '_>) -> Option<Self> {
        let word = reader.word()?.to_lowercase();
        let precise = word == "double" && reader.eat(&["precision"]);
        let varying = ["char", "character"].contains(&word.as_str()) && reader.eat(&["varying"]);
        let base = match word.as_str() {
            _ if precise => "double",
            _ if varying => "varchar",
            "integer" | "int4" => "int",
            "int1" | "bool" | "boolean" => "tinyint",
            "int2" => "smallint",
            "int3" | "middleint" => "mediumint",
            "int8" | "serial" => "bigint",
            "dec" | "numeric" | "fixed" => "decimal",
            "real" | "float8" => "double",
            "float4" => "float",
            "character" => "char",
            other => other,
        };
        let arguments =
            reader.group().map(|inside| inside.parts().into_iter().map(written).collect()).unwrap_or_default();
        let mut unsigned = word == "serial";
        while let Some(attribute) = reader.eat_any(&["unsigned", "zerofill", "signed"]) {
            unsigned |= attribute != "signed";
        }
        Some(Self { base: base.to_owned(), arguments, unsigned })
    }

    pub(super) fn change_to(&self, new: &Self) -> Change {
        if let (Some(old), Some(wanted)) = (self.integer(), new.integer()) {
            let fits = match (self.unsigned, new.unsigned) {
                (true, false) => wanted > old,
                (false, true) => false,
                _ => wanted >= old,
            };
            return if !fits {
                Change::Alters
            } else if (old, self.unsigned) == (wanted, new.unsigned) {
                Change::Nothing
            } else {
                Change::Widens
            };
        }
        if self.unsigned != new.unsigned {
            return Change::Alters;
        }
        if self.base == new.base {
            return self.resized(new);
        }
        const TEXTS: [(&str, u64); 4] =
            [("tinytext", 255), ("text", 65_535), ("mediumtext", 16_777_215), ("longtext", 4_294_967_295)];
        const BLOBS: [(&str, u64); 4] =
            [("tinyblob", 255), ("blob", 65_535), ("mediumblob", 16_777_215), ("longblob", 4_294_967_295)];
        /// Bytes that a character takes at most.
        const CHARACTER: u64 = 4;
        let room =
            |kind: &Self, all: &[(&str, u64)]| all.iter().find(|(name, _)| *name == kind.base).map(|(_, room)| *room);
        let wider = match (self.base.as_str(), new.base.as_str()) {
            ("float", "double") => self.arguments.is_empty() && new.arguments.is_empty(),
            ("char", "varchar") => new.size() >= self.size().or(Some(1)),
            ("char" | "varchar", _) => {
                room(new, &TEXTS).zip(self.size()).is_some_and(|(room, length)| room >= length * CHARACTER)
            }
            ("varbinary", _) => room(new, &BLOBS).zip(self.size()).is_some_and(|(room, length)| room >= length),
            _ => [TEXTS, BLOBS].iter().any(|all| {
                room(self, all)
                    .zip(room(new, all))
                    .is_some_and(|(old, wanted)| wanted > old && new.arguments.is_empty())
            }),
        };
        if wider { Change::Widens } else { Change::Alters }
    }

    /// The same type with other arguments.
    fn resized(&self, new: &Self) -> Change {
        if self.arguments == new.arguments {
            return Change::Nothing;
        }
        let grows = |old: u64, wanted: u64, change| match wanted.cmp(&old) {
            std::cmp::Ordering::Less => Change::Alters,
            std::cmp::Ordering::Equal => Change::Nothing,
            std::cmp::Ordering::Greater => change,
        };
        let size = |kind: &Self, unsaid| if kind.arguments.is_empty() { Some(unsaid) } else { kind.size() };
        match self.base.as_str() {
            "varchar" | "varbinary" => match (self.size(), new.size()) {
                (Some(old), Some(wanted)) => grows(old, wanted, lengthened(old, wanted)),
                _ => Change::Alters,
            },
            "char" => match (size(self, 1), size(new, 1)) {
                (Some(old), Some(wanted)) => grows(old, wanted, Change::Widens),
                _ => Change::Alters,
            },
            "datetime" | "timestamp" | "time" => match (size(self, 0), size(new, 0)) {
                (Some(old), Some(wanted)) => grows(old, wanted, Change::Widens),
                _ => Change::Alters,
            },
            "decimal" => match (self.digits(), new.digits()) {
                (Some(old), Some(wanted)) if old == wanted => Change::Nothing,
                (Some(old), Some(wanted)) if wanted.0 >= old.0 && wanted.1 >= old.1 => Change::Widens,
                _ => Change::Alters,
            },
            "enum" | "set" if new.arguments.starts_with(&self.arguments) => {
                // Bytes of a value: one or two of an enum, and a bit for each member of a set.
                let room = |kind: &Self| match kind.arguments.len() {
                    count if kind.base == "enum" => 1 + usize::from(count > 255),
                    count if count > 32 => 8,
                    count => count.div_ceil(8),
                };
                if room(self) == room(new) { Change::Extends } else { Change::Widens }
            }
            _ => Change::Alters,
        }
    }

    fn integer(&self) -> Option<u8> {
        Some(match self.base.as_str() {
            "tinyint" => 1,
            "smallint" => 2,
            "mediumint" => 3,
            "int" => 4,
            "bigint" => 8,
            _ => return None,
        })
    }

    fn size(&self) -> Option<u64> {
        self.arguments.first()?.parse().ok()
    }

    /// Those before and behind the point.
    fn digits(&self) -> Option<(u64, u64)> {
        let all = if self.arguments.is_empty() { 10 } else { self.size()? };
        let behind = match self.arguments.get(1) {
            Some(behind) => behind.parse().ok()?,
            None => 0,
        };
        Some((all.checked_sub(behind)?, behind))
    }
}

/// Up to 255 bytes a length takes one byte, and two from there on. How many bytes a character takes nobody says here: one, three or four.
/// <https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html>
fn lengthened(old: u64, wanted: u64) -> Change {
    let same =
        [1, 3, 4].iter().all(|bytes| (old.saturating_mul(*bytes) > 255) == (wanted.saturating_mul(*bytes) > 255));
    if same { Change::Extends } else { Change::Widens }
}

fn written(argument: Reader<'_, '_>) -> String {
    let text = |token| match token {
        Token::Word(text) | Token::Quoted(text) | Token::Text(text) => text.to_owned(),
        Token::Mark(mark) => mark.to_string(),
    };
    argument.rest().iter().map(|lexed| text(lexed.token)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::{Change, Kind};

    #[test]
    fn what_becomes_of_the_values_depends_on_both_types() {
        for (old, new, change) in [
            ("int(11)", "INTEGER", Change::Nothing),
            ("tinyint(1)", "bool", Change::Nothing),
            ("int(10) unsigned", "bigint unsigned", Change::Widens),
            ("int unsigned", "bigint", Change::Widens),
            ("int unsigned", "int", Change::Alters),
            ("bigint", "int", Change::Alters),
            ("varchar(40)", "varchar(60)", Change::Extends),
            ("varchar(40)", "varchar(80)", Change::Widens),
            ("varchar(256)", "character varying(300)", Change::Extends),
            ("varchar(40)", "varchar(39)", Change::Alters),
            ("varchar(40)", "text", Change::Widens),
            ("varchar(100)", "tinytext", Change::Alters),
            ("text", "longtext", Change::Widens),
            ("text", "varchar(100)", Change::Alters),
            ("enum('a','b')", "ENUM('a', 'b', 'c,d')", Change::Extends),
            ("enum('a','b')", "enum('b','a')", Change::Alters),
            ("set('a')", "set('a','b')", Change::Extends),
            ("decimal(10,2)", "numeric(12, 2)", Change::Widens),
            ("decimal(10,2)", "decimal(10,4)", Change::Alters),
            ("datetime", "datetime(6)", Change::Widens),
            ("json", "json", Change::Nothing),
            ("json", "text", Change::Alters),
            ("float", "double precision", Change::Widens),
            ("char(3)", "char", Change::Alters),
        ] {
            assert_eq!(Kind::of(old).unwrap().change_to(&Kind::of(new).unwrap()), change, "{old} to {new}");
        }
    }
}
