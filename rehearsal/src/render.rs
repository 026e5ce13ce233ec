//! `rehearse appspec render`: fills in an AppSpec.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rehearsal::appspec::{Filling, render};
use rehearsal::text_file;

use crate::terminal::{fail, say};
use crate::{BAD_INPUT, check};

#[derive(Subcommand)]
pub(crate) enum AppSpec {
    /// Fills in task definition, container, port and greenlight's functions, and says what is wrong with the result
    Render(Render),
}

#[derive(Args)]
pub(crate) struct Render {
    /// The AppSpec to fill in, as one of those in appspec/
    file: PathBuf,
    /// ARN of the task definition, with its revision
    #[arg(long, value_name = "ARN")]
    task_definition: Option<String>,
    /// The container that the load balancer talks to
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Its port
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// What `aws cloudformation describe-stacks --stack-name greenlight` printed: the functions' ARNs
    #[arg(long, value_name = "FILE")]
    outputs: Option<PathBuf>,
    /// Where the result goes; printed when missing
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl AppSpec {
    pub(crate) fn go(self) -> ExitCode {
        let Self::Render(render) = self;
        match render.rendered() {
            Err(message) => fail(&message, BAD_INPUT),
            Ok(text) => match &render.to {
                None => {
                    say(text.trim_end_matches('\n'));
                    ExitCode::SUCCESS
                }
                Some(file) => match std::fs::write(file, text) {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(error) => fail(&format!("{} cannot be written: {error}", file.display()), 1),
                },
            },
        }
    }
}

impl Render {
    /// Nothing that is still wrong is given out.
    fn rendered(&self) -> Result<String, String> {
        let read = |file: &Path| text_file::read(file).map_err(|error| error.of(file));
        let of_stack =
            |file: &PathBuf| Filling::hooks_of(&read(file)?).map_err(|error| format!("{}: {error}", file.display()));
        let filling = Filling {
            task_definition: self.task_definition.clone(),
            container_name: self.container.clone(),
            container_port: self.port,
            hooks: self.outputs.as_ref().map(of_stack).transpose()?.unwrap_or_default(),
        };
        let source = self.file.display().to_string();
        let text = render(&read(&self.file)?, &filling).map_err(|error| format!("{source}: {error}"))?;
        check::app_spec(&text, &source, None)?;
        Ok(text)
    }
}
