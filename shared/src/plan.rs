//! The team's questions: a YAML document, all of it optional. Without one every hook asks its default questions.

mod allowed;
mod assertion;
mod before_install;
mod chosen;
mod compare;
mod database;
mod expect;
mod function;
mod json_path;
mod load;
mod migration_task;
mod migrations;
mod plain_sight;
mod request;
#[cfg(feature = "schema")]
mod schema;
mod secrets;
mod template;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Location;

pub use self::allowed::AllowedMigration;
pub use self::assertion::{Assertion, Comparison, Pattern, filled};
pub use self::before_install::{BeforeInstall, ImageSeverity, Images};
use self::chosen::Choice;
pub use self::compare::Comparing;
pub use self::database::{Credentials, Database};
pub use self::expect::{Expect, Statuses};
pub use self::function::{FUNCTION_VARIABLES, FunctionQuestions, Invocation, Returned};
pub use self::json_path::{JsonPath, JsonPattern};
pub use self::load::PlannedLoad;
pub use self::migration_task::MigrationTask;
pub use self::migrations::Migrations;
pub use self::request::{Request, RequestBody};
pub use self::secrets::PlannedSecret;
pub use self::template::{IMAGE_TAG, Template, VARIABLES, Values, plain_text};
use crate::checks;
use crate::document::{self, DocumentError, Judge, Mapping, Mistakes, Spanned, one_of};
use crate::units::{Points, Requests, Span};

/// The version of the plan's format.
const VERSION: u32 = 1;

/// What the team asks beyond the defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The database that migrations change.
    pub database: Option<Database>,
    /// What is asked before anything is started.
    pub before_install: BeforeInstall,
    /// Variables that stand for secrets.
    pub secrets: BTreeMap<String, PlannedSecret>,
    /// What is asked while only the test listener leads to green.
    pub test_traffic: TestTraffic,
    /// The schema changes of this version.
    pub migrations: Option<Migrations>,
    /// What is asked once users are on green.
    pub production: Production,
    /// What is asked of a Lambda function's new version; nothing where the plan does not say.
    pub function: FunctionQuestions,
    /// Checks whose severity the team chose.
    pub checks: BTreeMap<String, Severity>,
}

/// What is asked while only the test listener leads to green.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestTraffic {
    /// Name to send as `Host` (and SNI); the connection still goes to the load balancer.
    pub host: Option<String>,
    /// How to tell green's answers from blue's.
    pub green: Option<GreenProof>,
    /// Requests in order, instead of the default ones.
    pub requests: Option<Vec<Request>>,
    /// How much is sent to green.
    pub load: Option<PlannedLoad>,
    /// What both colours are asked.
    pub compare_with_blue: Option<Comparing>,
}

/// How green's answers are told from blue's.
#[derive(Clone, Debug, PartialEq)]
pub struct GreenProof {
    /// Where to look.
    pub mark: Mark,
    /// What green says there.
    pub equals: Template,
    /// The path to ask; the target group's health check path where the plan gives none.
    pub path: Option<Template>,
}

/// Where an answer says which version gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// In this header.
    Header(String),
    /// In the JSON body.
    Json(JsonPath),
}

/// What is asked once users are on green.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Production {
    /// How long the alarms must stay quiet.
    pub bake: Option<Span>,
    /// Requests in order, instead of the default ones.
    pub requests: Option<Vec<Request>>,
    /// How much worse than blue green may be.
    pub errors: Option<WorseThanBlue>,
}

/// How much worse than blue green may be, by the requests of users.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorseThanBlue {
    /// How many percentage points more of green's requests may fail than of blue's. Default 1pp.
    pub worse_than_blue_by: Option<Points>,
    /// How many requests each colour must have had. Without it, fewer than 100 are not compared, and no reason to stop.
    pub at_least: Option<Requests>,
}

/// What a check's *no* does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Severity {
    /// It stops the deployment.
    Blocking,
    /// It is reported and stops nothing.
    Advisory,
}

