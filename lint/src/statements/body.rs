//! Whether we are inside of something where a semicolon ends no statement.

use super::{Grammar, Statement, Token};
use crate::mysql::statements::Blocks;

/// What is open in a statement.
pub(super) enum Body {
    /// Parentheses, and `BEGIN ATOMIC … END` of a routine.
    PostgreSql {
        parentheses: usize,
        blocks: usize,
        begins: bool,
    },
    MySql(Blocks),
}

impl Body {
    pub(super) fn of(grammar: Grammar) -> Self {
        match grammar {
            Grammar::PostgreSql => Self::PostgreSql { parentheses: 0, blocks: 0, begins: false },
            Grammar::MySql => Self::MySql(Blocks::default()),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::PostgreSql { parentheses, blocks, .. } => *parentheses > 0 || *blocks > 0,
            Self::MySql(blocks) => blocks.are_open(),
        }
    }

    /// The next token of the statement that has begun with that.
    pub(super) fn meets(&mut self, token: Token<'_>, statement: &Statement<'_>) {
        match self {
            Self::PostgreSql { parentheses, blocks, begins } => match token {
                Token::Mark('(') => *parentheses += 1,
                Token::Mark(')') => *parentheses = parentheses.saturating_sub(1),
                Token::Word(word) => {
                    *blocks = depth(*blocks, *begins, word, statement);
                    *begins = token.is("begin");
                }
                _ => {}
            },
            Self::MySql(blocks) => blocks.meets(token),
        }
    }
}
/// How deep in `BEGIN ATOMIC … END` of a function's body we are after this word; `begins` is whether it follows a `BEGIN`. `CASE`
/// ends with `END` too.
fn depth(blocks: usize, begins: bool, word: &str, statement: &Statement<'_>) -> usize {
    let routine = statement.head.first().is_some_and(|first| first.is("create"))
        && (statement.mentions("function") || statement.mentions("procedure"));
    if !routine {
        return 0;
    }
    let opens =
        if blocks == 0 { begins && word.eq_ignore_ascii_case("atomic") } else { word.eq_ignore_ascii_case("case") };
    match (opens, word.eq_ignore_ascii_case("end")) {
        (true, _) => blocks + 1,
        (false, true) => blocks.saturating_sub(1),
        (false, false) => blocks,
    }
}
