//! Who answers at each port.

use std::sync::Arc;

use super::{
    Alarms, Databases, Functions, Images, Logs, Metrics, Objects, OneOffTasks, Parameters, Probe, Secret, Secrets,
    Targets, Tasks,
};
#[cfg(feature = "lambda")]
use crate::aws::Aws;
use crate::check::CannotTell;
#[cfg(feature = "lambda")]
use crate::http::HttpProbe;
use crate::load::Load;
use crate::redaction::{Guarded, Redactions};

/// Every port, cheap to clone.
///
/// Each is a method, and only in it is it decided who answers: so the linker sees which ports the checks of a hook ask at,
/// and leaves the clients of all others out of that hook's binary.
#[derive(Clone)]
pub struct Ports {
    answering: Answering,
    redactions: Redactions,
}

#[derive(Clone)]
enum Answering {
    #[cfg(feature = "lambda")]
    Outside {
        aws: Arc<Aws>,
        http: Arc<HttpProbe>,
    },
    World(Arc<World>),
}

/// An implementation of every port, to take the place of the real ones.
pub struct World {
    /// Task definitions and tasks.
    pub tasks: Arc<dyn Tasks>,
    /// Tasks that run once.
    pub one_off_tasks: Arc<dyn OneOffTasks>,
    /// Target health.
    pub targets: Arc<dyn Targets>,
    /// CloudWatch alarms.
    pub alarms: Arc<dyn Alarms>,
    /// CloudWatch's counts of requests.
    pub metrics: Arc<dyn Metrics>,
    /// HTTP requests to the load balancer.
    pub probe: Arc<dyn Probe>,
    /// Many HTTP requests to the load balancer.
    pub load: Arc<dyn Load>,
    /// Lambda functions and their aliases.
    pub functions: Arc<dyn Functions>,
    /// Secrets Manager.
    pub secrets: Arc<dyn Secrets>,
    /// Systems Manager parameters.
    pub parameters: Arc<dyn Parameters>,
    /// What containers wrote.
    pub logs: Arc<dyn Logs>,
    /// ECR.
    pub images: Arc<dyn Images>,
    /// RDS.
    pub databases: Arc<dyn Databases>,
    /// S3.
    pub objects: Arc<dyn Objects>,
}

impl From<World> for Ports {
    fn from(world: World) -> Self {
        Self { answering: Answering::World(Arc::new(world)), redactions: Redactions::default() }
    }
}

macro_rules! port {
    ($(#[$doc:meta])* $name:ident: $port:ident at $client:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> &dyn $port {
            match &self.answering {
                #[cfg(feature = "lambda")]
                Answering::Outside { $client, .. } => &**$client,
                Answering::World(world) => &*world.$name,
            }
        }
    };
}

impl Ports {
    /// AWS, and HTTP.
    #[cfg(feature = "lambda")]
    pub fn outside(aws: Arc<Aws>, http: HttpProbe) -> Self {
        Self { answering: Answering::Outside { aws, http: Arc::new(http) }, redactions: Redactions::default() }
    }

    /// The same, and every secret that is read is told to `redactions`.
    pub fn guarded_by(self, redactions: Redactions) -> Self {
        Self { redactions, ..self }
    }

    /// Secrets Manager. What is read is cut out of everything that is written.
    pub fn secrets(&self) -> Guarded<'_> {
        let secrets: &dyn Secrets = match &self.answering {
            #[cfg(feature = "lambda")]
            Answering::Outside { aws, .. } => &**aws,
            Answering::World(world) => &*world.secrets,
        };
        Guarded::new(secrets, &self.redactions)
    }

    /// A password made for this user at this endpoint of RDS. It is cut out of everything that is written.
    pub async fn database_token(&self, endpoint: &(String, u16), user: &str) -> Result<Secret, CannotTell> {
        let token = self.databases().token(endpoint, user).await?;
        self.redactions.learn(&token);
        Ok(token)
    }

    port!(
        /// Task definitions and tasks.
        tasks: Tasks at aws
    );
    port!(
        /// Tasks that run once.
        one_off_tasks: OneOffTasks at aws
    );
    port!(
        /// Target health.
        targets: Targets at aws
    );
    port!(
        /// CloudWatch alarms.
        alarms: Alarms at aws
    );
    port!(
        /// CloudWatch's counts of requests.
        metrics: Metrics at aws
    );
    port!(
        /// HTTP requests to the load balancer.
        probe: Probe at http
    );
    port!(
        /// Many HTTP requests to the load balancer.
        load: Load at http
    );
    port!(
        /// Lambda functions and their aliases.
        functions: Functions at aws
    );
    port!(
        /// Systems Manager parameters.
        parameters: Parameters at aws
    );
    port!(
        /// What containers wrote.
        logs: Logs at aws
    );
    port!(
        /// ECR.
        images: Images at aws
    );
    port!(
        /// RDS.
        databases: Databases at aws
    );
    port!(
        /// S3.
        objects: Objects at aws
    );
}
