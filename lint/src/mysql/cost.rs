//! What a change of a table costs blue, by how the server does it.
//! <https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html>,
//! <https://mariadb.com/docs/server/server-usage/storage-engines/innodb/innodb-online-ddl>; where both differ, the dearer.

use super::reader::Reader;
use crate::finding::Verdict;
use crate::statements::Token;

pub(super) const APART: &str =
    "do it apart from deployments, with gh-ost or pt-online-schema-change, which fill a copy beside blue";
const SAY_INSTANT: &str = "add ALGORITHM=INSTANT";
const SAY_ONLINE: &str = "add ALGORITHM=INPLACE, LOCK=NONE, so that a server that would lock the table refuses";

/// How the server does it when nothing else is said, from the cheapest to the dearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cost {
    /// Only the dictionary is changed, by every server.
    Free,
    /// Only the dictionary is changed, by a server that is new enough.
    Instant,
    /// Something is built beside blue, which goes on writing.
    Online,
    /// The whole table is built anew beside blue, which goes on writing unless something in the table hinders it.
    Rebuild,
    /// Something is built in place, and nobody writes meanwhile.
    Locked,
    /// The table is copied, and nobody writes meanwhile.
    Copy,
}

/// What the statement says of how it is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) algorithm: Option<Algorithm>,
    pub(super) lock: Option<Lock>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Instant,
    /// `INPLACE`, and MariaDB's `NOCOPY`.
    Inplace,
    Copy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    None,
    /// `SHARED` and `EXCLUSIVE`.
    Held,
}

impl Said {
    /// Takes `ALGORITHM = …` or `LOCK = …`, if that comes next. `None` when what it says is not known.
    pub(super) fn takes(&mut self, reader: &mut Reader<'_, '_>) -> Option<bool> {
        if reader.eat(&["algorithm"]) {
            reader.mark('=');
            self.algorithm = match reader.eat_any(&["instant", "inplace", "nocopy", "copy", "default"])? {
                "instant" => Some(Algorithm::Instant),
                "inplace" | "nocopy" => Some(Algorithm::Inplace),
                "copy" => Some(Algorithm::Copy),
                _ => None,
            };
        } else if reader.is(&["lock"]) && reader.rest().get(1).is_some_and(|next| next.token != Token::Mark('.')) {
            reader.next();
            reader.mark('=');
            self.lock = match reader.eat_any(&["none", "shared", "exclusive", "default"])? {
                "none" => Some(Lock::None),
                "default" => None,
                _ => Some(Lock::Held),
            };
        } else {
            return Some(false);
        }
        Some(true)
    }

    /// What the statement does to blue because it asks for that.
    pub(super) fn verdict(self) -> Option<Verdict> {
        let asks = self.lock == Some(Lock::Held) || (self.algorithm == Some(Algorithm::Copy) && self.lock.is_none());
        asks.then(|| {
            Verdict::blocks(
                "its writes wait until it is done, for the statement asks for the copy or the lock",
                SAY_ONLINE,
            )
        })
    }
}

impl Cost {
    /// What blue suffers from it, done as is said; nothing where the server refuses that.
    pub(super) fn verdict(self, said: Said) -> Option<Verdict> {
        if said.verdict().is_some() || said.algorithm == Some(Algorithm::Instant) {
            return None;
        }
        let unsaid = said == Said::default();
        let beside =
            Verdict::blocks("the table is built anew beside blue, which takes time and room", APART).remarked();
        match self {
            Self::Free => None,
            Self::Instant => unsaid.then(|| {
                Verdict::blocks(
                    "a server that cannot do it at once rebuilds the table instead of refusing",
                    SAY_INSTANT,
                )
                .remarked()
            }),
            Self::Online => said.lock.is_none().then(|| {
                Verdict::blocks(
                    "a server that cannot do it beside blue's writes lets them wait instead of refusing",
                    SAY_ONLINE,
                )
                .remarked()
            }),
            Self::Rebuild if unsaid => Some(Verdict::blocks(
                "the table is built anew, and its writes wait where the server cannot do that beside them",
                SAY_ONLINE,
            )),
            Self::Rebuild => Some(beside),
            Self::Locked | Self::Copy if said.lock == Some(Lock::None) => None,
            Self::Locked => Some(Verdict::blocks("its writes wait until it is built", APART)),
            Self::Copy if said.algorithm == Some(Algorithm::Inplace) => None,
            Self::Copy => Some(Verdict::blocks("its writes wait while the table is copied", APART)),
        }
    }
}
