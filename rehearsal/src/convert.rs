//! `rehearse convert`: from CodeDeploy to ECS.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use greenlight::appspec::AppSpec;
use rehearsal::conversion::{self, Conversion, Group};
use rehearsal::scenario::{self, Instead, TemplateSpec};
use rehearsal::{text_file, wire};

use crate::play::parameter;
use crate::terminal::{fail, note, say};
use crate::{BAD_INPUT, check};

#[derive(Args)]
pub(crate) struct Convert {
    /// The AppSpec
    file: PathBuf,
    /// A CloudFormation template with the deployment group, its service and its alarms; again for each that it imports from
    #[arg(long, value_name = "FILE", required_unless_present = "config")]
    template: Vec<PathBuf>,
    /// A parameter of the templates
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter, requires = "template")]
    parameter: Vec<(String, String)>,
    /// The deployment configuration, where there is no template
    #[arg(long, value_name = "NAME", conflicts_with = "template")]
    config: Option<String>,
    /// An alarm of the deployment group; again for each
    #[arg(long, value_name = "NAME")]
    alarm: Vec<String>,
    /// ARN of the role that ECS calls the functions with
    #[arg(long, value_name = "ARN")]
    hook_role: String,
}

impl Convert {
    pub(crate) fn go(self) -> ExitCode {
        match self.converted() {
            Err(message) => fail(&message, BAD_INPUT),
            Ok(Conversion { configuration, missing, different }) => {
                say(&format!("{:#}", wire::told_deployment_configuration(&configuration)));
                missing.iter().for_each(|text| note(&format!("has no counterpart: {text}")));
                different.iter().for_each(|text| note(&format!("is different: {text}")));
                ExitCode::SUCCESS
            }
        }
    }

    /// Nothing is made of an AppSpec that is wrong itself.
    fn converted(&self) -> Result<Conversion, String> {
        let text = text_file::read(&self.file).map_err(|error| error.of(&self.file))?;
        let source = self.file.display().to_string();
        check::app_spec(&text, &source, None)?;
        let spec = AppSpec::parse(&text, &source).map_err(|error| error.to_string())?;
        Ok(conversion::convert(&spec, &self.group()?, &self.hook_role))
    }

    /// Read as what a scenario says of it.
    fn group(&self) -> Result<Group, String> {
        let config =
            self.config.as_ref().map(|name| format!("deployment: {{ config: {name:?} }}\n")).unwrap_or_default();
        let alarms = if self.template.is_empty() { "alarms: []\n" } else { "" };
        let text = format!("story: a conversion\n{config}{alarms}");
        let files = self.template.iter().map(std::path::absolute).collect::<std::io::Result<_>>();
        let template = TemplateSpec {
            files: files.map_err(|error| error.to_string())?,
            parameters: self.parameter.iter().cloned().collect(),
        };
        let instead = Instead { template: (!self.template.is_empty()).then_some(template), engine: None };
        let read = scenario::read(&text, "--config", Path::new("."), &instead);
        let (scenario, _) = read.map_err(|error| error.to_string())?;
        Ok(Group::of(&scenario, &self.alarm))
    }
}
