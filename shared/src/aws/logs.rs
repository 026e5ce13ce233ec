//! CloudWatch Logs: the last lines of a container.

use async_trait::async_trait;

use super::Aws;
use super::failure::{code, explain};
use crate::check::CannotTell;
use crate::ports::{LogStream, Logs};

/// Pages that are looked at: CloudWatch gives empty ones while there are events before them.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>
const PAGES: usize = 3;

#[async_trait]
impl Logs for Aws {
    async fn last_lines(&self, stream: &LogStream, most: u16) -> Result<Option<Vec<String>>, CannotTell> {
        let client = self.logs(stream.region.as_deref());
        let mut token: Option<String> = None;
        for _ in 0..PAGES {
            let call = client.get_log_events().log_group_name(&stream.group).log_stream_name(&stream.stream);
            let call = call.limit(i32::from(most)).start_from_head(false).set_next_token(token.clone());
            let page = match call.send().await {
                Ok(page) => page,
                Err(error) if code(&error) == Some("ResourceNotFoundException") => return Ok(None),
                Err(error) => {
                    let name = format!("{} in {}", stream.stream, stream.group);
                    return Err(explain("logs:GetLogEvents", &name, &error));
                }
            };
            let events = page.events.unwrap_or_default();
            if !events.is_empty() {
                return Ok(Some(events.into_iter().filter_map(|event| event.message).collect()));
            }
            if page.next_backward_token.is_none() || page.next_backward_token == token {
                break;
            }
            token = page.next_backward_token;
        }
        Ok(Some(Vec::new()))
    }
}
