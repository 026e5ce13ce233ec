//! STS: who am I.

use serde::{Deserialize, Serialize};

use super::context::{Context, Operation, short_hash};
use super::permissions::principal;
use super::refusal::Refusal;
use crate::world::ACCOUNT;

/// What is implemented.
pub(super) const OPERATIONS: &[(&str, Operation)] =
    &[("GetCallerIdentity", |context, input| context.run(input, get_caller_identity))];

#[derive(Deserialize)]
struct GetCallerIdentity {}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CallerIdentity {
    user_id: String,
    account: &'static str,
    arn: String,
}

fn get_caller_identity(
    context: &Context<'_>,
    GetCallerIdentity {}: GetCallerIdentity,
) -> Result<CallerIdentity, Refusal> {
    let arn = principal(context.caller);
    let kind = if context.caller.is_some() { "AROA" } else { "AIDA" };
    let id = format!("{kind}{}", short_hash(&arn, 17).to_uppercase());
    let user_id = context.caller.map_or_else(|| id.clone(), |function| format!("{id}:{function}"));
    Ok(CallerIdentity { user_id, account: ACCOUNT, arn })
}
