//! What a name names: a table and a function of the same name are two things, and so are functions with other parameters.

use std::collections::HashMap;

use squawk_syntax::ast::{self, AstNode, Stmt};
use squawk_syntax::{SyntaxKind, SyntaxNode};

use super::words;
use crate::name::Name;
use crate::unit::Place;

/// An object of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(super) kind: Kind,
    pub(super) name: Name,
}

/// Many objects, found by their names.
#[derive(Debug, Default)]
pub(crate) struct Objects(HashMap<String, Vec<(Place, Object)>>);

impl Objects {
    pub(crate) fn add(&mut self, at: Place, object: Object) {
        self.0.entry(object.name.alone().to_owned()).or_default().push((at, object));
    }

    /// Whether one of them may be that object.
    pub(crate) fn have(&self, object: &Object) -> bool {
        self.named(object).any(|(_, known)| known.matches(object))
    }

    /// Whether one of them that was added for a later place may be that object.
    pub(crate) fn have_after(&self, at: Place, object: &Object) -> bool {
        self.named(object).rev().take_while(|(place, _)| *place > at).any(|(_, known)| known.matches(object))
    }

    fn named(&self, object: &Object) -> std::slice::Iter<'_, (Place, Object)> {
        self.0.get(object.name.alone()).map_or([].iter(), |named| named.iter())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Tables, views, indexes, sequences, types and domains: no two of them have one name.
    Relation,
    /// A function, procedure or aggregate, with the types it takes; `None` where they are not told.
    Routine(Option<Vec<String>>),
    /// A trigger or policy, whose name is its table's own.
    Part(SyntaxKind, Name),
    /// Anything else, by its word: `schema`.
    Other(String),
}

impl Object {
    pub(crate) fn relation(name: Name) -> Self {
        Self { kind: Kind::Relation, name }
    }

    pub(super) fn routine(name: Name, parameters: Option<ast::ParamList>) -> Option<Self> {
        let types = parameters.map(|parameters| types(&parameters));
        Some(Self { kind: Kind::Routine(types), name })
    }

    pub(super) fn part(kind: SyntaxKind, name: &SyntaxNode, table: Name) -> Option<Self> {
        Some(Self { kind: Kind::Part(kind, table), name: Name::new(&name.text().to_string()) })
    }

    /// Its name, if it is a table or the like.
    pub(crate) fn as_relation(&self) -> Option<&Name> {
        (self.kind == Kind::Relation).then_some(&self.name)
    }

    /// Whether both may be the same. Of functions whose parameters are not told nobody knows.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let kinds = match (&self.kind, &other.kind) {
            (Kind::Routine(one), Kind::Routine(other)) => one.is_some() && one == other,
            (Kind::Part(one, table), Kind::Part(other, its)) => one == other && table.matches(its),
            (one, other) => one == other,
        };
        kinds && self.name.matches(&other.name)
    }
}

/// What a statement that begins with `CREATE`, `ALTER` or `DROP` is about.
pub(super) fn kind(stmt: &Stmt) -> Kind {
    const BEFORE: [&str; 11] = [
        "constraint",
        "foreign",
        "global",
        "local",
        "materialized",
        "or",
        "recursive",
        "replace",
        "temp",
        "temporary",
        "unique",
    ];
    const RELATIONS: [&str; 6] = ["domain", "index", "sequence", "table", "type", "view"];
    let words = words(stmt, 8);
    let mut words = words.iter().map(String::as_str);
    match words.next() {
        Some("create" | "alter" | "drop") => {
            let word = words.find(|word| *word != "unlogged" && !BEFORE.contains(word)).unwrap_or_default();
            if RELATIONS.contains(&word) || word == "trigger" || word == "policy" || word == "rule" {
                Kind::Relation
            } else {
                Kind::Other(word.to_owned())
            }
        }
        _ => Kind::Relation,
    }
}

/// The schema that a statement makes.
pub(super) fn new_schema(create: &ast::CreateSchema) -> Option<Object> {
    create.syntax().descendants().find_map(ast::Schema::cast).map(|name| schema(&name))
}

/// The schemas that a statement changes, as opposed to those it only names.
pub(super) fn schemas(stmt: &Stmt) -> Vec<Object> {
    match stmt {
        Stmt::AlterSchema(_) | Stmt::DropSchema(_) | Stmt::Grant(_) | Stmt::Revoke(_) => {
            stmt.syntax().descendants().filter_map(ast::SchemaRef::cast).map(|name| schema(&name)).collect()
        }
        _ => Vec::new(),
    }
}

fn schema(name: &impl AstNode) -> Object {
    Object { kind: Kind::Other("schema".to_owned()), name: Name::of(name) }
}

/// The functions and their like that a statement names.
pub(super) fn routines(node: &SyntaxNode) -> Vec<Object> {
    let signatures = node.descendants().filter_map(ast::FunctionSig::cast);
    signatures
        .filter_map(|signature| Object::routine(Name::of(&signature.function_name_ref()?), signature.param_list()))
        .collect()
}

/// The types that a function takes: by them, and not by the names or the results, PostgreSQL tells functions apart.
fn types(parameters: &ast::ParamList) -> Vec<String> {
    let taken = parameters.params().filter(|param| !matches!(param.mode(), Some(ast::ParamMode::ParamOut(_))));
    taken.map(|param| param.func_type().map_or_else(String::new, |it| plain(&it.syntax().text().to_string()))).collect()
}

/// One word for each type, without its length.
fn plain(written: &str) -> String {
    let lower = written.to_lowercase();
    let (before, behind) = match (lower.find('('), lower.rfind(')')) {
        (Some(open), Some(close)) if open < close => (&lower[..open], &lower[close + 1..]),
        _ => (lower.as_str(), ""),
    };
    let whole = format!("{before} {behind}");
    let dimensions = whole.matches('[').count();
    let name = whole.replace(['[', ']'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let name = match name {
        "int" | "int4" => "integer",
        "int8" => "bigint",
        "int2" => "smallint",
        "bool" => "boolean",
        "decimal" => "numeric",
        "float" | "float8" => "double precision",
        "float4" => "real",
        "varchar" => "character varying",
        "char" => "character",
        "timestamptz" => "timestamp with time zone",
        "timestamp without time zone" => "timestamp",
        "timetz" => "time with time zone",
        "time without time zone" => "time",
        name => name,
    };
    format!("{name}{}", if dimensions > 0 { "[]" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_type_has_many_names() {
        for (one, other) in [
            ("INT", "integer"),
            ("varchar(10)", "character varying"),
            ("timestamp(3) with time zone", "timestamptz"),
            ("numeric(10, 2)[]", "decimal[][]"),
            ("pg_catalog.int8", "bigint"),
        ] {
            assert_eq!(plain(one), plain(other));
        }
        assert_ne!(plain("int"), plain("int[]"));
        assert_ne!(plain("timestamp"), plain("timestamptz"));
    }
}
