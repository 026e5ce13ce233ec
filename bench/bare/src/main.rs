//! The least that a Lambda function in Rust can be: it takes an event and answers nothing.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(_event: LambdaEvent<Value>) -> Result<(), Error> {
    Ok(())
}
