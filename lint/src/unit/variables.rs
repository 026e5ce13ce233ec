//! `SELECT … INTO variable`, which only PL/pgSQL knows, and squawk's grammar of it does not.

use crate::statements::{Token, tokens};

/// The same block of PL/pgSQL with blanks where a query says into which variables its result goes: places stay the same.
pub(super) fn without_variables(block: &str) -> String {
    let mut plain = block.as_bytes().to_vec();
    let all: Vec<_> = tokens(block).collect();
    let word = |at: usize, wanted: &[&str]| all.get(at).is_some_and(|(token, _)| wanted.iter().any(|it| token.is(it)));
    let (mut query, mut begins) = (false, true);
    let mut at = 0;
    while at < all.len() {
        let (token, place) = &all[at];
        if begins {
            query = word(at, &["select", "with", "insert", "update", "delete", "merge", "values", "perform"]);
        }
        begins = *token == Token::Mark(';') || word(at, &["begin", "then", "else", "loop"]);
        let adds = at > 0 && word(at - 1, &["insert", "merge"]);
        if query && token.is("into") && !adds {
            let end = end_of_targets(&all, at + 1);
            let last = all[end - 1].1.end;
            for byte in plain[place.start..last].iter_mut().filter(|byte| **byte != b'\n') {
                *byte = b' ';
            }
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8(plain).unwrap_or_else(|_| block.to_owned())
}

/// The first token behind `STRICT a, b.c, d[1]`.
fn end_of_targets(all: &[(Token<'_>, std::ops::Range<usize>)], first: usize) -> usize {
    let mut at = first + usize::from(all.get(first).is_some_and(|(token, _)| token.is("strict")));
    loop {
        // A name, its fields, and perhaps an element.
        at += 1;
        while let Some((Token::Mark(mark @ ('.' | '[')), _)) = all.get(at) {
            at += match mark {
                '.' => 2,
                _ => all[at..].iter().position(|(token, _)| *token == Token::Mark(']')).map_or(1, |close| close + 1),
            };
        }
        match all.get(at) {
            Some((Token::Mark(','), _)) => at += 1,
            _ => return at.min(all.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_variables;

    #[test]
    fn where_a_result_goes_is_blank() {
        for (block, plain) in [
            ("begin select a, b into strict x, y.z from c; end", "begin select a, b                    from c; end"),
            ("insert into a values (1) returning b into v[1];", "insert into a values (1) returning b          ;"),
            ("if a then select 1 into b; end if;", "if a then select 1       ; end if;"),
            ("execute 'x' into v; fetch c into v;", "execute 'x' into v; fetch c into v;"),
            ("begin select 'into é' into \"é\"; end", "begin select 'into é'          ; end"),
            ("select 1 into", "select 1     "),
            (
                "merge into a using b on true when matched then delete;",
                "merge into a using b on true when matched then delete;",
            ),
        ] {
            assert_eq!(without_variables(block), plain);
        }
    }
}
