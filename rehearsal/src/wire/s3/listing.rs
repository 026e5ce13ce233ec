//! What lies in a bucket, page by page.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;

use super::super::context::Context;
use super::super::refusal::Refusal;
use super::super::{body as full, xml};
use super::{bucket_and_key, e_tag, no_such_bucket};
use crate::world::stores::Object;

/// Of one page at most.
const MOST: usize = 1000;

/// The parameters that are implemented.
const KNOWN: [&str; 7] =
    ["continuation-token", "delimiter", "encoding-type", "list-type", "max-keys", "prefix", "x-id"];

/// A line of the list: an object, or everything below a folder in one.
enum Line {
    Object { key: String, modified_at: Timestamp, e_tag: String, bytes: usize },
    Folder(String),
}

pub(super) fn answer(context: &Context<'_>, parts: &Parts) -> Result<Response<Full<Bytes>>, Refusal> {
    let (bucket, _) = bucket_and_key(parts).ok_or_else(no_such_bucket)?;
    let query = parts.uri.query().unwrap_or_default();
    let asked: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    if let Some(unknown) = asked.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        let refusal = Refusal::not_implemented(&format!("s3:ListObjectsV2 with {unknown}"));
        return Err(Refusal { code: "NotImplemented".to_owned(), ..refusal });
    }
    let invalid = |message: &str| Refusal::new("InvalidArgument", message).with_status(StatusCode::BAD_REQUEST);
    let text = |name: &str| asked.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let most = match text("max-keys").map(str::parse::<usize>) {
        None => MOST,
        Some(Ok(most)) => most.min(MOST),
        Some(Err(_)) => return Err(invalid("Provided max-keys not an integer or within integer range")),
    };
    let (prefix, delimiter) = (text("prefix").unwrap_or_default(), text("delimiter"));
    let lines = lines(context, &bucket, prefix, delimiter)?;
    let page = context.page(lines, text("continuation-token"), Some(most), MOST);
    let (lines, next) = page.ok_or_else(|| invalid("The continuation token provided is incorrect"))?;

    let as_url = text("encoding-type") == Some("url");
    let key = |text: &str| if as_url { in_url(text) } else { text.to_owned() };
    let mut document = xml::Document::new();
    document.within("ListBucketResult", Some("http://s3.amazonaws.com/doc/2006-03-01/"), |document| {
        document.leaf("Name", &bucket);
        document.leaf("Prefix", &key(prefix));
        for (name, value) in [("Delimiter", delimiter.map(key)), ("EncodingType", as_url.then(|| "url".to_owned()))] {
            if let Some(value) = value {
                document.leaf(name, &value);
            }
        }
        document.leaf("MaxKeys", &most.to_string());
        document.leaf("KeyCount", &lines.len().to_string());
        document.leaf("IsTruncated", if next.is_some() { "true" } else { "false" });
        for (name, token) in
            [("ContinuationToken", text("continuation-token")), ("NextContinuationToken", next.as_deref())]
        {
            if let Some(token) = token {
                document.leaf(name, token);
            }
        }
        for line in &lines {
            match line {
                Line::Object { key: of, modified_at, e_tag, bytes } => document.within("Contents", None, |document| {
                    document.leaf("Key", &key(of));
                    let modified_at = context.world.clock.to_client(*modified_at);
                    document.leaf("LastModified", &modified_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
                    document.leaf("ETag", e_tag);
                    document.leaf("Size", &bytes.to_string());
                    document.leaf("StorageClass", "STANDARD");
                }),
                Line::Folder(prefix) => {
                    document.within("CommonPrefixes", None, |document| document.leaf("Prefix", &key(prefix)));
                }
            }
        }
    });
    let mut response = Response::new(full(document.into_bytes()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    Ok(response)
}

/// In the order of their keys, which is that of their bytes.
fn lines(context: &Context<'_>, bucket: &str, prefix: &str, delimiter: Option<&str>) -> Result<Vec<Line>, Refusal> {
    context.world.read(|state| {
        let mut of_bucket = state.stores.objects.iter().filter(|((of, _), _)| of == bucket).peekable();
        if of_bucket.peek().is_none() {
            return Err(no_such_bucket());
        }
        let mut lines = Vec::new();
        for ((_, key), object) in of_bucket {
            let Some(rest) = key.strip_prefix(prefix) else { continue };
            match delimiter.and_then(|delimiter| rest.find(delimiter).map(|end| end + delimiter.len())) {
                None => lines.push(line(key, object)),
                Some(end) => {
                    let folder = format!("{prefix}{}", &rest[..end]);
                    if !matches!(lines.last(), Some(Line::Folder(last)) if *last == folder) {
                        lines.push(Line::Folder(folder));
                    }
                }
            }
        }
        Ok(lines)
    })
}

fn line(key: &str, object: &Object) -> Line {
    Line::Object {
        key: key.to_owned(),
        modified_at: object.modified_at,
        e_tag: e_tag(&object.body),
        bytes: object.body.len(),
    }
}

/// As S3 writes a key into a URL: a form, but with its slashes.
fn in_url(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace("%2F", "/")
}
