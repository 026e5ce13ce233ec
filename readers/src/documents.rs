//! What holds for every document that a person wrote.

use std::borrow::Cow;

use greenlight::document::{DocumentError, MOST_TOLD, Mistakes};

/// The document's name in messages.
pub(crate) const SOURCE: &str = "it.yaml";

/// Bytes of one mistake at most, with the line it stands on: a person reads it.
const LONGEST: usize = 4 * 1024;

/// A value that nobody may read in a message.
const SECRET: &str = "horse-battery-staple";

/// The text of the bytes; what is none becomes a character that stands for it.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Reads the text. What must hold: a refusal can be acted on, a comment above it changes nothing, and a password below it is
/// in no message.
pub(crate) fn read<T>(text: &str, parse: impl Fn(&str) -> Result<T, Mistakes>) -> Option<T> {
    let read = parse(text);
    if let Err(mistakes) = &read {
        can_be_acted_on(mistakes, text);
    }
    // A byte order mark and a directive have to come first.
    if !text.starts_with(['\u{feff}', '%']) {
        let below = parse(&format!("# a comment\n{text}"));
        assert_eq!(below.is_ok(), read.is_ok(), "below a comment it is {:?}", below.err().map(|it| it.to_string()));
    }
    if !text.contains(SECRET)
        && let Err(mistakes) = parse(&format!("{text}\npassword: {SECRET}\n"))
    {
        let told = mistakes.to_string();
        assert!(!told.contains(SECRET), "{told}");
    }
    read.ok()
}

/// It names the place of every mistake, and is no longer than a person reads.
pub(crate) fn can_be_acted_on(mistakes: &Mistakes, text: &str) {
    let lines = text.split(['\n', '\r']).count() as u64;
    assert!((1..=MOST_TOLD).contains(&mistakes.iter().count()), "{mistakes}");
    for mistake in mistakes.iter() {
        is_short(mistake);
        let place = format!("{SOURCE}:{}:{}: ", mistake.line(), mistake.column());
        assert!(mistake.one_line().starts_with(&place), "{mistake}");
        assert!((1..=lines + 1).contains(&mistake.line()), "{mistake}: there are {lines} lines");
    }
}

/// It has one line and the one it quotes, and neither moves a terminal's cursor.
pub(crate) fn is_short(mistake: &DocumentError) {
    let told = mistake.to_string();
    assert!(!mistake.message().is_empty(), "{told}");
    assert!(!mistake.one_line().contains(char::is_control), "{told:?}");
    assert!(told.chars().all(|letter| letter == '\n' || !letter.is_control()), "{told:?}");
    assert!(told.len() <= LONGEST, "a message of {} bytes", told.len());
}
