//! Goes through the tokens of a statement.

use super::name;
use crate::name::Name;
use crate::statements::{Lexed, Token};

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'r, 'a> {
    tokens: &'r [Lexed<'a>],
    /// Where a table without its database is found, once `USE` has told another.
    database: Option<&'r str>,
}

impl<'r, 'a> Reader<'r, 'a> {
    pub(super) fn new(tokens: &'r [Lexed<'a>], database: Option<&'r str>) -> Self {
        Self { tokens, database }
    }

    fn of(self, tokens: &'r [Lexed<'a>]) -> Self {
        Self { tokens, ..self }
    }

    pub(super) fn rest(&self) -> &'r [Lexed<'a>] {
        self.tokens
    }

    /// Nothing.
    pub(super) fn end(self) -> Self {
        self.of(&[])
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(super) fn peek(&self) -> Option<Token<'a>> {
        self.tokens.first().map(|lexed| lexed.token)
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.token)
    }

    /// Whether these words come next.
    pub(super) fn is(&self, words: &[&str]) -> bool {
        words.len() <= self.tokens.len() && self.tokens.iter().zip(words).all(|(lexed, word)| lexed.token.is(word))
    }

    /// Passes these words, if they come next.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let are_next = self.is(words);
        if are_next {
            self.tokens = &self.tokens[words.len()..];
        }
        are_next
    }

    /// Passes one of these words, if it comes next.
    pub(super) fn eat_any(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|word| self.eat(&[word]))
    }

    pub(super) fn mark(&mut self, mark: char) -> bool {
        let is_next = self.peek() == Some(Token::Mark(mark));
        if is_next {
            self.next();
        }
        is_next
    }

    /// `IF EXISTS` and `IF NOT EXISTS`: whether it is there.
    pub(super) fn conditional(&mut self) -> bool {
        self.eat(&["if", "exists"]) || self.eat(&["if", "not", "exists"])
    }

    /// The name of a table, perhaps with its database.
    pub(super) fn table(&mut self) -> Option<Name> {
        let mut written = self.word()?.to_owned();
        let mut dotted = false;
        while self.mark('.') {
            dotted = true;
            written.push('.');
            written.push_str(self.word()?);
        }
        match self.database {
            Some(database) if !dotted => Some(name::table(&format!("{database}.{written}"))),
            _ => Some(name::table(&written)),
        }
    }

    /// The name of a column or an index.
    pub(super) fn column(&mut self) -> Option<Name> {
        self.word().map(name::column)
    }

    /// A word or a name in backticks, as written.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        match self.peek()? {
            Token::Word(word) | Token::Quoted(word) => {
                self.next();
                Some(word)
            }
            Token::Text(_) | Token::Mark(_) => None,
        }
    }

    /// What stands in the parentheses that come next.
    pub(super) fn group(&mut self) -> Option<Self> {
        if self.peek() != Some(Token::Mark('(')) {
            return None;
        }
        let mut depth = 0_usize;
        for (at, lexed) in self.tokens.iter().enumerate() {
            match lexed.token {
                Token::Mark('(') => depth += 1,
                Token::Mark(')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let inside = self.of(&self.tokens[1..at]);
                self.tokens = &self.tokens[at + 1..];
                return Some(inside);
            }
        }
        None
    }

    /// The parts between commas that stand in no parentheses.
    pub(super) fn parts(self) -> Vec<Self> {
        self.split(|token| token == Token::Mark(','))
    }

    fn split(self, between: impl Fn(Token<'_>) -> bool) -> Vec<Self> {
        let (mut parts, mut from) = (Vec::new(), 0);
        for at in self.outside() {
            if between(self.tokens[at].token) {
                parts.push(self.of(&self.tokens[from..at]));
                from = at + 1;
            }
        }
        parts.push(self.of(&self.tokens[from..]));
        parts
    }

    /// What stands before and behind the first of these words outside of parentheses.
    pub(super) fn around(self, words: &[&str]) -> Option<(Self, Self)> {
        let found = self.outside().find(|at| words.iter().any(|word| self.tokens[*at].token.is(word)))?;
        Some((self.of(&self.tokens[..found]), self.of(&self.tokens[found + 1..])))
    }

    /// Whether this word stands outside of parentheses.
    pub(super) fn has(self, word: &str) -> bool {
        self.around(&[word]).is_some()
    }

    /// Whether these words stand anywhere, one behind the other.
    pub(super) fn has_anywhere(self, words: &[&str]) -> bool {
        (0..self.tokens.len()).any(|from| self.of(&self.tokens[from..]).is(words))
    }

    /// The places of the tokens that stand in no parentheses.
    fn outside(self) -> impl Iterator<Item = usize> {
        let mut depth = 0_usize;
        self.tokens.iter().enumerate().filter_map(move |(at, lexed)| {
            match lexed.token {
                Token::Mark('(') => depth += 1,
                Token::Mark(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0).then_some(at)
        })
    }
}
