//! S3, as far as AppSpec files and migrations need it: objects by path, no versions, no parts, and lists of them. A bucket
//! exists once it holds an object.

mod listing;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, RANGE};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;

use super::context::{Context, short_hash};
use super::refusal::Refusal;
use super::{body as full, xml};
use crate::world::World;
use crate::world::stores::Object;

/// What is implemented.
pub(super) const OPERATIONS: [&str; 4] = ["GetObject", "HeadObject", "ListObjectsV2", "PutObject"];

/// The operation of a request, by method and path; what is not implemented by its method and query.
pub(super) fn operation(parts: &Parts) -> String {
    let has_key = bucket_and_key(parts).is_some_and(|(_, key)| !key.is_empty());
    let query = parts.uri.query().unwrap_or_default();
    let names = || form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
    let sub_resource =
        names().find(|name| !name.to_ascii_lowercase().starts_with("x-amz-") && name != "x-id" && name != "versionId");
    let lists = names().any(|name| name == "list-type");
    let copies = parts.headers.contains_key("x-amz-copy-source");
    match (&parts.method, has_key, sub_resource) {
        (&Method::GET, true, None) => "GetObject".to_owned(),
        (&Method::HEAD, true, None) => "HeadObject".to_owned(),
        (&Method::PUT, true, None) if copies => "CopyObject".to_owned(),
        (&Method::PUT, true, None) => "PutObject".to_owned(),
        (&Method::DELETE, true, None) => "DeleteObject".to_owned(),
        (&Method::GET, false, None) if parts.uri.path() == "/" => "ListBuckets".to_owned(),
        (&Method::PUT, false, None) => "CreateBucket".to_owned(),
        (&Method::HEAD, false, None) => "HeadBucket".to_owned(),
        (&Method::GET, false, _) if lists => "ListObjectsV2".to_owned(),
        (method, _, sub_resource) => format!("{method}?{}", sub_resource.unwrap_or_default()),
    }
}

/// Answers a request.
pub(super) fn answer(context: &Context<'_>, parts: &Parts, body: &Bytes) -> Result<Response<Full<Bytes>>, Refusal> {
    match context.operation {
        "GetObject" | "HeadObject" => get(context.world, parts),
        "ListObjectsV2" => listing::answer(context, parts),
        "PutObject" => put(context.world, parts, body),
        other => Err(Refusal { code: "NotImplemented".to_owned(), ..Refusal::not_implemented(&format!("s3:{other}")) }),
    }
}

/// Writes an error.
pub(super) fn write_error(refusal: &Refusal, request_id: &str) -> Vec<u8> {
    let mut document = xml::Document::new();
    document.within("Error", None, |document| {
        document.leaf("Code", &refusal.code);
        document.leaf("Message", &refusal.message);
        document.leaf("RequestId", request_id);
    });
    document.into_bytes()
}

fn get(world: &World, parts: &Parts) -> Result<Response<Full<Bytes>>, Refusal> {
    let (bucket, key) = bucket_and_key(parts).ok_or_else(no_such_bucket)?;
    let (object, bucket_exists) = world.read(|state| {
        let objects = &state.stores.objects;
        (objects.get(&(bucket.clone(), key.clone())).cloned(), objects.keys().any(|(other, _)| *other == bucket))
    });
    let object = object.ok_or_else(|| {
        let missing = Refusal::new("NoSuchKey", "The specified key does not exist.");
        if bucket_exists { missing.with_status(StatusCode::NOT_FOUND) } else { no_such_bucket() }
    })?;
    let modified = world.clock.to_client(object.modified_at).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let mut wanted = query.filter(|(name, _)| name == "versionId").map(|(_, version)| version);
    if wanted.any(|version| version != object.version()) {
        let message = "The specified version does not exist.";
        return Err(Refusal::new("NoSuchVersion", message).with_status(StatusCode::NOT_FOUND));
    }
    let e_tag = e_tag(&object.body);
    let part = parts.headers.get(RANGE).map(|range| part(range, object.body.len())).transpose()?;
    // A HEAD request is told the length; hyper leaves the body away.
    let mut response = Response::new(full(match &part {
        Some((first, last)) => object.body[*first..=*last].to_vec(),
        None => object.body.clone(),
    }));
    if let Some((first, last)) = part {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let whole = format!("bytes {first}-{last}/{}", object.body.len());
        response
            .headers_mut()
            .insert(CONTENT_RANGE, HeaderValue::from_str(&whole).expect("digits are a header's value"));
    }
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("binary/octet-stream"));
    headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
    for (name, value) in [(ETAG, e_tag), (LAST_MODIFIED, modified)] {
        headers.insert(name, HeaderValue::from_str(&value).expect("a date and hex digits are a header's value"));
    }
    Ok(response)
}

