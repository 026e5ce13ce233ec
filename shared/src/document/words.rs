//! Lists of valid words, and the one that was probably meant.

/// Words at least this alike (Jaro-Winkler, 0 to 1) are offered as *did you mean*.
const ALIKE: f64 = 0.78;

/// Words that are listed at most: more would be a page.
const MOST_LISTED: usize = 60;

/// The valid word that looks most like this one, if one does.
pub fn nearest<'a>(word: &str, valid: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    valid
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// ``expected one of `a`, `b`; did you mean `a`?``
pub fn one_of(word: &str, valid: &[&str]) -> String {
    let list = valid.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let mut text = match valid {
        [] => "expected nothing here".to_owned(),
        [_] => format!("expected {list}"),
        _ if valid.len() > MOST_LISTED => format!("it is none of {}", valid.len()),
        _ => format!("expected one of {list}"),
    };
    if let Some(meant) = nearest(word, valid.iter().copied()) {
        text.push_str(&format!("; did you mean `{meant}`?"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_finger_finds_its_word() {
        let valid = ["requests", "host", "green"];
        assert_eq!(nearest("request", valid), Some("requests"));
        assert_eq!(nearest("Hots", valid), Some("host"));
        assert_eq!(nearest("gren", valid), Some("green"));
    }

    #[test]
    fn a_word_like_no_other_finds_none() {
        assert_eq!(nearest("zzz", ["requests", "host", "green"]), None);
    }
}