/// Keys that are refused with a remark of their own.
const REMARKS: [(&str, &str); 2] = [
    ("user", "stands in the secret, or in `auth` for IAM authentication"),
    ("password", "has no place in a plan; name a secret of Secrets Manager with `secret`"),
];

impl Plan {
    /// The plan of a team that wrote none.
    pub fn defaults() -> Self {
        Self {
            database: None,
            before_install: BeforeInstall::default(),
            secrets: BTreeMap::new(),
            test_traffic: TestTraffic::default(),
            migrations: None,
            production: Production::default(),
            function: FunctionQuestions::default(),
            checks: BTreeMap::new(),
        }
    }

    /// Reads a plan. `source` is its name in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, Mistakes> {
        document::parse_and_judge(text, source, &REMARKS, |written: Spanned<Written>, judge| {
            if let Some(tree) = document::tree(text) {
                plain_sight::look(&tree, judge);
            }
            let secrets = written.value.secrets.0.iter().map(|(name, _)| name.value.clone()).collect();
            Some(Reader { judge, secrets }.plan(written))
        })
    }

    /// The JSON Schema of a plan, for editors.
    #[cfg(feature = "schema")]
    pub fn schema() -> serde_json::Value {
        schema::of_a_plan()
    }

    /// What a *no* of this check does: as the plan says, else as the check's page says.
    pub fn severity(&self, check: &str) -> Severity {
        self.checks.get(check).copied().unwrap_or_else(|| checks::default_severity(check))
    }
}

