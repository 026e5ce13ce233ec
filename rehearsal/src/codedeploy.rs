//! CodeDeploy: its API's verbs here, the deployment's course in [`engine`].

pub mod api;
