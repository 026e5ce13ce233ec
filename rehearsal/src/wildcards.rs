//! Patterns with `*` and `?`, as a load balancer's rules and IAM's policies have them.

/// Whether `a` is `A`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// It is not.
    Told,
    /// It is.
    Ignored,
}

/// Whether `text` is of the pattern: `*` is any run of characters, `?` is one.
pub(crate) fn matches(pattern: &str, text: &str, case: Case) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let same = |one: u8, other: u8| match case {
        Case::Told => one == other,
        Case::Ignored => one.eq_ignore_ascii_case(&other),
    };
    let (mut at, mut next) = (0, 0);
    // Where the last star stood, and how far it reaches so far.
    let mut star: Option<(usize, usize)> = None;
    while next < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(&wanted) if wanted == b'?' || same(wanted, text[next]) => {
                at += 1;
                next += 1;
            }
            _ => {
                let Some((stood, reached)) = star else { return false };
                star = Some((stood, reached + 1));
                at = stood + 1;
                next = reached + 1;
            }
        }
    }
    pattern[at..].iter().all(|left| *left == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_run_and_question_marks_for_one() {
        let table = [
            ("*", "", true),
            ("/orders/*", "/orders/", true),
            ("/orders/*", "/orders", false),
            ("/*/lines/?", "/orders/7/lines/3", true),
            ("/*/lines/?", "/orders/7/lines/31", false),
            ("*.example.com", "a.b.example.com", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("?", "", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text, Case::Told), expected, "{pattern} on {text}");
        }
    }
}
