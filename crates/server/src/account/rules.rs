//! Which passwords are good enough: long, not common, not made of the account's own words. No composition rules.
//!
//! Follows NIST SP 800-63B-4: at least 15 characters when the password is the only factor (12 beside a passkey), at
//! most 128, every character allowed. A password is common when it is on the list after undoing case, digits-for-
//! letters and decoration, or when it consists of nothing but such words, repetitions or keyboard rows.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::http::problem::FieldProblem;

/// Shortest password when it is the only way in, in characters.
pub(crate) const MIN_ALONE: usize = 15;
/// Shortest password beside a passkey.
pub(crate) const MIN_BESIDE_PASSKEY: usize = 12;
/// Longest password, in characters.
pub(crate) const MAX: usize = 128;
/// A password must have this many different characters.
const MIN_DISTINCT: usize = 6;
/// What may be left beside common words and runs for a password to be common, in characters.
const MAX_LEFT_OVER: usize = 3;

static COMMON: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| include_str!("common_words.txt").lines().filter(|line| !line.is_empty()).collect());

/// Rows and sequences that fingers and counting make.
const RUNS: [&str; 8] = [
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
    "01234567890123456789",
    "98765432109876543210",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
];

/// Whether the password is the only way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// There is no passkey.
    Nothing,
    /// There is at least one passkey.
    Passkey,
}

/// Everything that is wrong with a password. `email` is the account's own address.
pub(crate) fn problems(password: &str, email: &str, beside: Beside) -> Vec<FieldProblem> {
    let mut found = Vec::new();
    let mut add = |code: &str, message: String, remedy: &str| {
        found.push(FieldProblem {
            path: "/password".to_owned(),
            code: code.to_owned(),
            message,
            remedy: remedy.to_owned(),
        });
    };
    let length = password.chars().count();
    let min = match beside {
        Beside::Nothing => MIN_ALONE,
        Beside::Passkey => MIN_BESIDE_PASSKEY,
    };
    if length < min {
        add(
            "PASSWORD_TOO_SHORT",
            format!("It has {length} characters; {min} are needed."),
            "Use a few words.",
        );
    }
    if length > MAX {
        add("PASSWORD_TOO_LONG", format!("It has {length} characters; {MAX} are the most."), "Use fewer.");
        return found;
    }
    if password.chars().collect::<BTreeSet<_>>().len() < MIN_DISTINCT {
        let message = format!("It has fewer than {MIN_DISTINCT} different characters.");
        add("PASSWORD_REPETITIVE", message, "Use a few different words.");
    }
    if is_common(password, &own_words(email)) {
        let message = "It consists of common words, rows of keys or your own address.".to_owned();
        add("PASSWORD_COMMON", message, "Use several words that do not belong together.");
    }
    found
}

/// The parts of an address that an attacker tries first.
fn own_words(email: &str) -> Vec<String> {
    email
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| part.chars().count() >= 3)
        .map(str::to_owned)
        .collect()
}

fn is_common(password: &str, own: &[String]) -> bool {
    let lower = password.to_lowercase();
    if COMMON.contains(lower.as_str()) {
        return true;
    }
    let plain = undo_decoration(&lower);
    left_over(&lower, own) <= MAX_LEFT_OVER || left_over(&plain, own) <= MAX_LEFT_OVER
}

/// `p4$$w0rd` is `password`.
fn undo_decoration(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

/// Characters that are left after taking out common words, own words, runs, repetitions and signs, longest first.
///
/// At most three common words are taken out: four and more unrelated words are a good password, not a common one.
fn left_over(text: &str, own: &[String]) -> usize {
    let characters: Vec<char> = text.chars().collect();
    let (mut at, mut words, mut left) = (0, 0, 0);
    while at < characters.len() {
        let rest = &characters[at..];
        let run = run_length(rest);
        let word = if words < 3 { word_length(rest, own) } else { 0 };
        let repeated = repeated_length(&characters, at);
        let longest = run.max(word).max(repeated);
        if longest >= 3 {
            words += usize::from(word == longest && word > run && word > repeated);
            at += longest;
        } else {
            // Blanks and signs add nothing by themselves.
            left += usize::from(rest[0].is_alphanumeric());
            at += 1;
        }
    }
    left
}

/// Length of the longest common or own word at the start.
fn word_length(rest: &[char], own: &[String]) -> usize {
    (3..=rest.len().min(24))
        .rev()
        .find(|length| {
            let word: String = rest[..*length].iter().collect();
            COMMON.contains(word.as_str()) || own.contains(&word)
        })
        .unwrap_or(0)
}

/// Length of a keyboard row, alphabet, count or repeated character at the start.
fn run_length(rest: &[char]) -> usize {
    let same = rest.iter().take_while(|c| **c == rest[0]).count();
    let in_row = (3..=rest.len().min(28))
        .rev()
        .find(|length| {
            let part: String = rest[..*length].iter().collect();
            RUNS.iter().any(|row| row.contains(&part))
        })
        .unwrap_or(0);
    same.max(in_row)
}

/// Length of a part, at least 3, that stood directly before: `abcdabcd`.
fn repeated_length(characters: &[char], at: usize) -> usize {
    (3..=at)
        .rev()
        .find(|length| {
            characters.len() >= at + length && characters[at - length..at] == characters[at..at + length]
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused() {
        let weak = [
            "",
            "short",
            "aaaaaaaaaaaaaaaa",
            "passwordpassword",
            "Password12345678",
            "P4$$w0rdP4$$w0rd!",
            "123456789012345",
            "qwertyuiopasdfgh",
            "1qaz2wsx3edc4rfv",
            "alice.example.org",
            "AliceExample2024",
            "keyholdkeyhold123",
            "bitcoinbitcoin!!",
            "letmeinletmein1",
            "iloveyouiloveyou",
            "abcdabcdabcdabcd",
            "welcome welcome 1",
            "adminadminadmin1",
            "dragonmonkey1234",
            "football baseball",
        ];
        for password in weak {
            assert!(!problems(password, "alice@example.org", Beside::Nothing).is_empty(), "{password:?}");
        }
    }

    #[test]
    fn strong_passwords_are_accepted() {
        let strong = [
            "correct horse battery staple",
            "vT9#qLm2!xWz7Rk",
            "seven green turtles hum",
            "Zäune blühen früh im März",
            "日本語のとても長いパスワードです",
            "my cat sleeps on warm servers",
            "ribbon-quartz-lantern-moss",
            "0b8f6b1e4d9a7c2f5e3d",
            "passwords are not what this is about",
        ];
        for password in strong {
            let found = problems(password, "alice@example.org", Beside::Nothing);
            assert!(found.is_empty(), "{password:?}: {found:?}");
        }
        let sixty_four = "k3".to_owned() + &"vjq8w z2m".repeat(7);
        assert!(
            problems(&"x".repeat(129), "a@b.c", Beside::Nothing)
                .iter()
                .any(|p| p.code == "PASSWORD_TOO_LONG")
        );
        assert!(sixty_four.chars().count() >= 64);
    }

    #[test]
    fn twelve_characters_do_beside_a_passkey() {
        assert!(problems("vT9#qLm2!xWz", "a@b.org", Beside::Passkey).is_empty());
        assert!(!problems("vT9#qLm2!xWz", "a@b.org", Beside::Nothing).is_empty());
    }
}
