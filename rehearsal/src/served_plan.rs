//! The plan as the rehearsal serves it: waits inside a hook are real, so they are shortened, and the transcript says so.

use std::time::Duration;

use greenlight::checks::DEFAULT_BAKE;
use greenlight::plan::Plan;
use greenlight::units::Span;
use serde_json::{Map, Value};

/// How long a bake really takes in a rehearsal.
const BAKE_TAKES: Duration = Duration::from_secs(2);

/// A plan, ready for the label of a task definition.
#[derive(Clone, Debug)]
pub struct ServedPlan {
    /// Its text: JSON, which is YAML too.
    pub text: Option<String>,
    /// World seconds per real second while the bake lasts, so that the world sees the bake that was asked for.
    pub pace: f64,
    /// The bake that was asked for, where it was shortened.
    pub bake: Option<Duration>,
    /// Whether it names a database to migrate.
    pub migrates: bool,
}

impl ServedPlan {
    /// Shortens what waits. `text` has been checked; without one the default bake is shortened.
    pub fn of(text: Option<&str>) -> Self {
        let plan = text.and_then(|text| Plan::parse(text, "plan").ok()).unwrap_or_else(Plan::defaults);
        let tree = text.and_then(|text| serde_saphyr::from_str::<Value>(text).ok());
        let mut tree = match tree {
            Some(Value::Object(tree)) => tree,
            _ => Map::from_iter([("version".to_owned(), Value::from(1))]),
        };
        let bake = plan.production.bake.unwrap_or(DEFAULT_BAKE).duration();
        let shortened = bake > BAKE_TAKES;
        if shortened {
            let production = tree.entry("production").or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(production) = production {
                production.insert("bake".to_owned(), Value::from(Span::new(BAKE_TAKES).to_string()));
            }
        }
        Self {
            text: (text.is_some() || shortened).then(|| Value::Object(tree).to_string()),
            pace: if shortened { bake.as_secs_f64() / BAKE_TAKES.as_secs_f64() } else { 1.0 },
            bake: shortened.then_some(bake),
            migrates: plan.database.is_some(),
        }
    }
}
