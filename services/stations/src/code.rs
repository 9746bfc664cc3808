//! One-time enrolment codes: 130 random bits and a check character, in an alphabet that survives being read out and typed.
//!
//! The alphabet is Crockford's (no I, L, O, U): what people type for a missing letter is taken for the digit it looks like. The
//! check character makes the code a word of a code over GF(32), which finds every wrong character and every two that changed
//! places; so a mistyped code is told from a wrong one without asking the database.

use std::fmt;

use rand::CryptoRng;

/// Crockford's base 32.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Characters that carry five random bits each.
const RANDOM: usize = 26;
/// Characters of a group; the last group has two, one of them the check.
const GROUP: usize = 5;

/// A code. There is no way to show it but [`Code::reveal`]: whoever holds it can become the station.
#[derive(Clone, PartialEq, Eq)]
pub struct Code([u8; RANDOM]);

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCode {
    /// Too few or too many characters.
    #[error("a code has 27 letters and digits, in groups of five; this has {0}")]
    Length(usize),
    /// A character that no code has.
    #[error("`{0}` is in no code; codes have digits and capital letters except I, L, O and U")]
    Character(char),
    /// The check character does not fit.
    #[error("this code is mistyped: a character is wrong, or two have changed places")]
    Check,
}

impl Code {
    /// A new code.
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut values = [0; RANDOM];
        rng.fill_bytes(&mut values);
        Self(values.map(|byte| byte & 31))
    }

    /// Reads what a person typed: in any case, with or without hyphens and spaces.
    pub fn parse(text: &str) -> Result<Self, NoCode> {
        let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let values = typed.map(value).collect::<Result<Vec<u8>, _>>()?;
        let (Some((check, random)), RANDOM) = (values.split_last(), values.len().saturating_sub(1)) else {
            return Err(NoCode::Length(values.len()));
        };
        let code = Self(random.try_into().map_err(|_| NoCode::Length(values.len()))?);
        if code.check() == *check { Ok(code) } else { Err(NoCode::Check) }
    }

    /// What the database knows of it. One hashing is enough: 130 random bits are not guessed, however fast the guessing.
    pub fn hash(&self) -> [u8; 32] {
        blake3::derive_key("custos 2026 enrolment code", &self.0)
    }

    /// The code as it is told, once, to the person who asked for it.
    pub fn reveal(&self) -> String {
        let all = self.0.iter().copied().chain([self.check()]);
        let letters: Vec<char> = all.map(|value| char::from(ALPHABET[usize::from(value & 31)])).collect();
        let groups: Vec<String> = letters.chunks(GROUP).map(|group| group.iter().collect()).collect();
        groups.join("-")
    }

    /// The character that makes the polynomial with these coefficients vanish at the field's generator.
    fn check(&self) -> u8 {
        self.0.iter().fold(0, |sum, value| times_generator(sum ^ value))
    }
}

/// Multiplies by the generator of GF(32) with the polynomial x⁵ + x² + 1.
fn times_generator(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 32 == 0 { doubled } else { doubled ^ 0b10_0101 }
}

fn value(typed: char) -> Result<u8, NoCode> {
    let meant = match typed.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let place = ALPHABET.iter().position(|known| char::from(*known) == meant).ok_or(NoCode::Character(typed))?;
    u8::try_from(place).map_err(|_| NoCode::Character(typed))
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(bytes: [u8; RANDOM]) -> Code {
        Code(bytes.map(|byte| byte & 31))
    }

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = Code::random(&mut rand::rng());
        let shown = code.reveal();
        assert_eq!((shown.len(), shown.matches('-').count()), (32, 5), "{shown}");
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', " "), shown.replace('-', "")] {
            assert_eq!(Code::parse(&typed), Ok(code.clone()), "{typed}");
        }
        let looks_alike = shown.replace('0', "o").replace('1', "l");
        assert_eq!(Code::parse(&looks_alike), Ok(code.clone()), "{looks_alike}");
        assert!(!format!("{code:?}").contains(&shown[..5]));
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        assert_eq!(Code::parse("ABC"), Err(NoCode::Length(3)));
        assert_eq!(Code::parse(""), Err(NoCode::Length(0)));
        assert_eq!(Code::parse("ABCU"), Err(NoCode::Character('U')));
        assert_eq!(Code::parse("安"), Err(NoCode::Character('安')));
    }

    proptest! {
        #[test]
        fn every_wrong_character_is_found(bytes: [u8; RANDOM], at in 0..=RANDOM, other in 0_usize..32) {
            let good: Vec<char> = code(bytes).reveal().chars().filter(|c| *c != '-').collect();
            let mut bad = good.clone();
            bad[at] = char::from(ALPHABET[other]);
            let read = Code::parse(&bad.iter().collect::<String>());
            prop_assert_eq!(read.is_ok(), bad == good);
        }

        #[test]
        fn any_two_that_changed_places_are_found(bytes: [u8; RANDOM], one in 0..=RANDOM, other in 0..=RANDOM) {
            let good: Vec<char> = code(bytes).reveal().chars().filter(|c| *c != '-').collect();
            let mut bad = good.clone();
            bad.swap(one, other);
            let read = Code::parse(&bad.iter().collect::<String>());
            prop_assert_eq!(read.is_ok(), bad == good);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            let _ = Code::parse(&text);
        }
    }
}
