//! A page of a bucket's listing: how it is asked for, and how it is read.

use std::borrow::Cow;

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::ports::BucketFolder;

/// Objects by key and size, and what leads to the next page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::aws) struct Page {
    pub(in crate::aws) objects: Vec<(String, u64)>,
    pub(in crate::aws) next: Option<String>,
}

/// Path and query. The delimiter leaves deeper folders out; keys come as they stand in a URL, for XML cannot say them all.
pub(super) fn path(folder: &BucketFolder, token: Option<&str>) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let token = token.map(|token| format!("&continuation-token={}", encoded(token))).unwrap_or_default();
    format!("/{}?list-type=2&delimiter=%2F&encoding-type=url&prefix={}{token}", folder.bucket, encoded(&folder.prefix))
}

/// Reads a `ListBucketResult`.
pub(super) fn read(body: &[u8]) -> Result<Page, XmlDecodeError> {
    let mut document = Document::try_from(body)?;
    let mut root = document.root_element()?;
    if !root.start_el().matches("ListBucketResult") {
        return Err(XmlDecodeError::custom("no ListBucketResult"));
    }
    let mut page = Page::default();
    while let Some(mut tag) = root.next_tag() {
        match tag.start_el().local() {
            "Contents" => page.objects.push(object(&mut tag)?),
            "NextContinuationToken" => page.next = Some(try_data(&mut tag)?.into_owned()),
            _ => {}
        }
    }
    Ok(page)
}

fn object(contents: &mut ScopedDecoder<'_, '_>) -> Result<(String, u64), XmlDecodeError> {
    let (mut key, mut size) = (None, None);
    while let Some(mut tag) = contents.next_tag() {
        match tag.start_el().local() {
            "Key" => key = Some(decoded(&try_data(&mut tag)?)?),
            "Size" => size = try_data(&mut tag)?.parse().ok(),
            _ => {}
        }
    }
    key.zip(size).ok_or_else(|| XmlDecodeError::custom("an object has no key or no size"))
}

/// As in a form: a space is a plus sign.
fn decoded(key: &str) -> Result<String, XmlDecodeError> {
    let spaces = key.replace('+', "%20");
    let decoded = percent_decode_str(&spaces).decode_utf8().map(Cow::into_owned);
    decoded.map_err(XmlDecodeError::unhandled)
}

#[cfg(test)]
mod tests {
    use super::{Page, path, read};
    use crate::ports::BucketFolder;

    #[test]
    fn a_page_is_asked_for_by_its_token() {
        let folder = BucketFolder { bucket: "shop".to_owned(), prefix: "orders & co/".to_owned() };
        assert_eq!(
            path(&folder, None),
            "/shop?list-type=2&delimiter=%2F&encoding-type=url&prefix=orders%20%26%20co%2F"
        );
        assert!(path(&folder, Some("1+/=")).ends_with("&continuation-token=1%2B%2F%3D"));
    }

    #[test]
    fn keys_sizes_and_the_next_page_are_read() {
        let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Name>shop</Name><Prefix>a%2F</Prefix><KeyCount>2</KeyCount><IsTruncated>true</IsTruncated>\
            <Contents><Key>a/1_%C3%A9+x.sql</Key><LastModified>2026-11-21T13:00:00.000Z</LastModified><Size>12</Size></Contents>\
            <Contents><Size>0</Size><Key>a/2%2Bb.sql</Key></Contents>\
            <CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes>\
            <NextContinuationToken>1ueGc/&amp;</NextContinuationToken></ListBucketResult>";
        let objects = vec![("a/1_é x.sql".to_owned(), 12), ("a/2+b.sql".to_owned(), 0)];
        assert_eq!(read(body.as_bytes()).expect("a page"), Page { objects, next: Some("1ueGc/&".to_owned()) });
    }

    #[test]
    fn what_is_no_page_is_no_empty_folder() {
        for body in
            ["", "<html>", "<html></html>", "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>"]
        {
            read(body.as_bytes()).expect_err(body);
        }
    }
}
