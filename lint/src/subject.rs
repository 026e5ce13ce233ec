//! Which objects a statement is about, which it makes, and which it takes away.

mod object;

use squawk_syntax::ast::{self, AstNode, Stmt};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use crate::name::Name;
use object::Kind;
pub(crate) use object::{Object, Objects};

/// The tables and their like that a statement changes; none where that is not known.
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
        Stmt::Merge(merge) => table(merge.table_relation_name()),
        Stmt::CreateTrigger(create) => on(stmt, create.on_relation().map(|on| on.syntax().clone())),
        Stmt::DropTrigger(drop) => on(stmt, drop.on_relation().map(|on| on.syntax().clone())),
        Stmt::CreatePolicy(create) => on(stmt, create.on_table().map(|on| on.syntax().clone())),
        Stmt::DropPolicy(drop) => on(stmt, drop.on_table().map(|on| on.syntax().clone())),
        Stmt::Insert(_) => Vec::new(),
        Stmt::Select(select) => {
            let locked = select.syntax().descendants().any(|node| ast::LockingClause::can_cast(node.kind()));
            let from = select.from_clause().filter(|_| locked);
            from.map(|from| references(from.syntax())).unwrap_or_default()
        }
        _ => references(stmt.syntax()),
    }
}

fn on(stmt: &Stmt, node: Option<SyntaxNode>) -> Vec<Name> {
    references(node.as_ref().unwrap_or_else(|| stmt.syntax()))
}

/// Every name that refers to something, without the schemas that are part of one, and what stands in parentheses.
fn references(node: &SyntaxNode) -> Vec<Name> {
    let inside = |node: &SyntaxNode| {
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

/// The objects that a statement changes, and the one it makes or replaces; none where that is not known.
pub(crate) fn objects(stmt: &Stmt) -> Vec<Object> {
    let routines = object::routines(stmt.syntax());
    let schemas = object::schemas(stmt);
    let mut objects: Vec<Object> = match object::kind(stmt) {
        _ if !routines.is_empty() => routines,
        _ if !schemas.is_empty() => schemas,
        Kind::Part(..) | Kind::Relation => touched(stmt).into_iter().map(Object::relation).collect(),
        kind => touched(stmt).into_iter().map(|name| Object { kind: kind.clone(), name }).collect(),
    };
    objects.extend(made(stmt));
    objects
}

/// What a statement makes that was not there before. `CREATE OR REPLACE` may have met something.
pub(crate) fn created(stmt: &Stmt) -> Option<Object> {
    if let Stmt::SelectInto(select) = stmt {
        let into = select.into_clause()?;
        return into.syntax().descendants().find_map(ast::Path::cast).map(|path| Object::relation(Name::of(&path)));
    }
    let words = words(stmt, 6);
    if words.first().map(String::as_str) != Some("create") || words.get(1).map(String::as_str) == Some("or") {
        return None;
    }
    if let Stmt::CreateSchema(create) = stmt {
        return (!words.contains(&"if".to_owned())).then(|| object::new_schema(create)).flatten();
    }
    let created = made(stmt).or_else(|| Some(Object { kind: object::kind(stmt), name: first_name(stmt)? }))?;
    // Of relations the database is asked whether they were there.
    let perhaps = words.windows(2).any(|pair| pair == ["if", "not"]);
    (!perhaps || created.kind == Kind::Relation).then_some(created)
}

fn first_name(stmt: &Stmt) -> Option<Name> {
    stmt.syntax().descendants().find_map(ast::Path::cast).map(|path| Name::of(&path))
}

/// What a statement makes or replaces, of the objects that are often dropped and made anew.
pub(crate) fn made(stmt: &Stmt) -> Option<Object> {
    let part = |kind, node: Option<SyntaxNode>| Object::part(kind, &node?, touched(stmt).into_iter().next()?);
    match stmt {
        Stmt::CreateView(_) | Stmt::CreateMaterializedView(_) => first_name(stmt).map(Object::relation),
        Stmt::CreateFunction(create) => Object::routine(first_name(stmt)?, create.param_list()),
        Stmt::CreateProcedure(create) => Object::routine(first_name(stmt)?, create.param_list()),
        Stmt::CreateTrigger(create) => part(SyntaxKind::TRIGGER_KW, create.trigger().map(|it| it.syntax().clone())),
        Stmt::CreatePolicy(create) => part(SyntaxKind::POLICY_KW, create.policy().map(|it| it.syntax().clone())),
        _ => None,
    }
}

/// What a statement takes away that a later one of the same transaction may put back.
pub(crate) fn replaceable(stmt: &Stmt) -> Vec<Object> {
    let part = |kind, node: Option<SyntaxNode>| {
        let table = touched(stmt).into_iter().next();
        node.zip(table).and_then(|(node, table)| Object::part(kind, &node, table)).into_iter().collect()
    };
    let relations = |names: Vec<Name>| names.into_iter().map(Object::relation).collect();
    match stmt {
        Stmt::DropView(_) | Stmt::DropMaterializedView(_) => relations(references(stmt.syntax())),
        Stmt::DropFunction(_) | Stmt::DropProcedure(_) | Stmt::DropRoutine(_) => object::routines(stmt.syntax()),
        Stmt::DropTrigger(drop) => part(SyntaxKind::TRIGGER_KW, drop.trigger_ref().map(|it| it.syntax().clone())),
        Stmt::DropPolicy(drop) => part(SyntaxKind::POLICY_KW, drop.policy_ref().map(|it| it.syntax().clone())),
        // A view with the table's old name serves whoever does not know the new one.
        Stmt::AlterTable(alter) if alter.actions().any(|it| matches!(it, ast::AlterTableAction::TableRenameTo(_))) => {
            relations(touched(stmt))
        }
        _ => Vec::new(),
    }
}

/// The first words of a statement, in lower case.
pub(crate) fn words(stmt: &Stmt, count: usize) -> Vec<String> {
    let tokens = stmt.syntax().descendants_with_tokens().filter_map(|element| element.into_token());
    tokens.filter(|token| !token.kind().is_trivia()).take(count).map(|token| token.text().to_lowercase()).collect()
}