/// The plan as it stands in the document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Written {
    /// The version of this format: 1.
    #[cfg_attr(feature = "schema", schemars(required, schema_with = "schema::version"))]
    version: Option<Spanned<u32>>,
    /// The database that migrations change.
    database: Option<Spanned<database::WrittenDatabase>>,
    /// What is asked before anything is started.
    #[serde(default)]
    before_install: BeforeInstall,
    /// Variables that stand for secrets: the name of each, and where it is kept.
    #[serde(default)]
    secrets: Mapping<Spanned<PlannedSecret>>,
    /// What is asked while only the test listener leads to green.
    test_traffic: Option<WrittenTestTraffic>,
    /// The schema changes of this version.
    migrations: Option<Spanned<migrations::WrittenMigrations>>,
    /// What is asked once users are on green.
    production: Option<WrittenProduction>,
    /// What is asked of a Lambda function's new version before users reach it.
    function: Option<function::WrittenFunction>,
    /// Checks that are to be `advisory` or `blocking` against their page.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(schema_with = "schema::checks"))]
    checks: Mapping<Severity>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct WrittenTestTraffic {
    /// Name to send as `Host` (and SNI); the connection still goes to the load balancer.
    host: Option<Spanned<String>>,
    /// How green's answers are told from blue's: by one of `header` and `json`.
    green: Option<Spanned<WrittenGreenProof>>,
    /// Requests in order, instead of the default one.
    requests: Option<Spanned<Vec<Spanned<request::WrittenRequest>>>>,
    /// How much is sent to green, and what it must bear.
    load: Option<Spanned<load::WrittenLoad>>,
    /// What both colours are asked, and must answer alike.
    compare_with_blue: Option<Spanned<compare::WrittenComparing>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct WrittenGreenProof {
    /// The header that says which version answered.
    header: Option<String>,
    /// The place in the JSON body that says which version answered.
    json: Option<JsonPath>,
    /// What green says there.
    equals: Spanned<Template>,
    /// The path to ask; the target group's health check path when missing.
    get: Option<Spanned<Template>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct WrittenProduction {
    /// How long the alarms must stay quiet.
    bake: Option<Span>,
    /// Requests in order, instead of the default one.
    requests: Option<Vec<Spanned<request::WrittenRequest>>>,
    /// How much worse than blue green may be.
    errors: Option<WorseThanBlue>,
}

/// Judges what the types alone cannot, and points at it. One section's mistake does not hide another's: what is wrong is
/// noted, and what stands in its place does not matter, for then there is no plan.
struct Reader<'a> {
    judge: &'a Judge<'a>,
    /// Variables that stand for secrets.
    secrets: Vec<String>,
}

impl Reader<'_> {
    fn plan(&self, written: Spanned<Written>) -> Plan {
        let Spanned { value: written, referenced: place, .. } = written;
        self.version(written.version, place);
        Plan {
            database: self.part(written.database, |it| self.database(it)),
            before_install: written.before_install,
            secrets: self.planned_secrets(written.secrets),
            test_traffic: written.test_traffic.map(|it| self.test_traffic(it)).unwrap_or_default(),
            migrations: self.part(written.migrations, |it| self.migrations(it)),
            production: written.production.map(|it| self.production(it)).unwrap_or_default(),
            function: written.function.map(|it| self.function(it)).unwrap_or_default(),
            checks: self.checks(written.checks),
        }
    }

    fn version(&self, written: Option<Spanned<u32>>, plan: Location) {
        match written {
            Some(version) if version.value == VERSION => {}
            Some(version) => {
                let message = format!("this version of greenlight reads plans of version {VERSION}");
                self.judge.note(self.wrong(version.referenced, message));
            }
            None => self.judge.note(self.judge.missing(plan, "version")),
        }
    }

    fn checks(&self, written: Mapping<Severity>) -> BTreeMap<String, Severity> {
        let mut severities = BTreeMap::new();
        for (check, severity) in written.0 {
            if !checks::IDS.contains(&check.value.as_str()) {
                let message = format!("unknown check `{}`; {}", check.value, one_of(&check.value, &checks::IDS));
                self.judge.note(self.wrong(check.referenced, message));
            }
            severities.insert(check.value, severity);
        }
        severities
    }

    fn test_traffic(&self, written: WrittenTestTraffic) -> TestTraffic {
        let requests = written.requests.map(|Spanned { value: list, referenced: place, .. }| {
            let count = list.len();
            self.choice(request::read(self, list), count, place)
        });
        let none = Choice::none();
        let choice = requests.as_ref().unwrap_or(&none);
        TestTraffic {
            host: self.part(written.host, |it| self.host(it)),
            green: self.part(written.green, |it| self.green(it)),
            load: self.part(written.load, |it| self.load(it, choice)),
            compare_with_blue: written.compare_with_blue.map(|it| self.comparing(it, choice)),
            requests: requests.map(Choice::all),
        }
    }

    fn host(&self, written: Spanned<String>) -> Result<String, DocumentError> {
        if written.value.is_empty() || written.value.contains(['/', ':', '*', ' ']) {
            return Err(self.wrong(written.referenced, "a host is a plain name such as `orders.example.com`"));
        }
        Ok(written.value)
    }

    fn green(&self, written: Spanned<WrittenGreenProof>) -> Result<GreenProof, DocumentError> {
        let Spanned { value: green, referenced: place, .. } = written;
        let mark = match (green.header, green.json) {
            (Some(header), None) => Mark::Header(header.to_lowercase()),
            (None, Some(path)) => Mark::Json(path),
            _ => return Err(self.lacking(place, "green is told by exactly one of `header` and `json`")),
        };
        let known = VARIABLES.map(str::to_owned);
        let path = green.get.map(|path| self.template(path, &known)).transpose()?;
        Ok(GreenProof { mark, equals: self.template(green.equals, &known)?, path })
    }

    fn production(&self, written: WrittenProduction) -> Production {
        let requests = written.requests.map(|it| request::read(self, it));
        Production { bake: written.bake, requests, errors: written.errors }
    }

    /// A mistake at this place.
    fn wrong(&self, place: Location, message: impl Into<String>) -> DocumentError {
        self.judge.wrong(place, message)
    }

    /// What the mapping at this place lacks.
    fn lacking(&self, place: Location, message: impl Into<String>) -> DocumentError {
        self.judge.lacking(place, message)
    }

    /// A part that need not be there; what is wrong with it is noted.
    fn part<W, T>(&self, written: Option<W>, judge: impl FnOnce(W) -> Result<T, DocumentError>) -> Option<T> {
        self.judge.part(written, judge)
    }
}

#[cfg(test)]
mod tests;
