//! A file of SQL, taken apart into statements the way PostgreSQL does.
//!
//! Knows quotes, dollar quotes, nested comments, parentheses and `BEGIN ATOMIC` bodies; knows no grammar beyond that.
//! Lazy: a file of fifty megabytes is never held a second time.

use std::ops::Range;

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
}

/// A token of a statement; comments and white space are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword, name or number.
    Word(&'a str),
    /// A name in double quotes, with them.
    Quoted(&'a str),
    /// A text in single or dollar quotes, with them.
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

/// A quote or comment that never ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what} is opened here and never closed")]
pub struct Unclosed {
    /// `a quoted text`, `a comment`, …
    pub what: &'static str,
    /// Where it opens.
    pub line: usize,
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
        tokens(self.text).map(|(token, _)| token)
    }

    /// Its beginning on one line, for people. Texts in quotes are left out: they may be secret.
    pub fn summary(&self) -> String {
        summary(self.text)
    }

    /// The line of the file on which the server's character position (counted from 1) lies.
    pub fn line_at(&self, position: usize) -> usize {
        self.line + self.text.chars().take(position.saturating_sub(1)).filter(|char| *char == '\n').count()
    }
}

/// The beginning of a statement on one line, for people: blanks and comments are one blank. Texts in quotes are left out: they
/// may be secret.
pub fn summary(sql: &str) -> String {
    const LONGEST: usize = 90;
    let (mut out, mut length, mut end) = (String::new(), 0, 0);
    for (token, place) in tokens(sql) {
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
    let mut all = Statements { sql, at: 0, line: 1 };
    std::iter::from_fn(move || {
        let (token, from, _) = all.token().ok()??;
        Some((token, from..all.at))
    })
}

/// The statements of a file, one after the other. Ends after the first error.
pub fn statements(sql: &str) -> Statements<'_> {
    Statements { sql, at: 0, line: 1 }
}

/// See [`statements`].
pub struct Statements<'a> {
    sql: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Iterator for Statements<'a> {
    type Item = Result<Statement<'a>, Unclosed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.statement() {
                Ok(Some(statement)) if statement.head.is_empty() => {}
                Ok(found) => return found.map(Ok),
                Err(error) => {
                    self.at = self.sql.len();
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<'a> Statements<'a> {
    /// The next statement, perhaps an empty one; `None` at the end of the file.
    fn statement(&mut self) -> Result<Option<Statement<'a>>, Unclosed> {
        let mut statement = Statement { text: "", line: 0, head: Vec::new() };
        let (mut start, mut end) = (None, self.at);
        let (mut parentheses, mut blocks) = (0_usize, 0_usize);
        let mut last_word = "";
        while let Some((token, from, line)) = self.token()? {
            if token == Token::Mark(';') && parentheses == 0 && blocks == 0 {
                return Ok(Some(statement));
            }
            match token {
                Token::Mark('(') => parentheses += 1,
                Token::Mark(')') => parentheses = parentheses.saturating_sub(1),
                Token::Word(word) => {
                    blocks = depth(blocks, last_word, word, &statement);
                    last_word = word;
                }
                _ => {}
            }
            if start.is_none() {
                start = Some(from);
                statement.line = line;
            }
            end = end.max(self.at);
            statement.text = &self.sql[start.unwrap_or(from)..end];
            if statement.head.len() < HEAD {
                statement.head.push(token);
            }
        }
        Ok((!statement.head.is_empty()).then_some(statement))
    }

    /// The next token, where it begins, and on which line.
    fn token(&mut self) -> Result<Option<(Token<'a>, usize, usize)>, Unclosed> {
        self.skip_blanks()?;
        let (from, line) = (self.at, self.line);
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let token = match first {
            '\'' => Token::Text(self.quoted('\'', false, "a quoted text")?),
            '"' => Token::Quoted(self.quoted('"', false, "a quoted name")?),
            '$' => match self.dollar_tag() {
                Some(tag) => Token::Text(self.dollar_quoted(tag)?),
                None => self.mark(first),
            },
            _ if is_name(first) => {
                let length = self.rest().find(|char| !is_name(char) && char != '$').unwrap_or(self.rest().len());
                let word = &self.rest()[..length];
                self.at += length;
                if word.eq_ignore_ascii_case("e") && self.rest().starts_with('\'') {
                    Token::Text(self.quoted('\'', true, "a quoted text")?)
                } else {
                    Token::Word(word)
                }
            }
            _ => self.mark(first),
        };
        Ok(Some((token, from, line)))
    }

    fn rest(&self) -> &'a str {
        &self.sql[self.at..]
    }

    fn mark(&mut self, mark: char) -> Token<'a> {
        self.at += mark.len_utf8();
        Token::Mark(mark)
    }

    /// Goes on by so many bytes, counting lines.
    fn pass(&mut self, bytes: usize) -> &'a str {
        let passed = &self.rest()[..bytes];
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
        self.at += bytes;
        passed
    }

    fn skip_blanks(&mut self) -> Result<(), Unclosed> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank > 0 {
                self.pass(blank);
            } else if rest.starts_with("--") {
                self.pass(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn comment(&mut self) -> Result<(), Unclosed> {
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

    /// A quote doubled stands for itself; a backslash escapes only in `E'…'`.
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

/// How deep in `BEGIN ATOMIC … END` of a function's body we are after this word. `CASE` ends with `END` too.
fn depth(blocks: usize, last_word: &str, word: &str, statement: &Statement<'_>) -> usize {
    let routine = statement.head.first().is_some_and(|first| first.is("create"))
        && (statement.mentions("function") || statement.mentions("procedure"));
    if !routine {
        return 0;
    }
    let opens = if blocks == 0 {
        last_word.eq_ignore_ascii_case("begin") && word.eq_ignore_ascii_case("atomic")
    } else {
        word.eq_ignore_ascii_case("case")
    };
    match (opens, word.eq_ignore_ascii_case("end")) {
        (true, _) => blocks + 1,
        (false, true) => blocks.saturating_sub(1),
        (false, false) => blocks,
    }
}

#[cfg(test)]
mod tests;
