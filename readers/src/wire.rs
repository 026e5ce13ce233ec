//! A call to AWS, answered in the middle of a deployment: first line, headers, an empty line, body, as HTTP 1.1 has it; a
//! length is not needed.

mod answer;
#[path = "../../rehearsal/tests/fixture/world.rs"]
mod fixture;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use rehearsal::wire::Wire;

/// Of a clock that only ever jumps: whatever has no answer by then waits for a function that nobody runs.
const LONG: Duration = Duration::from_secs(3600);

pub(crate) fn read(bytes: &[u8]) {
    let Some(request) = request(bytes) else { return };
    let (method, path, asked) = (request.method().clone(), request.uri().path().to_owned(), request.body().len());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let answered = runtime.expect("a runtime").block_on(async {
        let wire = Wire::new(fixture::world()).page_size(1);
        tokio::time::timeout(LONG, wire.answer(request)).await
    });
    match answered {
        Ok(response) => answer::is_of_aws(response.expect("no fault was asked for"), &method, asked),
        Err(_) => assert!(method == Method::POST && path.ends_with("/invocations"), "{method} {path} has no answer"),
    }
}

/// The request, where hyper would take it for one.
fn request(bytes: &[u8]) -> Option<Request<Bytes>> {
    let mut rest = bytes;
    let first = line(&mut rest)?;
    let mut words = first.split(' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    loop {
        let header = line(&mut rest)?;
        if header.is_empty() {
            return request.body(Bytes::copy_from_slice(rest)).ok();
        }
        let (name, value) = header.split_once(':')?;
        request = request.header(name, value.trim());
    }
}

/// The next line of the head, without its end.
fn line<'b>(rest: &mut &'b [u8]) -> Option<&'b str> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = rest.split_at(end);
    *rest = &after[1..];
    std::str::from_utf8(line).ok().map(|line| line.trim_end_matches('\r'))
}
