//! What is made of a deployment before it begins, and what must come of it.

use greenlight::stage::Stage;

/// Whether a deployment is good, or what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing.
    Good,
    /// Its image was never pushed.
    ImageIsMissing,
    /// Green's task set is of blue's revision.
    OfAnotherRevision,
    /// Green says that it is another version.
    SaysAnotherVersion,
    /// The last of its migrations cannot be applied.
    MigrationFails,
    /// In production it does not answer as the plan expects.
    AnswersOtherwise,
}

impl Fate {
    /// Of the deployment with this number, from 0: seven of twelve are good, and each way to fail comes once.
    pub fn of(number: usize) -> Self {
        const TURN: [Fate; 12] = [
            Fate::Good,
            Fate::ImageIsMissing,
            Fate::Good,
            Fate::AnswersOtherwise,
            Fate::Good,
            Fate::SaysAnotherVersion,
            Fate::Good,
            Fate::MigrationFails,
            Fate::Good,
            Fate::OfAnotherRevision,
            Fate::Good,
            Fate::Good,
        ];
        TURN[number % TURN.len()]
    }

    /// The stage whose hook must stop it, and the check that must say why; `None` for a good one.
    pub fn stops_at(self) -> Option<(Stage, &'static str)> {
        match self {
            Self::Good => None,
            Self::ImageIsMissing => Some((Stage::BeforeInstall, "images-exist")),
            Self::OfAnotherRevision => Some((Stage::AfterInstall, "green-runs-target-revision")),
            Self::SaysAnotherVersion => Some((Stage::AfterAllowTestTraffic, "green-answers")),
            Self::MigrationFails => Some((Stage::BeforeAllowTraffic, "migrations-apply")),
            Self::AnswersOtherwise => Some((Stage::AfterAllowTraffic, "requests-pass")),
        }
    }

    /// The versions of the migrations that its database has recorded at the end.
    pub fn migrations(self) -> &'static [i64] {
        match self {
            Self::Good | Self::AnswersOtherwise => &[1, 2, 3],
            Self::MigrationFails => &[1, 2],
            Self::ImageIsMissing | Self::OfAnotherRevision | Self::SaysAnotherVersion => &[1],
        }
    }
}