/// First and last byte of `bytes=FIRST-LAST`, the one form that is implemented, in an object of this length.
fn part(range: &HeaderValue, length: usize) -> Result<(usize, usize), Refusal> {
    let asked = range.to_str().ok().and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let asked = asked.and_then(|(first, last)| Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?)));
    let Some((first, last)) = asked.filter(|(first, last)| first <= last) else {
        return Err(Refusal {
            code: "NotImplemented".to_owned(),
            ..Refusal::not_implemented("s3:GetObject with such a range")
        });
    };
    if first >= length {
        let refusal = Refusal::new("InvalidRange", "The requested range is not satisfiable");
        return Err(refusal.with_status(StatusCode::RANGE_NOT_SATISFIABLE));
    }
    Ok((first, last.min(length - 1)))
}

fn put(world: &World, parts: &Parts, body: &Bytes) -> Result<Response<Full<Bytes>>, Refusal> {
    let (bucket, key) = bucket_and_key(parts).ok_or_else(no_such_bucket)?;
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let chunked = text(CONTENT_ENCODING.as_str()).contains("aws-chunked")
        || text("x-amz-content-sha256").starts_with("STREAMING-");
    let content = if chunked {
        unchunk(body).ok_or_else(|| Refusal::new("IncompleteBody", "The request body terminated unexpectedly"))?
    } else {
        body.to_vec()
    };
    let mut response = Response::new(full(Bytes::new()));
    let e_tag = HeaderValue::from_str(&e_tag(&content)).expect("hex digits are a header's value");
    response.headers_mut().insert(ETAG, e_tag);
    let modified_at = world.now();
    world.update(|state| state.stores.objects.insert((bucket, key), Object { body: content, modified_at }));
    Ok(response)
}

/// `/bucket/key…`, decoded.
pub(super) fn bucket_and_key(parts: &Parts) -> Option<(String, String)> {
    let path = parts.uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (!bucket.is_empty()).then(|| (percent_decode(bucket), percent_decode(key)))
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten();
        let decoded = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(*first));
        rest = if decoded.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The content of an `aws-chunked` body: `size;chunk-signature=…`, the chunk, …, a chunk of size 0, trailers.
fn unchunk(body: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let mut rest = body;
    loop {
        let line_ends = rest.windows(2).position(|it| it == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..line_ends]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(content);
        }
        rest = &rest[line_ends + 2..];
        content.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}

/// Not an MD5, which clients may not rely on either.
fn e_tag(content: &[u8]) -> String {
    format!("\"{}\"", short_hash(&String::from_utf8_lossy(content), 32))
}

fn no_such_bucket() -> Refusal {
    Refusal::new("NoSuchBucket", "The specified bucket does not exist").with_status(StatusCode::NOT_FOUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_put_together_and_its_trailer_left_away() {
        let body = b"5\r\nhello\r\n6;chunk-signature=0\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAA==\r\n\r\n";
        assert_eq!(unchunk(body).as_deref(), Some(b"hello world".as_slice()));
        assert_eq!(unchunk(b"5\r\nhel"), None);
    }

    #[test]
    fn a_range_ends_where_the_object_ends() {
        let part = |range: &'static str| part(&HeaderValue::from_static(range), 10).map_err(|refusal| refusal.code);
        assert_eq!(part("bytes=0-3"), Ok((0, 3)));
        assert_eq!(part("bytes=8-262144"), Ok((8, 9)));
        assert_eq!(part("bytes=10-12"), Err("InvalidRange".to_owned()));
        assert_eq!(part("bytes=-5"), Err("NotImplemented".to_owned()));
    }

    #[test]
    fn a_path_is_decoded() {
        assert_eq!(percent_decode("orders%2F42/app%20spec+1.yaml%"), "orders/42/app spec+1.yaml%");
    }
}
