//! Looks at what was typed before it is sealed: trims what a clipboard adds, and says what looks like autofill.
//!
//! Judges shape only and never repeats a value. Mirrored in TypeScript (`web/src/lib/seal/inspect.ts`), with shared
//! cases in `testdata/envelopes/inspect.json`. A non-empty list of suspicions is `KEY_INPUT_SUSPECT` to the user.

use zeroize::Zeroizing;

/// Longest input looked at, in characters; longer ones are [`Suspicion::TooLong`].
const MAX_CHARACTERS: usize = 2040;

/// What was typed. Empty optional fields may be `None`.
#[derive(Clone, Copy)]
#[allow(missing_debug_implementations, reason = "refers to secrets")]
pub struct Input<'a> {
    /// The public key id.
    pub api_key: &'a str,
    /// The secret, or a private key in PEM form.
    pub api_secret: &'a str,
    /// The passphrase, where the exchange has one.
    pub passphrase: Option<&'a str>,
    /// The label given to the key, for comparison.
    pub label: Option<&'a str>,
}

/// A field of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The public key id.
    ApiKey,
    /// The secret.
    ApiSecret,
    /// The passphrase.
    Passphrase,
}

impl Field {
    /// Stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::ApiSecret => "api_secret",
            Self::Passphrase => "passphrase",
        }
    }
}

/// Something that makes an input look wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suspicion {
    /// Nothing (left) in a field that is needed.
    Empty,
    /// A blank inside the value.
    InnerBlank,
    /// Looks like an e-mail address.
    Email,
    /// Key and secret are the same.
    SecretEqualsKey,
    /// The value is the label.
    EqualsLabel,
    /// More than 2040 characters.
    TooLong,
}

impl Suspicion {
    /// Stable text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::InnerBlank => "inner_blank",
            Self::Email => "email",
            Self::SecretEqualsKey => "secret_equals_key",
            Self::EqualsLabel => "equals_label",
            Self::TooLong => "too_long",
        }
    }
}

/// A value without what the clipboard added, and how many characters were removed.
#[allow(missing_debug_implementations, reason = "holds a secret")]
pub struct Trimmed {
    /// The cleaned value; wiped on drop.
    pub value: Zeroizing<String>,
    /// Characters removed.
    pub removed: usize,
}

/// What [`inspect`] found.
#[allow(missing_debug_implementations, reason = "holds secrets")]
pub struct Inspection {
    /// The key id, cleaned.
    pub api_key: Trimmed,
    /// The secret, cleaned.
    pub api_secret: Trimmed,
    /// The passphrase, cleaned, if one was given.
    pub passphrase: Option<Trimmed>,
    /// What looks wrong, in order of field.
    pub suspicions: Vec<(Field, Suspicion)>,
}

/// Cleans and judges what was typed.
///
/// Zero-width characters are removed everywhere; line breaks are removed everywhere except inside a PEM block and in a
/// passphrase; blanks are removed at both ends. Case is never changed.
pub fn inspect(input: Input<'_>) -> Inspection {
    let api_key = trim(input.api_key, LineBreaks::Remove);
    let pem = input.api_secret.trim_start().starts_with("-----BEGIN ");
    let api_secret = trim(input.api_secret, if pem { LineBreaks::Keep } else { LineBreaks::Remove });
    let passphrase = input.passphrase.map(|text| trim(text, LineBreaks::Keep));

    let mut suspicions = Vec::new();
    judge(Field::ApiKey, &api_key.value, input.label, &mut suspicions);
    if pem {
        judge_length(Field::ApiSecret, &api_secret.value, &mut suspicions);
    } else {
        judge(Field::ApiSecret, &api_secret.value, input.label, &mut suspicions);
    }
    if !api_secret.value.is_empty() && api_key.value == api_secret.value {
        suspicions.push((Field::ApiSecret, Suspicion::SecretEqualsKey));
    }
    if let Some(phrase) = &passphrase {
        judge_length(Field::Passphrase, &phrase.value, &mut suspicions);
        if looks_like_address(&phrase.value) {
            suspicions.push((Field::Passphrase, Suspicion::Email));
        }
    }
    Inspection { api_key, api_secret, passphrase, suspicions }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LineBreaks {
    Keep,
    Remove,
}

fn trim(text: &str, breaks: LineBreaks) -> Trimmed {
    let before = text.chars().count();
    // Never longer than the input, so the buffer does not grow and leave a copy behind.
    let mut kept = Zeroizing::new(String::with_capacity(text.len()));
    let dropped = |c: char| is_invisible(c) || (breaks == LineBreaks::Remove && is_line_break(c));
    text.chars().filter(|c| !dropped(*c)).for_each(|c| kept.push(c));
    let mut value = Zeroizing::new(String::with_capacity(kept.len()));
    value.push_str(kept.trim_matches(is_blank));
    let removed = before - value.chars().count();
    Trimmed { value, removed }
}

fn judge(field: Field, value: &str, label: Option<&str>, found: &mut Vec<(Field, Suspicion)>) {
    judge_length(field, value, found);
    if value.chars().any(is_blank) {
        found.push((field, Suspicion::InnerBlank));
    }
    // No exchange puts "@" into keys or secrets, so the sign alone is enough here.
    if value.contains('@') {
        found.push((field, Suspicion::Email));
    }
    if !value.is_empty() && label.is_some_and(|label| label.trim_matches(is_blank) == value) {
        found.push((field, Suspicion::EqualsLabel));
    }
}

fn judge_length(field: Field, value: &str, found: &mut Vec<(Field, Suspicion)>) {
    if value.is_empty() {
        found.push((field, Suspicion::Empty));
    }
    if value.chars().count() > MAX_CHARACTERS {
        found.push((field, Suspicion::TooLong));
    }
}

/// A passphrase may contain "@"; only `something@host.tld` without blanks is taken for an address.
fn looks_like_address(value: &str) -> bool {
    let Some((name, host)) = value.split_once('@') else { return false };
    let dotted = host.find('.').is_some_and(|at| at > 0 && at + 1 < host.len());
    !name.is_empty() && dotted && !host.contains('@') && !value.chars().any(is_blank)
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Unicode White_Space, written out because the languages' own notions differ.
fn is_blank(c: char) -> bool {
    is_line_break(c)
        || matches!(
            c,
            '\t' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
                ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
        )
}

/// Characters that paint nothing: soft hyphen, zero-width, direction marks, byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
