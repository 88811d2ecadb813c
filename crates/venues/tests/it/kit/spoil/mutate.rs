//! Ways to spoil a message, each drawn from a seed.

use keyhold_simulator::random::Random;
use serde_json::{Map, Value, json};

/// A word that stands where values stand; no error text may hold it.
pub(crate) const SENTINEL: &str = "Sn7inL";

/// The name of a field that no venue has.
const UNKNOWN: &str = "kh_unknown";

fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(u64::try_from(length.max(1)).unwrap())).unwrap()
}

fn pick<'a, T>(random: &mut Random, list: &'a [T]) -> &'a T {
    &list[index(random, list.len())]
}

/// JSON pointers to every value of a message, itself first.
pub(crate) fn places(value: &Value) -> Vec<String> {
    crate::noise::paths(value, "")
}

/// The message with fields that nobody knows in every object.
pub(crate) fn with_unknown_fields(text: &[u8]) -> Vec<u8> {
    fn add(value: &mut Value) {
        match value {
            Value::Array(list) => list.iter_mut().for_each(add),
            // It may be a list by names with nothing in it; what form its things would have is not known.
            Value::Object(map) if map.is_empty() => {}
            Value::Object(map) => {
                map.values_mut().for_each(add);
                // Fields that are names of things have values of one form; an unknown thing has it, too.
                let alike = [Value::is_object, Value::is_array].iter().any(|is| map.values().all(is));
                let known = map.values().next().filter(|_| alike).cloned();
                let odd = [json!({ "a": [1, { "b": null }], "c": "d" }), json!(1.5)];
                for (number, odd) in odd.into_iter().enumerate() {
                    map.insert(format!("{UNKNOWN}_{number}"), known.clone().unwrap_or(odd));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(text) else { return text.to_vec() };
    add(&mut value);
    value.to_string().into_bytes()
}

/// Pointers to every field of every object, and their names.
pub(crate) fn fields(text: &[u8]) -> Vec<(String, String)> {
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return vec![] };
    let is_field = |place: &String| {
        let (parent, _) = place.rsplit_once('/')?;
        value.pointer(parent)?.is_object().then_some(())
    };
    let all = places(&value).into_iter().filter(|place| is_field(place).is_some());
    all.map(|place| {
        let name = place.rsplit('/').next().unwrap_or_default().to_owned();
        (place, name)
    })
    .collect()
}

/// The message without one field.
pub(crate) fn without(text: &[u8], place: &str) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(text).unwrap();
    let (parent, name) = place.rsplit_once('/').unwrap();
    value.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    value.to_string().into_bytes()
}

/// Something else in place of a value; what JSON cannot hold is written into the text afterwards.
fn odd_value(random: &mut Random) -> (Value, Option<Vec<u8>>) {
    const MARK: &str = "@@odd@@";
    let raw: [&[u8]; 9] = [
        b"1e400",
        b"-1e-400",
        b"123456789012345678901234567890123456789012345678901234567890",
        b"0.00000000000000000000000000000000000000000000000000000001",
        b"-0",
        b"9223372036854775808",
        b"\"\xff\xfe\x80\"",
        b"\"\\ud800\"",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    ];
    let plain = [
        json!(null),
        json!(true),
        json!(""),
        json!(SENTINEL),
        json!([SENTINEL]),
        json!({ SENTINEL: SENTINEL }),
        json!(-1),
        json!(0),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1.5),
        json!("79228162514264337593543950335"),
        json!("-79228162514264337593543950335"),
        json!("0.0000000000000000000000000001"),
        json!("1e300"),
        json!("NaN"),
        json!("é\u{0}\u{202e}"),
        json!("9".repeat(10_000)),
        json!("2099-13-45T99:99:99.999Z"),
        json!([]),
        json!({}),
    ];
    match random.below(3) {
        0 => (json!(MARK), Some(pick(random, &raw).to_vec())),
        _ => (pick(random, &plain).clone(), None),
    }
}

/// A nest so deep that a parser without a limit would fall.
fn deep() -> Vec<u8> {
    let depth = 20_000;
    let mut text = "[".repeat(depth).into_bytes();
    text.extend_from_slice("]".repeat(depth).as_bytes());
    text
}

fn replaced(text: &[u8], mark: &[u8], by: &[u8]) -> Vec<u8> {
    let Some(at) = text.windows(mark.len()).position(|part| part == mark) else { return text.to_vec() };
    [&text[..at], by, &text[at + mark.len()..]].concat()
}

/// Another field of the same name, with another value, in one object.
fn with_a_duplicate(random: &mut Random, value: &Value) -> Vec<u8> {
    let objects: Vec<String> = places(value)
        .into_iter()
        .filter(|place| value.pointer(place).and_then(Value::as_object).is_some_and(|map| !map.is_empty()))
        .collect();
    if objects.is_empty() {
        return value.to_string().into_bytes();
    }
    let mut changed = value.clone();
    let object: String = pick(random, &objects).clone();
    let map: &mut Map<String, Value> = changed.pointer_mut(&object).unwrap().as_object_mut().unwrap();
    let name = map.keys().nth(index(random, map.len())).unwrap().clone();
    map.insert("@@twice@@".to_owned(), odd_value(random).0);
    let name = serde_json::to_string(&name).unwrap();
    replaced(changed.to_string().as_bytes(), b"\"@@twice@@\"", name.as_bytes())
}

fn spoiled_value(random: &mut Random, value: &Value) -> Vec<u8> {
    let mut changed = value.clone();
    let all = places(value);
    let place = pick(random, &all).clone();
    let (odd, raw) = odd_value(random);
    *changed.pointer_mut(&place).unwrap() = odd;
    let text = changed.to_string().into_bytes();
    raw.map_or_else(|| text.clone(), |raw| replaced(&text, b"\"@@odd@@\"", &raw))
}

fn spoiled_list(random: &mut Random, value: &Value) -> Vec<u8> {
    let mut changed = value.clone();
    let is_list = |place: &String| value.pointer(place).is_some_and(Value::is_array);
    let lists: Vec<String> = places(value).into_iter().filter(is_list).collect();
    if let Some(place) = (!lists.is_empty()).then(|| pick(random, &lists)) {
        let list = changed.pointer_mut(place).unwrap().as_array_mut().unwrap();
        match random.below(4) {
            0 => list.clear(),
            1 => list.reverse(),
            2 => list.truncate(index(random, list.len())),
            _ => list.extend(list.clone()),
        }
    }
    changed.to_string().into_bytes()
}

fn spoiled_bytes(random: &mut Random, text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..=random.below(6) {
        if text.is_empty() {
            break;
        }
        let at = index(random, text.len());
        let byte = u8::try_from(random.below(256)).unwrap();
        match random.below(6) {
            0 => text[at] = byte,
            1 => drop(text.remove(at)),
            2 => text.insert(at, byte),
            3 => text.truncate(at),
            4 => text[at] = *pick(random, b"{}[]\":,0-9e.tfn"),
            _ => text.extend_from_within(at..),
        }
    }
    text
}

/// The message, spoiled in one of many ways. `other` is another message of the same venue.
pub(crate) fn spoiled(random: &mut Random, text: &[u8], other: &[u8]) -> Vec<u8> {
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return spoiled_bytes(random, text) };
    match random.below(16) {
        0 => other.to_vec(),
        1 => vec![],
        2 => deep(),
        3 => replaced(&spoiled_value(random, &value), b"\"@@odd@@\"", &deep()),
        4 | 5 => with_a_duplicate(random, &value),
        6 | 7 => spoiled_list(random, &value),
        8 => {
            let all = fields(text);
            if all.is_empty() { text.to_vec() } else { without(text, &pick(random, &all).0) }
        }
        9..=11 => spoiled_bytes(random, text),
        _ => spoiled_value(random, &value),
    }
}
