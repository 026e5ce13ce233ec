//! Which objects a statement is about, which it makes, and which it takes away.

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode, Stmt};

use crate::name::Name;

/// The objects that a statement changes; none where that is not known.
pub(crate) fn touched(stmt: &Stmt) -> Vec<Name> {
    let table = |table: Option<ast::TableRelationName>| {
        table.and_then(|table| table.table_name_ref()).map(|name| Name::of(&name)).into_iter().collect()
    };
    let relation = |relation: Option<ast::RelationName>| {
        relation.and_then(|it| it.relation_name_ref()).map(|name| Name::of(&name)).into_iter().collect()
    };
    match stmt {
        Stmt::AlterTable(alter) => table(alter.table_relation_name()),
        Stmt::CreateIndex(create) => table(create.table_relation_name()),
        Stmt::Update(update) => relation(update.relation_name()),
        Stmt::Delete(delete) => relation(delete.relation_name()),
        Stmt::CreateTrigger(create) => on(stmt, create.on_relation().map(|on| on.syntax().clone())),
        Stmt::DropTrigger(drop) => on(stmt, drop.on_relation().map(|on| on.syntax().clone())),
        Stmt::CreatePolicy(create) => on(stmt, create.on_table().map(|on| on.syntax().clone())),
        Stmt::DropPolicy(drop) => on(stmt, drop.on_table().map(|on| on.syntax().clone())),
        Stmt::Merge(_) | Stmt::Insert(_) | Stmt::Select(_) => Vec::new(),
        _ => references(stmt.syntax()),
    }
}

fn on(stmt: &Stmt, node: Option<squawk_syntax::SyntaxNode>) -> Vec<Name> {
    references(node.as_ref().unwrap_or_else(|| stmt.syntax()))
}

/// Every name that refers to something, without the schemas that are part of one, and what stands in parentheses.
fn references(node: &squawk_syntax::SyntaxNode) -> Vec<Name> {
    let inside = |node: &squawk_syntax::SyntaxNode| {
        node.ancestors().skip(1).any(|above| {
            matches!(
                above.kind(),
                SyntaxKind::PATH_REF | SyntaxKind::PATH | SyntaxKind::PARAM_LIST | SyntaxKind::ARG_LIST
            )
        })
    };
    node.descendants()
        .filter_map(ast::PathRef::cast)
        .filter(|path| !inside(path.syntax()))
        .map(|path| Name::of(&path))
        .collect()
}

/// What a statement makes that was not there before. `CREATE OR REPLACE` may have met something.
pub(crate) fn created(stmt: &Stmt) -> Option<Name> {
    if let Stmt::SelectInto(select) = stmt {
        let into = select.into_clause()?;
        return into.syntax().descendants().find_map(ast::Path::cast).map(|path| Name::of(&path));
    }
    let words = words(stmt, 3);
    if words.first().map(String::as_str) != Some("create") || words.get(1).map(String::as_str) == Some("or") {
        return None;
    }
    stmt.syntax().descendants().find_map(ast::Path::cast).map(|path| Name::of(&path))
}

/// What a statement makes or replaces: its kind of object, and its name.
pub(crate) fn made(stmt: &Stmt) -> Option<(SyntaxKind, Name)> {
    let name = |stmt: &Stmt| stmt.syntax().descendants().find_map(ast::Path::cast).map(|path| Name::of(&path));
    let label = |node: Option<squawk_syntax::SyntaxNode>| node.map(|node| Name::new(&node.text().to_string()));
    Some(match stmt {
        Stmt::CreateView(_) => (SyntaxKind::VIEW_KW, name(stmt)?),
        Stmt::CreateMaterializedView(_) => (SyntaxKind::MATERIALIZED_KW, name(stmt)?),
        Stmt::CreateFunction(_) | Stmt::CreateProcedure(_) => (SyntaxKind::FUNCTION_KW, name(stmt)?),
        Stmt::CreateTrigger(create) => {
            (SyntaxKind::TRIGGER_KW, label(create.trigger().map(|trigger| trigger.syntax().clone()))?)
        }
        Stmt::CreatePolicy(create) => {
            (SyntaxKind::POLICY_KW, label(create.policy().map(|policy| policy.syntax().clone()))?)
        }
        _ => return None,
    })
}

/// What a statement takes away that a later one of the same transaction may put back.
pub(crate) fn replaceable(stmt: &Stmt) -> Vec<(SyntaxKind, Name)> {
    let each = |kind: SyntaxKind| references(stmt.syntax()).into_iter().map(move |name| (kind, name)).collect();
    let label = |kind, node: Option<squawk_syntax::SyntaxNode>| {
        node.map(|node| (kind, Name::new(&node.text().to_string()))).into_iter().collect()
    };
    match stmt {
        Stmt::DropView(_) => each(SyntaxKind::VIEW_KW),
        Stmt::DropMaterializedView(_) => each(SyntaxKind::MATERIALIZED_KW),
        Stmt::DropFunction(_) | Stmt::DropProcedure(_) | Stmt::DropRoutine(_) => each(SyntaxKind::FUNCTION_KW),
        Stmt::DropTrigger(drop) => label(SyntaxKind::TRIGGER_KW, drop.trigger_ref().map(|it| it.syntax().clone())),
        Stmt::DropPolicy(drop) => label(SyntaxKind::POLICY_KW, drop.policy_ref().map(|it| it.syntax().clone())),
        // A view with the table's old name serves whoever does not know the new one.
        Stmt::AlterTable(alter) if alter.actions().any(|it| matches!(it, ast::AlterTableAction::TableRenameTo(_))) => {
            touched(stmt).into_iter().map(|name| (SyntaxKind::VIEW_KW, name)).collect()
        }
        _ => Vec::new(),
    }
}

/// The first words of a statement, in lower case.
pub(crate) fn words(stmt: &Stmt, count: usize) -> Vec<String> {
    let tokens = stmt.syntax().descendants_with_tokens().filter_map(|element| element.into_token());
    tokens.filter(|token| !token.kind().is_trivia()).take(count).map(|token| token.text().to_lowercase()).collect()
}
