//! Whether files are judged as they are labelled.

use greenlight_lint::{Finding, Weight};

use crate::file::File;

/// Those that are not, with what is told of them.
pub(crate) fn wrong(files: &[File], judge: impl Fn(&File) -> Vec<Finding>) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files {
        let found = judge(file);
        let mut stops = found.iter().filter(|finding| finding.weight == Weight::Stops);
        let right = match file.harm {
            Some(harm) => stops.any(|finding| finding.harm == harm),
            None => stops.next().is_none(),
        };
        if !right {
            let told: Vec<_> = found.iter().map(|it| format!("  {:?} {it}", it.weight)).collect();
            wrong.push(format!("{}\n{}", file.name, told.join("\n")));
        }
    }
    wrong
}
