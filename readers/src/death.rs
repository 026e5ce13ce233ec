//! What AWS tells of a hook that died: a message of a queue, or lines of its log.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::hook_files::death::{Asked, Death, Notice};

/// Characters of how it ended at most.
const LONGEST: usize = 300;

pub(crate) fn read(bytes: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<Value>(bytes) {
        read_event(&event);
        // The inner documents too, without which nothing would find its way through base64 and gzip.
        read_event(&json!({ "awslogs": { "data": STANDARD.encode(packed(bytes)) } }));
    }
    read_event(&json!({ "awslogs": { "data": STANDARD.encode(bytes) } }));
    let body = String::from_utf8_lossy(bytes);
    read_event(&json!({ "Records": [{ "messageId": "m-1", "eventSource": "aws:sqs", "body": body }] }));
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(bytes).and_then(|()| packer.finish()).expect("it is packed into memory")
}

fn read_event(event: &Value) {
    match crate::hook_files::death::read(event) {
        Ok(notices) => {
            let records = event["Records"].as_array();
            assert!(records.is_none_or(|records| records.len() == notices.len()), "every message is told of");
            notices.iter().for_each(is_told);
        }
        Err(strange) => {
            let told = strange.to_string();
            assert!(!told.contains(char::is_control) && told.chars().count() <= LONGEST * 2, "{told:?}");
        }
    }
}

fn is_told(notice: &Notice) {
    match &notice.death {
        Err(why) => assert!(!why.is_empty(), "it says why"),
        Ok(Death { how, asked, .. }) => {
            assert!(!how.contains(char::is_control) && how.chars().count() <= LONGEST, "{how:?}");
            let from_log = matches!(asked, Asked::Log(_));
            assert_eq!(notice.message.is_none(), from_log, "what comes from the queue has an event");
        }
    }
}
