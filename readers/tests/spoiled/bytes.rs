//! Bytes that somebody or something has spoiled, the same ones for the same seed.

/// What often means something.
const MARKS: [&[u8]; 40] = [
    b"'",
    b"\"",
    b"$$",
    b"/*",
    b"*/",
    b"--",
    b"(",
    b")",
    b";",
    b"\xc3\xa9",
    b"\0",
    b"\x1b",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\t",
    b"\r\n",
    b"\r",
    b"\n",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"!Ref ",
    b"!Sub ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"${",
    b"%",
    b"%00",
    b"%01",
    b"|",
    b">",
    b"? ",
    b"# ",
    b".",
    b"\\",
    b"\xf0\x9f\x98\x80",
    b"\xe2\x80\xa8",
];

/// What numbers often go wrong at.
const NUMBERS: [&[u8]; 14] = [
    b"0",
    b"1",
    b"-1",
    b"255",
    b"65536",
    b"4294967296",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551615",
    b"99999999999999999999",
    b"1e308",
    b"-1e308",
    b"1e-320",
    b"NaN",
];

/// Numbers that look drawn, the same for the same seed.
pub(crate) struct Drawn(u64);

impl From<u64> for Drawn {
    /// Seeds beside each other lead far apart.
    fn from(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

impl Drawn {
    /// One below the limit; 0 for a limit of 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).expect("it is below a usize")
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Begin and end of a piece of so many bytes.
    fn piece(&mut self, length: usize) -> (usize, usize) {
        let (one, other) = (self.below(length + 1), self.below(length + 1));
        (one.min(other), one.max(other))
    }
}

/// One of the kept cases, cut, doubled and mixed with the others.
pub(crate) fn spoiled(drawn: &mut Drawn, kept: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = kept[drawn.below(kept.len())].clone();
    for _ in 0..=drawn.below(4) {
        let (from, to) = drawn.piece(bytes.len());
        match drawn.below(8) {
            0 => drop(bytes.drain(from..to)),
            1 => {
                let part = bytes[from..to].to_vec();
                insert(&mut bytes, to, &part);
            }
            2 => {
                let short = bytes[from..to.min(from + 8)].to_vec();
                insert(&mut bytes, to, &short.repeat(drawn.below(300)));
            }
            3 => {
                let other = &kept[drawn.below(kept.len())];
                let (begin, end) = drawn.piece(other.len());
                insert(&mut bytes, from, &other[begin..end]);
            }
            4 if from < bytes.len() => bytes[from] ^= 1 << drawn.below(8),
            5 | 6 => other_number(drawn, &mut bytes, from),
            _ => insert(&mut bytes, from, drawn.one_of(&MARKS)),
        }
    }
    bytes
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

/// Puts another number in the place of the first one behind this place.
fn other_number(drawn: &mut Drawn, bytes: &mut Vec<u8>, from: usize) {
    let Some(begin) = bytes[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) else { return };
    let end =
        bytes[begin..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |length| begin + length);
    bytes.splice(begin..end, drawn.one_of(&NUMBERS).iter().copied());
}
