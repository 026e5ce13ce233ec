//! CodeDeploy in memory: what is deployed, and every answer it was given.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;

use super::Fakes;
use crate::answer::{Answers, PutError};
use crate::check::CannotTell;
use crate::deployment::{
    AnyDeployment, Deployment, DeploymentId, Engine, FunctionDeployment, NativeDeployment, Rollback,
};
use crate::discovery::{
    Deployments, DiscoveryError, NativeDeployments, NativeRecord, Platform, Record, Revision, Settings,
};
use crate::event::{Event, ServiceDeploymentArn};
use crate::hook::Outside;
use crate::lifecycle_stage::LifecycleStage;
use crate::ports::Parameters;
use crate::report::Verdict;

/// CodeDeploy, its deployment and its answers. Clones share one state.
#[derive(Clone)]
pub struct FakeEngine {
    state: Arc<Mutex<EngineState>>,
}

/// What the engine knows now.
pub struct EngineState {
    /// The only deployment there is, unless there is one of a function.
    pub deployment: Deployment,
    /// CodeDeploy's word for its state.
    pub status: String,
    /// The deployment of a function that there is instead.
    pub function: Option<FunctionDeployment>,
    /// What ECS says of the deployment, where it carries it out.
    pub native: NativeRecord,
    /// How often the whole deployment was asked for.
    pub described: usize,
    /// What discovery does instead, in order.
    pub faults: VecDeque<Fault>,
    /// What delivery does instead, in order.
    pub answer_faults: VecDeque<PutError>,
    /// Every answer that was taken.
    pub answers: Vec<(Event, Verdict)>,
    /// Parameters by name.
    pub parameters: BTreeMap<String, String>,
}

/// What can happen instead of an answer of AWS.
pub enum Fault {
    /// The call fails; the flag says whether asking again may help.
    Fail(bool),
    /// The call never returns.
    Hang,
    /// The code that asks panics.
    Panic,
}

impl FakeEngine {
    /// CodeDeploy in the middle of this deployment.
    pub fn of(deployment: Deployment) -> Self {
        let state = EngineState {
            deployment,
            status: "InProgress".to_owned(),
            function: None,
            native: super::native_record(),
            described: 0,
            faults: VecDeque::new(),
            answer_faults: VecDeque::new(),
            answers: Vec::new(),
            parameters: BTreeMap::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// CodeDeploy in the middle of this deployment of a function.
    pub fn of_function(function: FunctionDeployment) -> Self {
        let engine = Self::of(super::deployment());
        engine.state().function = Some(function);
        engine
    }

    /// The state, to look at or to change.
    pub fn state(&self) -> MutexGuard<'_, EngineState> {
        self.state.lock().expect("no test panics while it holds the state")
    }

    /// This engine and this world around a hook.
    pub fn outside(&self, world: &Fakes) -> Outside {
        let engine = Arc::new(self.clone());
        let world = world.clone();
        Outside {
            deployments: engine.clone(),
            native: engine.clone(),
            parameters: engine.clone(),
            answers: engine.clone(),
            last_resort: Arc::new(move || Ok(engine.clone())),
            ports: Arc::new(move |_| world.ports()),
        }
    }

    async fn stumble(&self) -> Result<(), CannotTell> {
        let fault = self.state().faults.pop_front();
        match fault {
            None => Ok(()),
            Some(Fault::Fail(transient)) => Err(CannotTell {
                asked: "codedeploy:GetDeployment of d-3QX9ZK2LE".to_owned(),
                remedy: "Allow codedeploy:GetDeployment in the function's role, then redeploy.".to_owned(),
                transient,
                source: Some("AccessDeniedException".into()),
            }),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Panic) => panic!("the answer was not understood"),
        }
    }
}

#[async_trait]
impl Deployments for FakeEngine {
    async fn record(&self, id: &DeploymentId) -> Result<Record, DiscoveryError> {
        self.stumble().await?;
        let (known, function) = {
            let state = self.state();
            (state.deployment.clone(), state.function.clone())
        };
        let rollback = function.as_ref().map_or(&known.rollback, |function| &function.rollback);
        let undoes = match rollback {
            Some(Rollback::Automatic { of }) => of.clone(),
            _ => None,
        };
        let function = function.is_some();
        Ok(Record {
            id: id.clone(),
            application: known.names().0.to_owned(),
            group: known.names().1.to_owned(),
            config: "CodeDeployDefault.ECSCanary10Percent5Minutes".to_owned(),
            creator: "user".to_owned(),
            status: self.state().status.clone(),
            platform: if function { Platform::Lambda } else { Platform::Ecs },
            undoes,
            override_alarms: None,
            settings: Settings::default(),
            revision: Revision::Other("in memory".to_owned()),
            target_ids: Vec::new(),
        })
    }

    async fn describe(&self, _: Record) -> Result<Deployment, DiscoveryError> {
        self.stumble().await?;
        Ok(self.state().deployment.clone())
    }

    async fn describe_function(&self, _: Record) -> Result<FunctionDeployment, DiscoveryError> {
        self.stumble().await?;
        Ok(self.state().function.clone().expect("the record says that it is of a function"))
    }
}

#[async_trait]
impl NativeDeployments for FakeEngine {
    async fn native_record(&self, arn: &ServiceDeploymentArn) -> Result<NativeRecord, DiscoveryError> {
        self.stumble().await?;
        Ok(NativeRecord { arn: arn.clone(), ..self.state().native.clone() })
    }

    async fn describe_native(&self, record: NativeRecord, stage: LifecycleStage) -> Result<Deployment, DiscoveryError> {
        self.stumble().await?;
        let mut state = self.state();
        state.described += 1;
        let engine = Engine::Ecs(NativeDeployment { arn: record.arn.arn, stage, test_header: None });
        let deployment = state.deployment.clone();
        Ok(Deployment { id: DeploymentId(record.arn.id), engine, ..deployment })
    }
}

#[async_trait]
impl Parameters for FakeEngine {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CannotTell> {
        Ok(self.state().parameters.get(name).cloned())
    }

    async fn existing(&self, _: Option<&str>, names: &[String]) -> Result<Vec<String>, CannotTell> {
        let state = self.state();
        Ok(names.iter().filter(|name| state.parameters.contains_key(*name)).cloned().collect())
    }
}

#[async_trait]
impl Answers for FakeEngine {
    async fn put(&self, event: &Event, verdict: Verdict) -> Result<(), PutError> {
        let mut state = self.state();
        match state.answer_faults.pop_front() {
            Some(fault) => Err(fault),
            None => {
                state.answers.push((event.clone(), verdict));
                Ok(())
            }
        }
    }
}
