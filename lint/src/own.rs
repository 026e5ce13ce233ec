//! What squawk does not look for.

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode, Stmt};

use crate::facts::{FEW_ROWS, Facts};
use crate::finding::Verdict;
use crate::subject::words;
use crate::unit::Unit;

const REWRITE: &str = "everything waits while the table is rewritten";
const APART: &str = "do it apart from deployments, when nobody uses the table";
const NOT_VALID: &str = "add the column alone, the constraint NOT VALID, and VALIDATE CONSTRAINT in the next file";
const LATER: &str = "take it away in a later version, once no running version needs it";
const BATCHES: &str = "fill the rows in batches: a file that begins with \"-- no-transaction\" with a loop that changes some \
                       thousand rows (LIMIT) and commits";

/// What this statement does to blue, as far as squawk does not say it.
pub(crate) fn verdicts(unit: &Unit, stmt: &Stmt, facts: &Facts) -> Vec<(Verdict, Option<ast::AlterTableAction>)> {
    if let Stmt::AlterTable(alter) = stmt {
        return alter.actions().filter_map(|action| Some((of_action(&action)?, Some(action)))).collect();
    }
    of_statement(unit, stmt, facts).into_iter().map(|verdict| (verdict, None)).collect()
}

fn of_statement(unit: &Unit, stmt: &Stmt, facts: &Facts) -> Option<Verdict> {
    Some(match stmt {
        Stmt::Update(update) => return rows(unit, stmt, facts, update.where_clause_or_current_of().is_some()),
        Stmt::Delete(delete) if delete.where_clause_or_current_of().is_none() => {
            Verdict::breaks("its rows are gone", LATER)
        }
        Stmt::Delete(_) | Stmt::Merge(_) => return rows(unit, stmt, facts, true),
        Stmt::Select(select) if locks(select) => return rows(unit, stmt, facts, select.where_clause().is_some()),
        Stmt::Truncate(_) => Verdict::breaks("its rows are gone", LATER),
        Stmt::Lock(_) => Verdict::blocks("its queries wait until the file is committed", "leave the lock out"),
        Stmt::Refresh(refresh) if refresh.concurrently_token().is_none() => Verdict::blocks(
            "its reads of the view wait until it is filled",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index",
        ),
        Stmt::Cluster(_) => Verdict::blocks(REWRITE, APART),
        Stmt::Vacuum(_) if mentions(stmt, "full") => Verdict::blocks(REWRITE, APART),
        Stmt::AlterType(alter) => return of_type(alter),
        Stmt::AlterIndex(_) if mentions(stmt, "tablespace") => Verdict::blocks(REWRITE, APART),
        Stmt::DropRole(_) | Stmt::DropUser(_) | Stmt::DropOwned(_) => {
            Verdict::breaks("its login or its rights may be gone", LATER)
        }
        Stmt::AlterRole(_) | Stmt::AlterUser(_)
            if ["password", "nologin", "valid", "connection"].iter().any(|word| mentions(stmt, word)) =>
        {
            Verdict::breaks("its login may be refused", "change logins apart from deployments")
        }
        Stmt::Call(_) => {
            Verdict::opaque("nobody can see what the procedure does", "write its statements into the file")
        }
        Stmt::Execute(_) => Verdict::opaque(
            "nobody can see what the prepared statement does",
            "write the statement itself into the file",
        ),
        Stmt::CreateTrigger(_) | Stmt::CreateRule(_) => {
            Verdict::remark("blue's writes run what this adds", "make sure that blue survives it")
        }
        _ => return None,
    })
}

/// Rows that are changed stay locked until the transaction ends. `chosen` is whether a condition says which.
fn rows(unit: &Unit, stmt: &Stmt, facts: &Facts, chosen: bool) -> Option<Verdict> {
    if chosen && unit.in_batches {
        return None;
    }
    let many = match facts.rows.get(&unit.text) {
        Some(rows) if *rows < FEW_ROWS => return None,
        Some(rows) => format!("about {rows} rows stay locked until the file is committed; its writes of them wait"),
        None if is_limited(stmt) => return None,
        None if chosen => {
            "nobody knows how many rows it touches; each stays locked until the file is committed".to_owned()
        }
        None => "every row stays locked until the file is committed; its writes of them wait".to_owned(),
    };
    Some(Verdict::blocks(many, BATCHES))
}

