//! Texts that somebody or something has spoiled, the same ones in every run.

/// What often means something.
const MARKS: [&str; 20] = [
    "'", "\"", "$$", "/*", "--", "(", ";", "é", "\0", "E'\\", "\t", "\r\n", ": ", "- ", "&a ", "*a", "!Ref ", "{", "[",
    "${",
];

/// Numbers that look drawn, the same in every run.
pub(crate) struct Drawn(pub(crate) u64);

impl Drawn {
    /// One below the limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).expect("it is below a usize")
    }
}

/// Cuts, doubles and mixes what is there, at the borders of characters.
pub(crate) fn spoiled(drawn: &mut Drawn, texts: &[String]) -> String {
    let mut text = texts[drawn.below(texts.len())].clone();
    for _ in 0..=drawn.below(4) {
        let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let (one, other) = (borders[drawn.below(borders.len())], borders[drawn.below(borders.len())]);
        let (from, to) = (one.min(other), one.max(other));
        match drawn.below(4) {
            0 => text.replace_range(from..to, ""),
            1 => {
                let part = text[from..to].to_owned();
                text.insert_str(to, &part);
            }
            2 => text.insert_str(from, MARKS[drawn.below(MARKS.len())]),
            _ => text.insert_str(from, &texts[drawn.below(texts.len())]),
        }
    }
    text
}
