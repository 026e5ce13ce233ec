//! A file taken apart into what is judged: its statements, those inside of `DO` blocks, and those inside of others.

mod variables;

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{Parse, SourceFile, SyntaxKind, SyntaxNode};

use crate::statements::{Statement, Token, statements, tokens};
use variables::without_variables;

/// Bytes of a statement that is read at most: its tree takes fifty times its room, and deep ones much time.
const LONGEST: usize = 64 * 1024;

/// PostgreSQL itself reads no deeper than some thousand, and our reader would run out of stack.
const DEEPEST: usize = 1000;

/// Tokens between two commas, semicolons or closing parentheses: `1 + 1 + 1 …` is a tree as deep as it is long, and squawk's time
/// for it grows with the square.
const LONGEST_CHAIN: usize = 4000;

/// So many blocks and texts may be inside of one another.
const MOST_NESTED: usize = 8;

const UNKNOWN: &str = "its grammar is not known here";

/// Which statement of its file, and which unit of that.
pub(crate) type Place = (usize, usize);

/// One statement, parsed on its own.
pub(crate) struct Unit {
    /// As written; comments are blanks.
    pub(crate) text: String,
    /// The line of the file it begins on, counted from 1.
    pub(crate) line: usize,
    pub(crate) at: Place,
    pub(crate) parse: Parse<SourceFile>,
    /// Whether it stands in a block of PL/pgSQL, where `SELECT … INTO` makes no table.
    pub(crate) in_block: bool,
    /// Whether it runs in a loop that commits as it goes: its locks are short.
    pub(crate) in_batches: bool,
    /// Why nobody can see what it does.
    pub(crate) opaque: Option<&'static str>,
}

impl Unit {
    /// The statement; `None` where it cannot be read.
    pub(crate) fn stmt(&self) -> Option<ast::Stmt> {
        match self.opaque {
            None => self.parse.tree().stmts().find(|stmt| !matches!(stmt, ast::Stmt::EmptyStmt(_))),
            Some(_) => None,
        }
    }

    fn new(text: String, line: usize) -> Self {
        let parse = SourceFile::parse(&text);
        let opaque = (!parse.errors().is_empty() || !is_whole(&parse)).then_some(UNKNOWN);
        Self { text, line, at: (0, 0), parse, in_block: false, in_batches: false, opaque }
    }

    fn unreadable(text: impl Into<String>, line: usize, why: &'static str) -> Self {
        let parse = SourceFile::parse("");
        Self { opaque: Some(why), text: text.into(), line, at: (0, 0), parse, in_block: false, in_batches: false }
    }
}

/// What a file does, in its order; one at a time, for all trees of a file together need not fit.
pub(crate) fn units(sql: &str) -> impl Iterator<Item = Unit> {
    units_where(sql, |statement| !only_inserts(statement))
}

/// Those of them that may make something.
pub(crate) fn makers(sql: &str) -> impl Iterator<Item = Unit> {
    units_where(sql, |statement| statement.starts_with(&["create"]) || statement.starts_with(&["do"]))
}

fn units_where(sql: &str, wanted: fn(&Statement<'_>) -> bool) -> impl Iterator<Item = Unit> {
    let sql = sql.strip_prefix('\u{feff}').unwrap_or(sql);
    statements(sql).enumerate().flat_map(move |(number, statement)| {
        let units = match statement {
            Ok(statement) if !wanted(&statement) => Vec::new(),
            Ok(statement) => units_of(statement.text, statement.line, 0),
            Err(unclosed) => vec![Unit::unreadable(unclosed.what, unclosed.line, "it is opened here and never closed")],
        };
        units.into_iter().enumerate().map(move |(part, unit)| Unit { at: (number, part), ..unit })
    })
}

/// Rows that are added are nobody's yet, and seeds are long. Only behind a `WITH` something else may be done.
fn only_inserts(statement: &Statement<'_>) -> bool {
    statement.starts_with(&["insert"]) && !statement.tokens().any(|token| token.is("with"))
}

/// A statement, and what it does besides.
fn units_of(text: &str, line: usize, nested: usize) -> Vec<Unit> {
    if let Some(why) = unread(text, nested) {
        return vec![Unit::unreadable(text, line, why)];
    }
    let unit = Unit::new(read_by_us(text), line);
    match unit.stmt() {
        Some(ast::Stmt::Do(block)) => unfold(&block, &unit, nested),
        Some(stmt) => {
            let mut units = inside(&stmt, &unit);
            units.push(unit);
            units
        }
        None => vec![unit],
    }
}

/// Why a text is not even tried.
fn unread(text: &str, nested: usize) -> Option<&'static str> {
    if text.len() > LONGEST {
        Some("it has more than 64 KiB")
    } else if nested > MOST_NESTED {
        Some("its blocks are nested too deep")
    } else if is_too_deep(text) {
        Some("it is nested too deep")
    } else {
        None
    }
}