/// Whether `LIMIT` keeps the rows few: in what chooses them, not in the values they are given.
fn is_limited(stmt: &Stmt) -> bool {
    stmt.syntax().descendants().filter_map(ast::LimitClause::cast).any(|limit| {
        let value = limit.limit_value().map(|value| value.syntax().text().to_string());
        let few = value
            .is_some_and(|value| value.trim().parse::<u64>().map_or(value.trim() != "all", |rows| rows <= FEW_ROWS));
        let chooses = |above: squawk_syntax::SyntaxNode| {
            !ast::SetClause::can_cast(above.kind()) && !ast::ReturningClause::can_cast(above.kind())
        };
        few && limit.syntax().ancestors().all(chooses)
    })
}

/// Whether the planner can say how many rows it locks.
pub(crate) fn locks_rows(stmt: &Stmt) -> bool {
    match stmt {
        Stmt::Update(_) | Stmt::Delete(_) | Stmt::Merge(_) => true,
        Stmt::Select(select) => locks(select),
        _ => false,
    }
}

fn locks(select: &ast::Select) -> bool {
    select.syntax().descendants().any(|node| ast::LockingClause::can_cast(node.kind()))
}

fn of_type(alter: &ast::AlterType) -> Option<Verdict> {
    use ast::AlterTypeAction::{AlterTypeAttributeActionList, RenameAttribute, RenameValue};
    match alter.action()? {
        RenameValue(_) | RenameAttribute(_) => Some(Verdict::breaks(
            "its queries that use the old name fail",
            "add the new name beside the old one, and move over in later versions",
        )),
        AlterTypeAttributeActionList(list) => {
            let list = list.syntax().text().to_string().to_ascii_lowercase();
            (list.contains("drop") || list.contains("alter")).then(|| {
                Verdict::breaks("its queries that use the attribute fail", "change the type in a later version")
            })
        }
        _ => None,
    }
}

fn of_action(action: &ast::AlterTableAction) -> Option<Verdict> {
    use ast::AlterTableAction as Action;
    match action {
        Action::AddColumn(add) => of_new_column(add),
        Action::AddConstraint(add) => matches!(add.constraint()?, ast::Constraint::ExcludeConstraint(_))
            .then(|| Verdict::blocks("everything waits until its index is built", APART)),
        Action::SetTablespace(_) | Action::SetLogged(_) | Action::SetUnlogged(_) | Action::SetAccessMethod(_) => {
            Some(Verdict::blocks(REWRITE, APART))
        }
        Action::AlterColumn(alter) => match alter.option()? {
            ast::AlterColumnOption::AddGenerated(add) if kinds(&add).contains(&SyntaxKind::ALWAYS_KW) => {
                Some(Verdict::breaks("its INSERTs that bring their own id fail", "say BY DEFAULT instead of ALWAYS"))
            }
            _ => None,
        },
        Action::OwnerTo(_) => Some(
            Verdict::breaks("it may lose the rights of the owner", "GRANT what blue needs in the same file").remarked(),
        ),
        _ => None,
    }
}

/// A new column with more than a constant default.
fn of_new_column(add: &ast::AddColumn) -> Option<Verdict> {
    let serial = add.ty().is_some_and(|kind| kind.syntax().text().to_string().to_ascii_lowercase().contains("serial"));
    let constraints: Vec<_> = add.constraints().collect();
    let has = |wanted: fn(&ast::Constraint) -> bool| constraints.iter().any(wanted);
    let identity = constraints.iter().any(|it| {
        matches!(it, ast::Constraint::GeneratedConstraint(_)) && kinds(it).contains(&SyntaxKind::IDENTITY_KW)
    });
    if serial || identity {
        let instead = "add the column alone, let new rows count by a DEFAULT, and fill the old rows in batches";
        return Some(Verdict::blocks(REWRITE, instead));
    }
    let filled = has(|it| matches!(it, ast::Constraint::DefaultConstraint(_)));
    if has(|it| matches!(it, ast::Constraint::UniqueConstraint(_) | ast::Constraint::PrimaryKeyConstraint(_))) {
        return Some(Verdict::blocks(
            "everything waits until its index is built",
            "add the column alone, and its index CONCURRENTLY",
        ));
    }
    if has(|it| matches!(it, ast::Constraint::CheckConstraint(_)))
        || (filled && has(|it| matches!(it, ast::Constraint::ReferencesConstraint(_))))
    {
        return Some(Verdict::blocks("everything waits while every row is checked", NOT_VALID));
    }
    None
}

fn kinds(node: &impl AstNode) -> Vec<SyntaxKind> {
    node.syntax().descendants_with_tokens().map(|element| element.kind()).collect()
}

fn mentions(stmt: &Stmt, word: &str) -> bool {
    words(stmt, usize::MAX).iter().any(|found| found == word)
}
