//! A file taken apart into what is judged: its statements, and those inside of `DO` blocks.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{Parse, SourceFile, SyntaxKind, SyntaxNode};

/// One statement, parsed on its own.
pub(crate) struct Unit {
    /// As written; comments are blanks.
    pub(crate) text: String,
    /// The line of the file it begins on, counted from 1.
    pub(crate) line: usize,
    pub(crate) parse: Parse<SourceFile>,
    /// Whether it runs in a loop that commits as it goes: its locks are short.
    pub(crate) in_batches: bool,
    /// Why nobody can see what it does.
    pub(crate) opaque: Option<&'static str>,
}

impl Unit {
    /// The statement; `None` where it cannot be read.
    pub(crate) fn stmt(&self) -> Option<ast::Stmt> {
        self.parse.tree().stmts().find(|stmt| !matches!(stmt, ast::Stmt::EmptyStmt(_)))
    }

    fn new(text: String, line: usize, in_batches: bool) -> Self {
        let parse = SourceFile::parse(&text);
        let opaque = (!parse.errors().is_empty()).then_some("its grammar is not known here");
        Self { text, line, parse, in_batches, opaque }
    }

    fn unreadable(text: String, line: usize, why: &'static str) -> Self {
        Self { opaque: Some(why), ..Self::new(text, line, false) }
    }
}

/// PostgreSQL itself reads no deeper than some thousand, and our reader would run out of stack.
const DEEPEST: usize = 1000;

/// What a file does, in its order.
pub(crate) fn units(sql: &str) -> Vec<Unit> {
    if let Some(line) = too_deep(sql) {
        return vec![Unit { line, ..Unit::unreadable(String::new(), 1, "its parentheses are nested too deep") }];
    }
    let text = without_comments(sql.strip_prefix('\u{feff}').unwrap_or(sql));
    let mut units = Vec::new();
    for part in parts(&SourceFile::parse(&text)) {
        let line = line_of(&text, part.start);
        let statement = text[part.start..part.end].trim().trim_end_matches(';').trim_end().to_owned();
        if !part.whole {
            units.push(Unit::unreadable(statement, line, "its grammar is not known here"));
            continue;
        }
        let unit = Unit::new(statement, line, false);
        match unit.stmt() {
            Some(ast::Stmt::Do(block)) if unit.opaque.is_none() => units.extend(unfold(&block, &unit)),
            _ => units.push(unit),
        }
    }
    units
}

/// The line on which parentheses are nested too deep, those in texts aside.
fn too_deep(sql: &str) -> Option<usize> {
    let (mut depth, mut line, mut quoted) = (0_usize, 1, false);
    for byte in sql.bytes() {
        match byte {
            b'\n' => line += 1,
            b'\'' => quoted = !quoted,
            b'(' | b'[' if !quoted => depth += 1,
            b')' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return Some(line);
        }
    }
    None
}

/// From the first token of a statement to its semicolon.
struct Part {
    start: usize,
    end: usize,
    /// Whether it is one statement, and nothing of it was left over.
    whole: bool,
}

/// Everything in the file is part of something: what the parser skips must not pass for safe.
fn parts(parse: &Parse<SourceFile>) -> Vec<Part> {
    let (mut parts, mut open) = (Vec::new(), None::<Part>);
    for element in parse.syntax_node().children_with_tokens() {
        if element.kind().is_trivia() {
            continue;
        }
        let node = element.as_node();
        let empty = node.is_some_and(|node| node.kind() == SyntaxKind::EMPTY_STMT);
        let statement = node.is_some_and(|node| ast::Stmt::cast(node.clone()).is_some());
        let (start, end) = match node {
            Some(node) => (start(node), usize::from(node.text_range().end())),
            None => (usize::from(element.text_range().start()), usize::from(element.text_range().end())),
        };
        let closed = node.map_or(element.kind() == SyntaxKind::SEMICOLON, closes);
        match &mut open {
            Some(part) => {
                part.end = end;
                part.whole &= empty;
            }
            None if empty => {}
            None => open = Some(Part { start, end, whole: statement }),
        }
        if closed {
            parts.extend(open.take());
        }
    }
    parts.extend(open);
    parts
}

fn closes(node: &SyntaxNode) -> bool {
    node.last_token().is_some_and(|token| token.kind() == SyntaxKind::SEMICOLON)
}

