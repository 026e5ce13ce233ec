//! Which words of a routine's body open and close something, so that a semicolon there ends no statement.

use super::Token;

/// `BEGIN`, `IF`, `CASE`, `LOOP`, `WHILE`, `REPEAT` and `FOR`, and the `END` of each.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    stage: Stage,
    /// What is open: whether each is a `CASE` that is an expression, which ends anywhere.
    open: Vec<bool>,
    last: Last,
    /// The statement of the body that we are in.
    inner: Inner,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Start,
    /// Behind `CREATE` or `ALTER`.
    Create,
    /// Behind a `BEGIN`; perhaps `NOT ATOMIC` follows, which is MariaDB's.
    Begin,
    /// Behind `PROCEDURE` or the like, before its body.
    Header,
    Body,
    /// Nothing opens any more.
    Plain,
}

/// What the token before this one makes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Last {
    /// A statement may begin.
    Opens,
    /// It is what the `END` was of.
    End,
    /// It is part of a name.
    Dot,
    /// `PROCEDURE IF NOT EXISTS`, `BEFORE INSERT`, `OR REPLACE`, `CHARACTER SET`: it is no statement.
    Holds,
    #[default]
    Other,
}

/// What a statement of the body has begun with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inner {
    Declare,
    /// `DECLARE … HANDLER FOR …`: a statement follows.
    Handler,
    Until,
    #[default]
    Other,
}

const OBJECTS: [&str; 5] = ["event", "function", "package", "procedure", "trigger"];
const OTHER_OBJECTS: [&str; 13] = [
    "database",
    "fulltext",
    "index",
    "role",
    "schema",
    "sequence",
    "server",
    "spatial",
    "table",
    "tablespace",
    "unique",
    "user",
    "view",
];
/// What the body of a routine without `BEGIN` begins with.
const PLAIN: [&str; 13] = [
    "alter", "call", "create", "delete", "drop", "insert", "replace", "return", "select", "set", "truncate", "update",
    "with",
];
const OPENS: [&str; 5] = ["begin", "if", "loop", "repeat", "while"];

impl Blocks {
    pub(crate) fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The next token of the statement.
    pub(crate) fn meets(&mut self, token: Token<'_>) {
        let Token::Word(word) = token else {
            self.last = match token {
                Token::Mark(';' | ':') => Last::Opens,
                Token::Mark('.') => Last::Dot,
                _ => Last::Other,
            };
            if token == Token::Mark(';') {
                self.inner = Inner::Other;
            }
            self.stage = if self.stage == Stage::Start { Stage::Plain } else { self.stage };
            return;
        };
        let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
        match self.stage {
            Stage::Start => self.first(&is),
            Stage::Create if is(&OBJECTS) => self.stage = Stage::Header,
            Stage::Create if is(&OTHER_OBJECTS) => self.stage = Stage::Plain,
            Stage::Begin if is(&["not"]) => self.open_block(),
            Stage::Begin => self.stage = Stage::Plain,
            Stage::Header if self.last != Last::Holds && is(&PLAIN) => self.stage = Stage::Plain,
            Stage::Header if self.last != Last::Holds && (is(&OPENS) || is(&["case"])) => self.open_block(),
            Stage::Body => self.in_body(&is),
            Stage::Create | Stage::Header | Stage::Plain => {}
        }
        self.last = self.after(&is);
    }

    fn open_block(&mut self) {
        self.open.push(false);
        (self.stage, self.inner) = (Stage::Body, Inner::Other);
    }

    /// The first word. MariaDB runs `IF`, `LOOP` and their like outside of routines too.
    fn first(&mut self, is: &impl Fn(&[&str]) -> bool) {
        self.stage = if is(&["create", "alter"]) {
            Stage::Create
        } else if is(&["begin"]) {
            Stage::Begin
        } else {
            Stage::Plain
        };
        if is(&["case", "for", "if", "loop", "repeat", "while"]) {
            self.open_block();
        }
    }

    fn in_body(&mut self, is: &impl Fn(&[&str]) -> bool) {
        let (starts, in_expression) = (self.last == Last::Opens, self.open.last() == Some(&true));
        let begins = starts || self.inner == Inner::Handler;
        if self.last == Last::Dot || (self.last == Last::End && !is(&["end"])) {
            return;
        }
        match () {
            () if in_expression && is(&["case"]) => self.open.push(true),
            () if in_expression && is(&["end"]) => drop(self.open.pop()),
            () if in_expression => {}
            () if begins && (is(&OPENS) || is(&["case"]) || starts && is(&["for"])) => self.open_block(),
            () if is(&["case"]) => self.open.push(true),
            () if is(&["end"]) && (starts || self.inner == Inner::Until) => {
                self.open.pop();
                self.inner = Inner::Other;
                if self.open.is_empty() {
                    self.stage = Stage::Plain;
                }
            }
            () if starts && is(&["declare"]) => self.inner = Inner::Declare,
            () if starts && is(&["until"]) => self.inner = Inner::Until,
            () if self.inner == Inner::Declare && is(&["handler"]) => self.inner = Inner::Handler,
            () if self.inner == Inner::Handler && is(&PLAIN) => self.inner = Inner::Other,
            () => {}
        }
    }

    fn after(&self, is: &impl Fn(&[&str]) -> bool) -> Last {
        match self.last {
            // The `IF` of `END IF` opens nothing, and what follows it is a semicolon.
            Last::End => Last::Other,
            // `DO SLEEP(1)` is a statement; the `DO` of a loop never begins one.
            Last::Opens if is(&["do"]) => Last::Other,
            _ if is(&["begin", "do", "else", "loop", "repeat", "then"]) => Last::Opens,
            _ if is(&["end"]) => Last::End,
            _ if is(&OBJECTS) || is(&["after", "before", "char", "character", "or"]) => Last::Holds,
            _ => Last::Other,
        }
    }
}
