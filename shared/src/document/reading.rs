//! Reading a document with all its mistakes: each time without the entries that are known to be wrong.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_saphyr::Error;
use serde_saphyr::options::DuplicateKeyPolicy;

use super::error::{self, DocumentError};
use super::mistakes::MOST_TOLD;
use super::node::{Node, Value};
use super::walk::{Failure, LeftOut, Path, Walk};
use super::words;

/// Levels a document may nest. Without optimisation each takes up to 60 KB of a stack that may have 2 MB.
const MAX_DEPTH: usize = 24;

/// Bytes that are read of one document, again and again, in search of further mistakes: more would take seconds.
const MOST_READ: usize = 4 * 1024 * 1024;

/// What could be read of a document.
pub(super) struct Reading<T> {
    /// The document without the entries that are wrong; `None` when there is no reading it.
    pub(super) value: Option<T>,
    /// What is wrong with the others, as it was found.
    pub(super) mistakes: Vec<DocumentError>,
    /// Lists and mappings that lack an entry for that.
    pub(super) incomplete: Vec<Incomplete>,
    /// Whether it was given up with mistakes still to be found.
    pub(super) stopped: bool,
}

/// A list or mapping that is read without some of its entries, because these are mistakes.
pub(super) struct Incomplete {
    /// Line and column.
    pub(super) place: (u64, u64),
    lost: Vec<Lost>,
}

impl Incomplete {
    /// Whether it may have had this key.
    pub(super) fn may_have_had(&self, key: &str) -> bool {
        may_have_been(&self.lost, key)
    }
}

pub(super) fn read<T: DeserializeOwned>(text: &str, source: &str, remarks: &[(&str, &str)]) -> Reading<T> {
    let mut mistakes: Vec<DocumentError> = Vec::new();
    let mut left_out = LeftOut::new();
    // What is left out, by the list or mapping it belongs to.
    let mut lost = BTreeMap::<Path, Vec<Lost>>::new();
    let mut bytes_read = 0;
    loop {
        bytes_read += text.len();
        let (error, Failure { path, key }) = match once(text, &left_out) {
            Ok(value) => {
                let incomplete = incomplete(text, lost);
                return Reading { value: Some(value), mistakes, incomplete, stopped: false };
            }
            Err(failed) => *failed,
        };
        let mistake = error::translate(&error, source, remarks);
        let consequence = lost.get(&path).is_some_and(|lost| is_consequence(&error, lost));
        if !consequence && !mistakes.contains(&mistake) {
            mistakes.push(mistake);
        }
        let stopped = mistakes.len() >= MOST_TOLD || bytes_read >= MOST_READ;
        let Some((_, around)) = path.split_last() else {
            return Reading { value: None, mistakes, incomplete: Vec::new(), stopped };
        };
        lost.entry(around.to_vec())
            .or_default()
            .push(Lost { key: key.clone(), unknown: error::is_of_an_unknown_key(&error) });
        // What cannot even be passed over is no longer YAML, and what follows cannot be read.
        if stopped || left_out.insert(path, key).is_some() {
            return Reading { value: None, mistakes, incomplete: Vec::new(), stopped };
        }
    }
}

/// Reads it up to the first mistake in what is not left out.
fn once<T: DeserializeOwned>(text: &str, left_out: &LeftOut) -> Result<T, Box<(Error, Failure)>> {
    let walk = Walk::without(left_out);
    let read = serde_saphyr::with_deserializer_from_str_with_options(text, options(), |document| walk.read(document));
    read.map_err(|error| Box::new((error, walk.failure())))
}

/// An entry that is left out.
struct Lost {
    key: Option<String>,
    /// Whether there is no such key: then it is another one, misspelt.
    unknown: bool,
}

/// Whether what a list or mapping says of itself comes from the entries it lost: one of them may be what it lacks.
fn is_consequence(error: &Error, lost: &[Lost]) -> bool {
    match (error::missing_key(error), error) {
        (Some(missing), _) => may_have_been(lost, missing),
        (None, Error::Message { .. } | Error::SerdeInvalidValue { .. } | Error::SerdeInvalidLength { .. }) => true,
        _ => false,
    }
}

fn may_have_been(lost: &[Lost], key: &str) -> bool {
    lost.iter().any(|lost| {
        let name = lost.key.as_deref().unwrap_or_default();
        name == key || lost.unknown && words::nearest(name, [key]).is_some()
    })
}

/// Where the lists and mappings are that lost something.
fn incomplete(text: &str, lost: BTreeMap<Path, Vec<Lost>>) -> Vec<Incomplete> {
    if lost.is_empty() {
        return Vec::new();
    }
    let Some(root) = tree(text) else { return Vec::new() };
    let place = |path: &Path| {
        let node = path.iter().try_fold(&root, |node, index| {
            let index = usize::try_from(*index).ok()?;
            match &node.value {
                Value::List(items) => items.get(index),
                Value::Mapping(entries) => entries.get(index).map(|(_, node)| node),
                _ => None,
            }
        })?;
        Some((node.place.line(), node.place.column()))
    };
    lost.into_iter().filter_map(|(path, lost)| Some(Incomplete { place: place(&path)?, lost })).collect()
}

/// The document as a tree, whatever its keys; `None` where it is no YAML.
pub(super) fn tree(text: &str) -> Option<Node> {
    serde_saphyr::from_str_with_options(text, options()).ok()
}

/// The walk refuses what stands twice: the parser would not go on after it.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
    }
}
