//! A file taken apart into what is judged: each statement with what it does.

use super::alter::Habits;
use super::reader::Reader;
use super::rules::{Act, act, inside};
use super::statements::{Statement, statements};
use crate::finding::Verdict;
use crate::statements::{Grammar, Lexed, Token, lexed};

/// Bytes of a statement that is read at most: its tokens take some ten times its room.
const LONGEST: usize = 64 * 1024;

/// Tokens by which an `INSERT` has told its table.
const BEFORE_ROWS: usize = 12;

const READABLE: &str = "write it so that it can be read";

/// One statement.
pub(super) struct Unit<'a> {
    /// As written.
    pub(super) text: &'a str,
    /// The line of the file it begins on, counted from 1.
    pub(super) line: usize,
    /// What it does on a server that executes its `/*! … */`, and on one that does not.
    pub(super) acts: Vec<Act>,
}

/// What earlier statements of the file have set for this one.
pub(super) struct Session {
    pub(super) habits: Habits,
    /// Whether a statement that reads rows in order to write others leaves them unlocked.
    pub(super) reads_committed: bool,
    /// What `USE` has told, as written.
    database: Option<String>,
}

/// What a file does, in its order.
pub(super) fn units(sql: &str) -> impl Iterator<Item = Unit<'_>> {
    let sql = sql.strip_prefix('\u{feff}').unwrap_or(sql);
    let mut session =
        Session { habits: Habits { checks_foreign_keys: true, copies: false }, reads_committed: false, database: None };
    statements(sql).map(move |statement| match statement {
        Ok(statement) => session.unit(&statement),
        Err(unclosed) => Unit {
            text: unclosed.what,
            line: unclosed.line,
            acts: vec![Act::of(Vec::new(), Verdict::opaque(format!("it {}", unclosed.why()), READABLE))],
        },
    })
}