/// Whether reading it would take more stack or time than anybody has. What stands in dollar quotes may be a block.
fn is_too_deep(text: &str) -> bool {
    let (mut depth, mut chain) = (0_usize, 0);
    tokens(text).any(|(token, _)| {
        chain += 1;
        match token {
            Token::Mark('(' | '[') => depth += 1,
            Token::Mark(')' | ']') => (depth, chain) = (depth.saturating_sub(1), 0),
            Token::Mark(',' | ';') => chain = 0,
            Token::Text(body) if body.starts_with('$') => return is_too_deep(body.trim_matches('$')),
            _ => {}
        }
        depth > DEEPEST || chain > LONGEST_CHAIN
    })
}

/// Whether it is one statement and nothing else: what the parser skips must not pass for safe.
fn is_whole(parse: &Parse<SourceFile>) -> bool {
    let mut statements = 0;
    parse.syntax_node().children_with_tokens().filter(|element| !element.kind().is_trivia()).all(|element| {
        let statement = element.as_node().is_some_and(|node| ast::Stmt::can_cast(node.kind()));
        statements += 1;
        statement && statements == 1
    })
}

/// What is done by parts of a statement: `WITH … AS (DELETE …)`, `EXPLAIN ANALYZE …`, `PREPARE … AS …`.
fn inside(stmt: &ast::Stmt, whole: &Unit) -> Vec<Unit> {
    let runs = match stmt {
        ast::Stmt::Explain(explain) => is_run(explain),
        _ => !["create", "alter"].contains(&crate::subject::words(stmt, 1).concat().as_str()),
    };
    let mut units = Vec::new();
    for node in stmt.syntax().descendants().filter(|node| runs && node != stmt.syntax()) {
        use SyntaxKind::{DELETE, EXECUTE, MERGE, UPDATE};
        if matches!(node.kind(), DELETE | EXECUTE | MERGE | UPDATE) {
            let before = usize::from(node.text_range().start());
            let text = node.text().to_string();
            let blank = text.len() - text.trim_start().len();
            let line = whole.line + line_of(&whole.text, before + blank) - 1;
            units.push(Unit { in_block: whole.in_block, ..Unit::new(trimmed(&node), line) });
        }
    }
    units
}

/// Whether an `EXPLAIN` runs what it explains.
fn is_run(explain: &ast::Explain) -> bool {
    let Some(mode) = explain.explain_mode() else { return false };
    let words: Vec<String> = mode
        .syntax()
        .descendants_with_tokens()
        .filter_map(|element| element.into_token())
        .filter(|token| !token.kind().is_trivia())
        .map(|token| token.text().to_lowercase())
        .collect();
    let at = words.iter().position(|word| word == "analyze" || word == "analyse");
    at.is_some_and(|at| {
        !words.get(at + 1).is_some_and(|word| ["false", "off", "0", "'false'", "'off'"].contains(&word.as_str()))
    })
}

/// What a `DO` block does. Conditions are taken for true, and every handler for reached.
fn unfold(block: &ast::Do, whole: &Unit, nested: usize) -> Vec<Unit> {
    let unreadable = |why| vec![Unit::unreadable(whole.text.clone(), whole.line, why)];
    let Some(body) = block.plpgsql() else { return unreadable("a DO block in another language than PL/pgSQL") };
    if !body.errors().is_empty() {
        return unreadable("the grammar of its block is not known here");
    }
    let line = |node: &SyntaxNode| {
        whole.line + line_of(&whole.text, usize::from(body.source_range(node.text_range()).start())) - 1
    };
    let mut units = Vec::new();
    let mut ahead = vec![body.syntax().clone()];
    while let Some(node) = ahead.pop() {
        let found = if ast::Stmt::can_cast(node.kind()) {
            units_of(&statement_of_block(&node), line(&node), nested + 1)
        } else {
            let mut parts: Vec<SyntaxNode> = node.children().collect();
            parts.reverse();
            ahead.extend(parts);
            match run_text(&node) {
                Some(query) => executed(&query, &node, line(&node), nested + 1),
                None => continue,
            }
        };
        let in_batches = commits_as_it_goes(&node);
        units.extend(found.into_iter().map(|unit| Unit { in_block: true, in_batches, ..unit }));
    }
    units
}

