//! A file of SQL, taken apart into statements the way PostgreSQL does.
//!
//! Knows quotes, dollar quotes, nested comments, parentheses and `BEGIN ATOMIC` bodies; knows no grammar beyond that.
//! Lazy: a file of fifty megabytes is never held a second time. What MySQL does otherwise: [`crate::mysql::statements`].

mod body;
mod lexer;

use std::ops::Range;

use body::Body;
pub(crate) use lexer::Lexed;
use lexer::Lexer;

/// How many tokens of a statement are kept to tell what it is.
const HEAD: usize = 256;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// From its first token to its last, without the semicolon.
    pub text: &'a str,
    /// The line of the file its first token stands on, counted from 1.
    pub line: usize,
    /// Its first tokens.
    pub head: Vec<Token<'a>>,
    grammar: Grammar,
}

/// Whose statements they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    PostgreSql,
    /// MariaDB's, too.
    MySql,
}

/// A token of a statement; comments and white space are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword, name or number.
    Word(&'a str),
    /// A name in double quotes, with them; to MySQL in backticks.
    Quoted(&'a str),
    /// A text in single or dollar quotes, with them; to MySQL in single or double ones.
    Text(&'a str),
    /// Anything else: one character.
    Mark(char),
}

impl Token<'_> {
    /// Whether this is that keyword, in any case.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }
}

/// A quote or comment that never ends, or a word that no server knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what} {}", self.why())]
pub struct Unclosed {
    /// `a quoted text`, `a comment`, … or [`DELIMITER`].
    pub what: &'static str,
    /// Where it opens.
    pub line: usize,
}

/// Told to the `mysql` client, which keeps it to itself.
pub const DELIMITER: &str = "DELIMITER";

impl Unclosed {
    /// What is wrong with it: `is opened here and never closed`.
    pub fn why(&self) -> &'static str {
        match self.what {
            DELIMITER => "is a word for the mysql client, and bodies of routines are kept whole without it",
            _ => "is opened here and never closed",
        }
    }
}

impl Statement<'_> {
    /// Whether it begins with these keywords.
    pub fn starts_with(&self, keywords: &[&str]) -> bool {
        keywords.len() <= self.head.len() && self.head.iter().zip(keywords).all(|(token, keyword)| token.is(keyword))
    }

    /// Whether this keyword is among its first tokens.
    pub fn mentions(&self, keyword: &str) -> bool {
        self.head.iter().any(|token| token.is(keyword))
    }

    /// All its tokens.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'_>> {
        lexed(self.text, self.grammar).map(|lexed| lexed.token)
    }

    /// Its beginning on one line, for people. Texts in quotes are left out: they may be secret.
    pub fn summary(&self) -> String {
        summary_of(self.text, self.grammar)
    }

    /// The line of the file on which the server's character position (counted from 1) lies.
    pub fn line_at(&self, position: usize) -> usize {
        self.line + self.text.chars().take(position.saturating_sub(1)).filter(|char| *char == '\n').count()
    }
}

/// The beginning of a statement on one line, for people: blanks and comments are one blank. Texts in quotes are left out: they
/// may be secret.
pub fn summary(sql: &str) -> String {
    summary_of(sql, Grammar::PostgreSql)
}

pub(crate) fn summary_of(sql: &str, grammar: Grammar) -> String {
    const LONGEST: usize = 90;
    let (mut out, mut length, mut end) = (String::new(), 0, 0);
    for Lexed { token, place, .. } in lexed(sql, grammar) {
        if place.start > end && !out.is_empty() {
            out.push(' ');
            length += 1;
        }
        end = place.end;
        let text = match token {
            Token::Word(text) | Token::Quoted(text) => text,
            Token::Text(_) => "'…'",
            Token::Mark(_) => &sql[place],
        };
        // A name in quotes may hold line ends, and have no end.
        for char in text.chars().take(LONGEST + 1) {
            out.push(if char.is_control() { ' ' } else { char });
            length += 1;
        }
        if length > LONGEST {
            return out.chars().take(LONGEST).chain(['…']).collect();
        }
    }
    out
}

/// The tokens of a text up to one that never ends, each with the bytes it takes.
pub(crate) fn tokens(sql: &str) -> impl Iterator<Item = (Token<'_>, Range<usize>)> {
    lexed(sql, Grammar::PostgreSql).map(|Lexed { token, place, .. }| (token, place))
}

pub(crate) fn lexed(sql: &str, grammar: Grammar) -> impl Iterator<Item = Lexed<'_>> {
    let mut lexer = Lexer::new(sql, grammar);
    std::iter::from_fn(move || lexer.token().ok()?)
}

/// The statements of a file, one after the other. Ends after the first error.
pub fn statements(sql: &str) -> Statements<'_> {
    Statements::of(sql, Grammar::PostgreSql)
}

/// See [`statements`].
pub struct Statements<'a> {
    lexer: Lexer<'a>,
}

impl<'a> Iterator for Statements<'a> {
    type Item = Result<Statement<'a>, Unclosed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.statement() {
                Ok(Some(statement)) if statement.head.is_empty() => {}
                Ok(found) => return found.map(Ok),
                Err(error) => {
                    self.lexer.give_up();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<'a> Statements<'a> {
    pub(crate) fn of(sql: &'a str, grammar: Grammar) -> Self {
        Self { lexer: Lexer::new(sql, grammar) }
    }

    /// The next statement, perhaps an empty one; `None` at the end of the file.
    fn statement(&mut self) -> Result<Option<Statement<'a>>, Unclosed> {
        let grammar = self.lexer.grammar;
        let mut statement = Statement { text: "", line: 0, head: Vec::new(), grammar };
        let (mut body, mut whole) = (Body::of(grammar), None::<Range<usize>>);
        let ended = loop {
            let Some(Lexed { token, place, line, comment }) = self.lexer.token()? else { break false };
            if token == Token::Mark(';') && !body.is_open() {
                match comment {
                    Some(comment) => return Err(comment.unclosed()),
                    None => break true,
                }
            }
            if whole.is_none() {
                statement.line = line;
                if grammar == Grammar::MySql && token.is(DELIMITER) {
                    return Err(Unclosed { what: DELIMITER, line });
                }
            }
            body.meets(token, &statement);
            let from = whole.map_or(comment.map_or(place.start, |comment| comment.from), |whole| whole.start);
            whole = Some(from..place.end);
            if statement.head.len() < HEAD {
                statement.head.push(token);
            }
        };
        if grammar == Grammar::MySql && body.is_open() {
            return Err(Unclosed { what: "the body of a routine", line: statement.line });
        }
        if let Some(whole) = whole {
            // Without the end of the comment that its last token stands in, it would be another statement.
            statement.text = &self.lexer.sql[whole.start..whole.end.max(self.lexer.last_comment_end())];
            return Ok(Some(statement));
        }
        Ok(ended.then_some(statement))
    }
}

#[cfg(test)]
mod tests;