/// What a `DO` block does. Conditions are taken for true, and every handler for reached.
fn unfold(block: &ast::Do, whole: &Unit) -> Vec<Unit> {
    let unreadable = |why| vec![Unit::unreadable(whole.text.clone(), whole.line, why)];
    let Some(body) = block.plpgsql() else { return unreadable("a DO block in another language than PL/pgSQL") };
    if !body.errors().is_empty() {
        return unreadable("the grammar of its block is not known here");
    }
    let line = |node: &SyntaxNode| {
        whole.line + line_of(&whole.text, usize::from(body.source_range(node.text_range()).start())) - 1
    };
    let commits = body.syntax().descendants().any(|node| node.kind() == SyntaxKind::PLPGSQL_COMMIT_STMT);
    let mut units = Vec::new();
    for node in body.syntax().descendants() {
        if let Some(statement) = ast::PlpgsqlExecSqlStmt::cast(node.clone()) {
            if let Some(stmt) = statement.stmt() {
                units.push(Unit::new(trimmed(stmt.syntax()), line(&node), commits));
            }
        } else if let Some(execute) = ast::PlpgsqlDynExecuteStmt::cast(node.clone()) {
            match literal(&execute) {
                Some(sql) => units.extend(self::units(&sql).into_iter().map(|unit| Unit {
                    line: line(&node),
                    in_batches: commits,
                    ..unit
                })),
                None => {
                    units.push(Unit::unreadable(trimmed(&node), line(&node), "its SQL is put together when it runs"))
                }
            }
        }
    }
    units
}

/// The text of `EXECUTE '…'`, where it is nothing but that.
fn literal(execute: &ast::PlpgsqlDynExecuteStmt) -> Option<String> {
    let query = execute.query()?;
    let whole = trimmed(query.syntax());
    let literal = query.syntax().descendants().find_map(ast::Literal::cast)?;
    (trimmed(literal.syntax()) == whole).then(|| Some(literal.decoded_value()?.into_text()))?
}

/// The same text with blanks where comments stood: a comment allows nothing, and the places stay the same.
fn without_comments(sql: &str) -> String {
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

fn start(node: &SyntaxNode) -> usize {
    let first = node.descendants_with_tokens().filter_map(|it| it.into_token()).find(|token| !token.kind().is_trivia());
    usize::from(first.map_or_else(|| node.text_range().start(), |token| token.text_range().start()))
}

fn trimmed(node: &SyntaxNode) -> String {
    node.text().to_string().trim().trim_end_matches(';').trim_end().to_owned()
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::units;

    fn told(sql: &str) -> Vec<String> {
        let told = |unit: super::Unit| match unit.opaque {
            Some(why) => format!("{}: {} ({why})", unit.line, unit.text),
            None => format!("{}: {}", unit.line, unit.text),
        };
        units(sql).into_iter().map(told).collect()
    }

    #[test]
    fn statements_are_told_with_their_lines_and_without_comments() {
        let sql = "-- no-transaction\n/* a; */ create table a ();\n\n  drop -- not now\n table b;\n;";
        assert_eq!(told(sql), ["2: create table a ()", "4: drop           \n table b"]);
    }

    #[test]
    fn a_do_block_is_unfolded() {
        let sql = "select 1;\ndo $$\nbegin\n  if not exists (select 1) then\n    alter table a add b int;\n  end if;\n  \
                   execute 'drop table a';\n  raise notice 'x';\nexception when others then null;\nend $$;";
        assert_eq!(told(sql), ["1: select 1", "5: alter table a add b int", "7: drop table a"]);
    }

    #[test]
    fn what_is_put_together_at_run_time_is_opaque() {
        let sql = "do $$ begin execute format('drop table %I', 'a'); end $$;";
        assert_eq!(told(sql), ["1: execute format('drop table %I', 'a') (its SQL is put together when it runs)"]);
        let python = told("do $$ pass $$ language plpython3u;");
        assert_eq!(python.len(), 1);
        assert!(python[0].ends_with("(a DO block in another language than PL/pgSQL)"), "{python:?}");
    }

    #[test]
    fn what_is_nested_too_deep_is_not_read() {
        let deep = format!("select 1;\nselect {}1{};", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(told(&deep), ["2:  (its parentheses are nested too deep)"]);
        let texts = format!("select '{}'", "(".repeat(100_000));
        assert_eq!(told(&texts).len(), 1);
        assert!(units(&texts)[0].opaque.is_none());
    }

    #[test]
    fn a_loop_that_commits_runs_in_batches() {
        let sql =
            "do $$ begin loop update a set b = 1 where id in (select id from a limit 10); commit; end loop; end $$";
        assert!(units(sql)[0].in_batches);
    }
}