impl Session {
    fn unit<'a>(&mut self, statement: &Statement<'a>) -> Unit<'a> {
        let unit = |acts| Unit { text: statement.text, line: statement.line, acts };
        if only_inserts(statement) {
            let tokens: Vec<_> = lexed(statement.text, Grammar::MySql).take(BEFORE_ROWS).collect();
            return unit(vec![self.act(&tokens)]);
        }
        if statement.text.len() > LONGEST {
            return unit(vec![Act::opaque("it has more than 64 KiB", READABLE)]);
        }
        let tokens: Vec<_> = lexed(statement.text, Grammar::MySql).collect();
        let plain: Vec<_> = tokens.iter().filter(|lexed| lexed.comment.is_none()).cloned().collect();
        let mut acts = vec![self.act(&tokens)];
        // Nobody says here which of them the server executes.
        if plain.len() < tokens.len() {
            if !plain.is_empty() {
                acts.push(self.act(&plain));
            }
            if tokens.first().is_some_and(|first| first.token.is("use")) {
                acts.push(Act::opaque("another database may be meant from here on", READABLE));
            }
            self.note(&tokens, false);
        }
        self.note(&plain, true);
        unit(acts)
    }

    fn act(&self, tokens: &[Lexed<'_>]) -> Act {
        let read = act(Reader::new(tokens, self.database.as_deref()), self);
        read.unwrap_or_else(|| Act::opaque("its grammar is not known here", READABLE))
    }

    /// Remembers what a statement says of later ones; what it allows them only if it is certain that it is executed.
    fn note(&mut self, tokens: &[Lexed<'_>], certain: bool) {
        let mut reader = Reader::new(tokens, None);
        if reader.eat(&["use"]) {
            self.database = reader.word().map(str::to_owned);
        }
        if !reader.eat(&["set"]) {
            return;
        }
        if reader.has_anywhere(&["transaction", "isolation", "level"]) {
            // Without SESSION it is of the next transaction only, and that may be over.
            let of_session = reader.eat_any(&["session", "local"]).is_some();
            self.reads_committed = certain && of_session && reader.has_anywhere(&["read", "committed"]);
        }
        for part in reader.parts() {
            let Some(setting) = Setting::read(part) else { continue };
            let off = setting.value.rest().len() == 1
                && setting.value.peek().is_some_and(|value| ["0", "off", "false"].iter().any(|word| value.is(word)));
            match setting.name.as_str() {
                "foreign_key_checks" => self.habits.checks_foreign_keys = !(off && certain),
                "old_alter_table" => self.habits.copies = !off,
                "alter_algorithm" => self.habits.copies = mentions(setting.value, "copy"),
                "transaction_isolation" | "tx_isolation" => {
                    self.reads_committed = certain && mentions(setting.value, "read-committed");
                }
                _ => {}
            }
        }
    }
}

/// Rows that are added are nobody's yet, and seeds are long. What a server may skip could be the `INSERT` itself.
fn only_inserts(statement: &Statement<'_>) -> bool {
    let inserts = statement.starts_with(&["insert"]) || statement.starts_with(&["replace"]);
    if !inserts || statement.text.contains("/*!") || statement.text.contains("/*M!") {
        return false;
    }
    let mut depth = 0_usize;
    let first = statement.tokens().find_map(|token| {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        let words = ["select", "set", "table", "value", "values", "with"];
        words.into_iter().find(|word| depth == 0 && token.is(word))
    });
    first.is_some_and(|word| ["set", "value", "values"].contains(&word))
}

/// `SET @@session.sql_mode = ''`, one of them.
struct Setting<'r, 'a> {
    global: bool,
    /// In lower case; of a variable of one's own with its `@`.
    name: String,
    value: Reader<'r, 'a>,
}

impl<'r, 'a> Setting<'r, 'a> {
    fn read(mut reader: Reader<'r, 'a>) -> Option<Self> {
        const GLOBAL: [&str; 3] = ["global", "persist", "persist_only"];
        let own = reader.mark('@');
        let system = own && reader.mark('@');
        let mut global = reader.eat_any(&GLOBAL).is_some();
        if !global {
            reader.eat_any(&["session", "local"]);
        }
        if system {
            reader.mark('.');
        }
        if reader.mark('@') && reader.mark('@') {
            global |= reader.eat_any(&GLOBAL).is_some();
            reader.mark('.');
        }
        let name = reader.word()?.trim_matches('`').to_lowercase();
        reader.mark(':');
        if !reader.mark('=') {
            return None;
        }
        let name = if own && !system { format!("@{name}") } else { name };
        Some(Self { global, name, value: reader })
    }
}

/// Behind `SET`.
pub(super) fn set(mut reader: Reader<'_, '_>, session: &Session) -> Option<Act> {
    let breaks = |suffers, instead| Some(Act::of(Vec::new(), Verdict::breaks(suffers, instead)));
    if reader.eat(&["statement"]) {
        let (_, inner) = reader.around(&["for"])?;
        return inside(inner, session);
    }
    if reader.is(&["password"]) || reader.is(&["default", "role"]) {
        return breaks("its login or its rights may be gone", "change logins and rights apart from deployments");
    }
    if ["names", "character", "charset", "role"].iter().any(|word| reader.is(&[word])) {
        return Some(Act::default());
    }
    if reader.is(&["global", "transaction"]) {
        return breaks(EVERYBODY, SERVER);
    }
    if reader.is(&["transaction"]) || reader.is(&["session", "transaction"]) || reader.is(&["local", "transaction"]) {
        return Some(Act::default());
    }
    let mut settled = Act::default();
    for part in reader.parts() {
        let setting = Setting::read(part)?;
        if setting.global {
            return breaks(EVERYBODY, SERVER);
        }
        if changes_quotes(&setting) {
            settled =
                Act::opaque("quotes may mean something else from here on", "leave the mode of the session as it is");
        }
    }
    Some(settled)
}

const EVERYBODY: &str = "its sessions work with another setting of the server";
const SERVER: &str = "change the settings of the server apart from deployments";

/// Whether a text may end elsewhere from here on.
fn changes_quotes(setting: &Setting<'_, '_>) -> bool {
    let modes = ["ansi", "backslash", "oracle", "db2", "maxdb", "mssql", "postgresql"];
    let told = setting.value.rest().iter().any(|lexed| match lexed.token {
        Token::Text(text) => modes.iter().any(|mode| text.to_lowercase().contains(mode)),
        _ => false,
    });
    let calls = setting.value.rest().iter().any(|lexed| lexed.token == Token::Mark('('));
    let number =
        matches!(setting.value.peek(), Some(Token::Word(word)) if word.starts_with(|char: char| char.is_ascii_digit()));
    match setting.name.as_str() {
        "sql_mode" => told || calls || number,
        // It may become the mode.
        name if name.starts_with('@') => told,
        _ => false,
    }
}

fn mentions(value: Reader<'_, '_>, word: &str) -> bool {
    value.rest().iter().any(|lexed| match lexed.token {
        Token::Word(text) | Token::Text(text) => text.to_lowercase().contains(word),
        _ => false,
    })
}
