//! AWS's own Python client against the endpoint: its service models judge every answer.

use std::path::Path;

use rehearsal::lambda;
use rehearsal::wire::{Wire, implemented};

#[path = "fixture/world.rs"]
mod fixture;
#[path = "fixture/function.rs"]
mod function;
#[path = "support/python.rs"]
mod python;

/// Functions end with the test.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Two endpoints of one world, one of which answers lists in pages of two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_understands_every_answer() {
    let world = fixture::world();
    function::add(&world, &python::python());
    let wire = Wire::start(world.clone(), None).await.expect("loopback can be listened on");
    let settings = lambda::Settings { endpoint_url: wire.url().to_owned(), reaper: None };
    let _functions = AbortOnDrop(tokio::spawn(lambda::run(world.clone(), settings)));
    let paged = Wire::new(world).page_size(2).serve(None).await.expect("loopback can be listened on");
    let operations: Vec<String> = implemented().iter().map(|(service, name)| format!("{service}:{name}")).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3/run.py");
    let run = tokio::process::Command::new(python::python())
        .arg(&script)
        .env("GREENLIGHT_WIRE_URL", wire.url())
        .env("GREENLIGHT_WIRE_PAGED_URL", paged.url())
        .env("GREENLIGHT_WIRE_OPERATIONS", operations.join(" "))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await
        .expect("the interpreter was found before");
    assert!(run.status.success(), "{}\n{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    let unanswered: Vec<_> = wire.calls().into_iter().filter(|call| call.took.is_none()).collect();
    assert!(unanswered.is_empty(), "calls without an answer: {unanswered:?}");
}
