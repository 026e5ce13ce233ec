//! Takes a text apart into tokens, as PostgreSQL does and as MySQL does.

use std::ops::Range;

use super::{Grammar, Token, Unclosed};

/// A token of a text.
#[derive(Clone)]
pub(crate) struct Lexed<'a> {
    pub(crate) token: Token<'a>,
    pub(crate) place: Range<usize>,
    pub(super) line: usize,
    /// The comment that MySQL executes and in which it stands.
    pub(crate) comment: Option<Executed>,
}

/// `/*! … */` or `/*M! … */`: a comment that MySQL or MariaDB executes.
#[derive(Clone, Copy)]
pub(crate) struct Executed {
    pub(super) from: usize,
    line: usize,
    /// Where it ends for a server that takes it for an ordinary comment.
    end: usize,
}

impl Executed {
    pub(super) fn unclosed(self) -> Unclosed {
        Unclosed { what: "a comment that is executed", line: self.line }
    }
}

/// A place in a text.
pub(super) struct Lexer<'a> {
    pub(super) sql: &'a str,
    pub(super) grammar: Grammar,
    at: usize,
    line: usize,
    comment: Option<Executed>,
    last_comment_end: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(sql: &'a str, grammar: Grammar) -> Self {
        Self { sql, grammar, at: 0, line: 1, comment: None, last_comment_end: 0 }
    }

    /// Goes to the end.
    pub(super) fn give_up(&mut self) {
        (self.at, self.comment) = (self.sql.len(), None);
    }

    /// Where the last comment that is executed was closed.
    pub(super) fn last_comment_end(&self) -> usize {
        self.last_comment_end
    }

    /// The next token.
    pub(super) fn token(&mut self) -> Result<Option<Lexed<'a>>, Unclosed> {
        match self.grammar {
            Grammar::PostgreSql => self.skip_postgresql_blanks()?,
            Grammar::MySql => self.skip_mysql_blanks()?,
        }
        let (from, line) = (self.at, self.line);
        let Some(first) = self.rest().chars().next() else {
            return self.comment.map_or(Ok(None), |comment| Err(comment.unclosed()));
        };
        let token = match self.grammar {
            Grammar::PostgreSql => self.postgresql_token(first)?,
            Grammar::MySql => self.mysql_token(first)?,
        };
        Ok(Some(Lexed { token, place: from..self.at, line, comment: self.comment }))
    }

    fn postgresql_token(&mut self, first: char) -> Result<Token<'a>, Unclosed> {
        Ok(match first {
            '\'' => Token::Text(self.quoted('\'', false, "a quoted text")?),
            '"' => Token::Quoted(self.quoted('"', false, "a quoted name")?),
            '$' => match self.dollar_tag() {
                Some(tag) => Token::Text(self.dollar_quoted(tag)?),
                None => self.mark(first),
            },
            _ if is_name(first) => {
                let word = self.word(|char| is_name(char) || char == '$');
                if word.eq_ignore_ascii_case("e") && self.rest().starts_with('\'') {
                    Token::Text(self.quoted('\'', true, "a quoted text")?)
                } else {
                    Token::Word(word)
                }
            }
            _ => self.mark(first),
        })
    }

    /// <https://dev.mysql.com/doc/refman/8.4/en/language-structure.html>
    fn mysql_token(&mut self, first: char) -> Result<Token<'a>, Unclosed> {
        // Every character beyond ASCII is one of a name, blanks too.
        let is_name = |char: char| is_name(char) || char == '$' || !char.is_ascii();
        Ok(match first {
            '\'' | '"' => Token::Text(self.quoted(first, true, "a quoted text")?),
            '`' => Token::Quoted(self.quoted('`', false, "a quoted name")?),
            _ if is_name(first) => Token::Word(self.word(is_name)),
            _ => self.mark(first),
        })
    }

    fn rest(&self) -> &'a str {
        &self.sql[self.at..]
    }

    fn mark(&mut self, mark: char) -> Token<'a> {
        self.at += mark.len_utf8();
        Token::Mark(mark)
    }

    fn word(&mut self, is_name: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|char| !is_name(char)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Goes on by so many bytes, counting lines.
    fn pass(&mut self, bytes: usize) -> &'a str {
        let passed = &self.rest()[..bytes];
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
        self.at += bytes;
        passed
    }

    fn pass_line(&mut self) {
        let rest = self.rest();
        self.pass(rest.find('\n').unwrap_or(rest.len()));
    }

    fn skip_postgresql_blanks(&mut self) -> Result<(), Unclosed> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank > 0 {
                self.pass(blank);
            } else if rest.starts_with("--") {
                self.pass_line();
            } else if rest.starts_with("/*") {
                self.nested_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// What stands in comments that are executed is no blank, only their marks are.
    fn skip_mysql_blanks(&mut self) -> Result<(), Unclosed> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']).len();
            if blank > 0 {
                self.pass(blank);
            } else if rest.starts_with('#') || is_mysql_dash_comment(rest) {
                self.pass_line();
            } else if rest.starts_with("/*!") || rest.starts_with("/*M!") {
                self.open_comment()?;
            } else if let Some(inside) = rest.strip_prefix("/*") {
                let end = inside.find("*/").ok_or(Unclosed { what: "a comment", line: self.line })?;
                self.pass(end + 4);
            } else if let Some(comment) = self.comment.filter(|_| rest.starts_with("*/")) {
                self.pass(2);
                // Where some servers would go on elsewhere than others, nobody can say what is done.
                if self.at != comment.end {
                    return Err(comment.unclosed());
                }
                (self.comment, self.last_comment_end) = (None, self.at);
            } else {
                return Ok(());
            }
        }
    }

    /// `/*!`, `/*M!` and the version from which on it is executed: five or six digits.
    fn open_comment(&mut self) -> Result<(), Unclosed> {
        let rest = self.rest();
        let unclosed = Unclosed { what: "a comment that is executed", line: self.line };
        let mark = rest.find('!').unwrap_or_default() + 1;
        let digits = rest[mark..].bytes().take(6).take_while(u8::is_ascii_digit).count();
        let end = self.at + mark + rest[mark..].find("*/").ok_or(unclosed)? + 2;
        // One in another ends with that.
        self.comment.get_or_insert(Executed { from: self.at, line: self.line, end });
        self.pass(mark + if digits < 5 { 0 } else { digits });
        Ok(())
    }

    fn nested_comment(&mut self) -> Result<(), Unclosed> {
        let unclosed = Unclosed { what: "a comment", line: self.line };
        let bytes = self.rest().as_bytes();
        let (mut depth, mut at) = (0_usize, 0);
        loop {
            match bytes.get(at..at + 2) {
                None => return Err(unclosed),
                Some(b"/*") => (depth, at) = (depth + 1, at + 2),
                Some(b"*/") => (depth, at) = (depth - 1, at + 2),
                Some(_) => at += 1,
            }
            if depth == 0 {
                self.pass(at);
                return Ok(());
            }
        }
    }

    /// A quote doubled stands for itself. `escapes` is whether a backslash escapes: to PostgreSQL only in `E'…'`.
    fn quoted(&mut self, quote: char, escapes: bool, what: &'static str) -> Result<&'a str, Unclosed> {
        let unclosed = Unclosed { what, line: self.line };
        let bytes = self.rest().as_bytes();
        let mut at = 1;
        loop {
            match bytes.get(at) {
                None => return Err(unclosed),
                Some(b'\\') if escapes => at += 2,
                Some(byte) if char::from(*byte) == quote => {
                    at += 1;
                    if bytes.get(at).map(|next| char::from(*next)) != Some(quote) {
                        return Ok(self.pass(at));
                    }
                    at += 1;
                }
                Some(_) => at += 1,
            }
        }
    }

    /// `$$` or `$name$` at this place; `$1` is a parameter.
    fn dollar_tag(&self) -> Option<&'a str> {
        let rest = self.rest();
        let name = &rest[1..];
        let length = name.find(|char| !is_name(char)).unwrap_or(name.len());
        let opens = name[length..].starts_with('$') && !name.starts_with(|char: char| char.is_ascii_digit());
        opens.then(|| &rest[..length + 2])
    }

    fn dollar_quoted(&mut self, tag: &str) -> Result<&'a str, Unclosed> {
        match self.rest()[tag.len()..].find(tag) {
            Some(length) => Ok(self.pass(length + 2 * tag.len())),
            None => Err(Unclosed { what: "a dollar-quoted text", line: self.line }),
        }
    }
}

fn is_name(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

/// `5--1` is a sum.
fn is_mysql_dash_comment(rest: &str) -> bool {
    rest.strip_prefix("--").is_some_and(|rest| {
        rest.chars().next().is_none_or(|char| char.is_ascii_whitespace() || char.is_ascii_control())
    })
}
