//! What the database itself says of the tables that the migrations change.

use std::collections::BTreeMap;
use std::time::Duration;

use greenlight::check::CannotTell;
use greenlight_lint::{Column, Facts, Name, Questions, Relation};
use serde::Deserialize;
use sqlx::{AssertSqlSafe, Row as _};

use crate::migrations::Halt;
use crate::migrations::postgres::fault::halt;
use crate::migrations::postgres::session::Session;

/// A planner that needs longer than this for a statement is not waited for.
const ESTIMATE_WITHIN: Duration = Duration::from_secs(2);

/// Sizes with partitions; of an index, its table's. The names are resolved as the migrations' own would be.
const RELATIONS: &str = "SELECT json_build_object('name', asked.name, \
    'bytes', coalesce((SELECT sum(pg_relation_size(part.relid)) FROM pg_partition_tree(shown.oid) part WHERE part.isleaf), \
                      pg_relation_size(shown.oid)), \
    'columns', coalesce((SELECT json_agg(json_build_object('name', quote_ident(a.attname), \
                           'kind', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull)) \
                         FROM pg_attribute a WHERE a.attrelid = shown.oid AND a.attnum > 0 AND NOT a.attisdropped), '[]'), \
    'constraints', coalesce((SELECT json_agg(json_build_object('name', quote_ident(c.conname), \
                               'unique', c.contype IN ('p', 'u'))) \
                             FROM pg_constraint c WHERE c.conrelid = shown.oid), '[]'), \
    'never_null', coalesce((SELECT json_agg(quote_ident(a.attname)) FROM pg_constraint c \
                            JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
                            WHERE c.conrelid = shown.oid AND c.contype = 'c' AND c.convalidated \
                            AND pg_get_constraintdef(c.oid) = format('CHECK ((%I IS NOT NULL))', a.attname)), '[]'))::text \
    FROM unnest($1::text[]) asked(name) \
    JOIN pg_class named ON named.oid = to_regclass(asked.name) \
    LEFT JOIN pg_index i ON i.indexrelid = named.oid \
    JOIN pg_class shown ON shown.oid = coalesce(i.indrelid, named.oid)";

/// A row of [`RELATIONS`].
#[derive(Deserialize)]
struct Found {
    name: String,
    bytes: u64,
    columns: Vec<FoundColumn>,
    constraints: Vec<FoundConstraint>,
    never_null: Vec<String>,
}

#[derive(Deserialize)]
struct FoundColumn {
    name: String,
    kind: String,
    not_null: bool,
}

#[derive(Deserialize)]
struct FoundConstraint {
    name: String,
    unique: bool,
}

/// Asks the database what [`greenlight_lint::lint`] wants to know. Changes nothing and locks nothing.
pub async fn facts(session: &mut Session, questions: &Questions) -> Result<Facts, Halt> {
    let names: Vec<&str> = questions.relations.iter().map(Name::as_str).collect();
    let asked = sqlx::query_scalar(RELATIONS).persistent(false).bind(&names).fetch_all(&mut session.connection).await;
    let rows: Vec<String> = asked.map_err(|error| halt("the size of the tables", &session.place, error))?;
    let read = rows.iter().map(|row| serde_json::from_str(row).map(relation)).collect::<Result<_, _>>();
    let relations = read.map_err(|error| CannotTell {
        asked: format!("the size of the tables of {}: an answer of an unknown form", session.place),
        remedy: "Report it with this line; until it is mended make the check advisory in the plan.".to_owned(),
        transient: false,
        source: Some(error.into()),
    })?;
    let mut facts = Facts { relations, rows: BTreeMap::new() };
    let limit = format!("SET statement_timeout = {}", ESTIMATE_WITHIN.as_millis());
    session.run(&limit).await.map_err(|error| halt("the session's settings", &session.place, error))?;
    for statement in &questions.statements {
        // What cannot be planned yet, because its column comes with these files, stays unknown.
        if let Some(rows) = estimate(session, statement).await {
            facts.rows.insert(statement.clone(), rows);
        }
    }
    Ok(facts)
}

fn relation(found: Found) -> (Name, Relation) {
    let Found { name, bytes, columns, constraints, never_null } = found;
    let column =
        |it: FoundColumn| (Name::new(&it.name), Column { kind: it.kind, not_null: it.not_null, has_default: false });
    let relation = Relation {
        bytes,
        columns: columns.into_iter().map(column).collect(),
        constraints: constraints.into_iter().map(|it| (Name::new(&it.name), it.unique)).collect(),
        never_null: never_null.iter().map(|name| Name::new(name)).collect(),
    };
    (Name::new(&name), relation)
}

/// How many rows the planner expects a statement to touch. It is planned, not run.
async fn estimate(session: &mut Session, statement: &str) -> Option<u64> {
    let sql = format!("EXPLAIN (FORMAT JSON) {statement}");
    let planned = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_one(&mut session.connection).await;
    // Its type is json, which is sent as text.
    let json: String = planned.ok()?.try_get_unchecked(0).ok()?;
    let plans: Vec<Explained> = serde_json::from_str(&json).ok()?;
    // The node above changes rows and has none itself; those below find them, but for what is asked once for all rows.
    let finding = plans
        .first()?
        .plan
        .plans
        .iter()
        .filter(|node| node.relationship != "InitPlan" && node.relationship != "SubPlan");
    let rows: Vec<u64> = finding.map(|node| node.rows).collect();
    (!rows.is_empty()).then(|| rows.iter().sum())
}

/// <https://www.postgresql.org/docs/current/sql-explain.html>
#[derive(Deserialize)]
struct Explained {
    #[serde(rename = "Plan")]
    plan: Node,
}

#[derive(Deserialize)]
struct Node {
    #[serde(rename = "Parent Relationship", default)]
    relationship: String,
    #[serde(rename = "Plan Rows")]
    rows: u64,
    #[serde(rename = "Plans", default)]
    plans: Vec<Self>,
}
