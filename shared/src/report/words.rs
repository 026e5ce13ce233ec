//! How texts are made fit for a report: one line, capped, an error with its causes.

use std::error::Error;

/// Longest piece of text that is shown of anything a stranger wrote.
pub const LINE: usize = 400;

/// The text on one line of at most `most` characters: line breaks, tabs and control characters become spaces, what is
/// left out becomes `…`.
pub fn one_line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most));
    let mut length = 0;
    let mut gap = false;
    for character in text.trim().chars() {
        if character.is_whitespace() || is_invisible(character) {
            gap = true;
            continue;
        }
        if length + usize::from(gap) + 1 > most {
            line.push('…');
            return line;
        }
        if gap {
            line.push(' ');
            length += 1;
            gap = false;
        }
        line.push(character);
        length += 1;
    }
    line
}

/// Control characters, and those that turn the direction of the text around.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// An error and its causes, each once, from the outside in: `could not read X: refused: no such host`.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !next.is_empty() && !words.ends_with(&next) {
            words.push_str(": ");
            words.push_str(&next);
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_stays_on_its_line() {
        assert_eq!(one_line("  db:\n\tconnection\r\n refused \u{1b}[31m\u{202e}", 80), "db: connection refused [31m");
        assert_eq!(one_line("abcdef", 4), "abcd…");
        assert_eq!(one_line("äöü ß", 5), "äöü ß");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Self>>);

    #[test]
    fn every_cause_is_named_once() {
        let error = Layer("the plan", Some(Box::new(Layer("refused", Some(Box::new(Layer("refused", None)))))));
        assert_eq!(chain(&error), "the plan: refused");
    }
}