/// The statements of `EXECUTE '…'`, all told to be on its line.
fn executed(query: &ast::PlpgsqlExpr, node: &SyntaxNode, line: usize, nested: usize) -> Vec<Unit> {
    let Some(sql) = literal(query) else {
        return vec![Unit::unreadable(trimmed(node), line, "its SQL is put together when it runs")];
    };
    let units = statements(&sql).flat_map(|statement| match statement {
        Ok(statement) => units_of(statement.text, line, nested),
        Err(_) => vec![Unit::unreadable(trimmed(node), line, UNKNOWN)],
    });
    units.map(|unit| Unit { line, ..unit }).collect()
}

/// A statement of a block as the database gets it, without where its result goes.
fn statement_of_block(node: &SyntaxNode) -> String {
    let mut text = String::new();
    for token in node.descendants_with_tokens().filter_map(|element| element.into_token()) {
        let into = token.parent_ancestors().any(|above| above.kind() == SyntaxKind::PLPGSQL_INTO_CLAUSE);
        match token.kind() {
            _ if into => {}
            // The same to the database.
            SyntaxKind::PERFORM_KW => text.push_str("select"),
            _ => text.push_str(token.text()),
        }
    }
    text.trim().trim_end_matches(';').trim_end().to_owned()
}

/// What `EXECUTE …`, `FOR … IN EXECUTE …`, `RETURN QUERY EXECUTE …` and `OPEN … FOR EXECUTE …` run.
fn run_text(node: &SyntaxNode) -> Option<ast::PlpgsqlExpr> {
    let executes = node.children_with_tokens().any(|child| child.kind() == SyntaxKind::EXECUTE_KW);
    executes.then(|| node.children().find_map(ast::PlpgsqlExpr::cast)).flatten()
}

/// Whether it stands in a loop that commits.
fn commits_as_it_goes(node: &SyntaxNode) -> bool {
    let commits = |above: &SyntaxNode| above.descendants().any(|node| node.kind() == SyntaxKind::PLPGSQL_COMMIT_STMT);
    node.ancestors().skip(1).any(|above| {
        use SyntaxKind::{
            PLPGSQL_FOR_CURSOR_STMT, PLPGSQL_FOR_DYN_STMT, PLPGSQL_FOR_EACH_STMT, PLPGSQL_FOR_I_STMT,
            PLPGSQL_FOR_QUERY_STMT, PLPGSQL_LOOP_STMT, PLPGSQL_WHILE_STMT,
        };
        let loops = matches!(
            above.kind(),
            PLPGSQL_FOR_CURSOR_STMT
                | PLPGSQL_FOR_DYN_STMT
                | PLPGSQL_FOR_EACH_STMT
                | PLPGSQL_FOR_I_STMT
                | PLPGSQL_FOR_QUERY_STMT
                | PLPGSQL_LOOP_STMT
                | PLPGSQL_WHILE_STMT
        );
        loops && commits(&above)
    })
}

/// The text of `'…'`, where it is nothing but that.
fn literal(query: &ast::PlpgsqlExpr) -> Option<String> {
    let whole = trimmed(query.syntax());
    let literal = query.syntax().descendants().find_map(ast::Literal::cast)?;
    (trimmed(literal.syntax()) == whole).then(|| Some(literal.decoded_value()?.into_text()))?
}

/// The same text as squawk can read it.
fn read_by_us(text: &str) -> String {
    let mut plain = without_comments(text);
    let is_block = statements(&plain).next().is_some_and(|first| first.is_ok_and(|it| it.starts_with(&["do"])));
    let dollars = |(token, place): (Token<'_>, Range<usize>)| match token {
        Token::Text(text) if is_block && text.starts_with('$') => {
            let tag = text[1..].find('$')? + 2;
            Some(place.start + tag..place.end - tag)
        }
        _ => None,
    };
    let bodies: Vec<Range<usize>> = tokens(&plain).filter_map(dollars).collect();
    for body in bodies {
        let block = without_variables(&plain[body.clone()]);
        plain.replace_range(body, &block);
    }
    plain
}

/// The same text with blanks where comments stood: a comment allows nothing, and the places stay the same.
fn without_comments(sql: &str) -> String {
    if !sql.contains("--") && !sql.contains("/*") {
        return sql.to_owned();
    }
    let mut text = String::with_capacity(sql.len());
    let parse = SourceFile::parse(sql);
    for token in parse.syntax_node().descendants_with_tokens().filter_map(|element| element.into_token()) {
        if token.kind() == SyntaxKind::COMMENT {
            for char in token.text().chars() {
                if char == '\n' { text.push('\n') } else { text.extend(std::iter::repeat_n(' ', char.len_utf8())) }
            }
        } else {
            text.push_str(token.text());
        }
    }
    text
}

fn trimmed(node: &SyntaxNode) -> String {
    node.text().to_string().trim().trim_end_matches(';').trim_end().to_owned()
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
