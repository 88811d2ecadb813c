//! No path stands anywhere but in the tables: every text in the sources of the adapters is looked at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keyhold_domain::Exchange;

/// A text with a slash that may stand outside of the tables: file below `src`, text, purpose.
type Allowed = (&'static str, &'static str, &'static str);

const ALLOWED: &[Allowed] = &[
    ("bybit/market_stream.rs", "/{}", "the product below the address of the streams"),
    ("bybit/render.rs", "application/json", "a content type"),
    ("bybit/render.rs", "GET/realtime{}", "the text that a stream's login signs"),
    ("bitmex/render.rs", "application/json", "a content type"),
    ("bitmex/render.rs", "GET/realtime{expires}", "the text that a stream's login signs"),
    ("okx/render.rs", "application/json", "a content type"),
    ("okx/render.rs", "GET/users/self/verify", "the text that a stream's login signs"),
    ("kraken/convert.rs", "/0", "the range of all addresses"),
    ("bitmex/convert.rs", "0.0.0.0/0", "the range of all addresses"),
    ("bitmex/convert.rs", "::/0", "the range of all addresses"),
    ("binance/market_stream.rs", "/ws", "a stream"),
    ("binance/account_stream.rs", "/ws?listenKey={key}", "a stream by its name"),
    ("binance/account_stream.rs", "/ws/{key}", "a stream by its name"),
    ("binance/render.rs", "application/x-www-form-urlencoded", "a content type"),
    ("kraken/render.rs", "/derivatives", "what is left out of the text that is signed"),
    ("kraken/render.rs", "/trade/{symbol}/{}", "price type, instrument and interval of candles"),
    ("kraken/render.rs", "/{symbol}", "the instrument of one ticker"),
    ("transport/http.rs", "keyhold/", "the program's name, which every request tells"),
    ("transport/ws.rs", "{scheme}://{}{}{path}", "an address from checked parts"),
    (
        "hosts.rs",
        "must begin with https:// or wss://; plain http:// and ws:// are for simulated venues only",
        "words",
    ),
    ("hosts.rs", "is not an address of the form scheme://host[:port][/path]", "words"),
    ("hosts.rs", "https://", "a scheme"),
    ("hosts.rs", "http://", "a scheme"),
    ("hosts.rs", "wss://{rest}", "an address from the program's settings"),
    ("hosts.rs", "ws://{rest}", "an address from the program's settings"),
    ("hosts/table.rs", "/v5/public", "a stream"),
    ("hosts/table.rs", "/v5/private", "a stream"),
    ("hosts/table.rs", "/public", "a stream"),
    ("hosts/table.rs", "/market", "a stream"),
    ("hosts/table.rs", "/private", "a stream"),
    ("hosts/table.rs", "/ws/v1", "a stream"),
    ("hosts/table.rs", "/ws/v5/public", "a stream"),
    ("hosts/table.rs", "/ws/v5/business", "a stream"),
    ("hosts/table.rs", "/ws/v5/private", "a stream"),
    ("hosts/table.rs", "/realtime", "a stream"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What a program is made of, without its unit tests, which stand last in every file.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap()
}

/// Every text literal of a source, comments left out. Escapes stay as they are written.
fn literals(source: &str) -> Vec<String> {
    let bytes = source.as_bytes();
    let (mut found, mut at) = (vec![], 0);
    while at < bytes.len() {
        let rest = &source[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").unwrap_or(rest.len()) + 2;
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = 2 + hashes;
            let length = rest.get(begin..).and_then(|inner| inner.find(&end)).unwrap_or(0);
            found.push(rest.get(begin..begin + length).unwrap_or_default().to_owned());
            at += begin + length + end.len();
        } else if rest.starts_with("'\"'") || rest.starts_with("'/'") {
            at += 3;
        } else if rest.starts_with("'\\") {
            at += 4;
        } else if rest.starts_with('"') {
            let mut length = 0;
            let inner = &bytes[at + 1..];
            while length < inner.len() && inner[length] != b'"' {
                length += if inner[length] == b'\\' { 2 } else { 1 };
            }
            found.push(source[at + 1..at + 1 + length].to_owned());
            at += length + 2;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// Texts that could be, or become, a part of a path.
fn suspicious(source: &str) -> Vec<String> {
    literals(without_tests(source)).into_iter().filter(|text| text.contains('/')).collect()
}

/// An address of the table: a host alone, or a stream.
fn is_address(text: &str) -> bool {
    let is_bare = text.strip_prefix("https://").is_some_and(|rest| !rest.contains('/'));
    is_bare || text.starts_with("wss://")
}

#[test]
fn paths_stand_in_the_tables_and_nowhere_else() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![];
    sources(&root, &mut files);
    let (mut tables, mut looked_at, mut used) = (0, 0, BTreeSet::new());
    for path in &files {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let source = fs::read_to_string(path).unwrap();
        if name.ends_with("/endpoints.rs") {
            tables += 1;
            continue;
        }
        looked_at += 1;
        let program = without_tests(&source);
        if name != "common/endpoint.rs" {
            assert!(!program.contains("Endpoint::new("), "{name} makes a call that is in no table");
            let made = program.replace("-> Endpoint {", "");
            assert!(!made.contains(" Endpoint {"), "{name} makes a call that is in no table");
        }
        for text in suspicious(&source) {
            if name == "hosts/table.rs" && is_address(&text) {
                continue;
            }
            let allowed = ALLOWED.iter().find(|(file, allowed, _)| *file == name && *allowed == text);
            let (_, _, purpose) = allowed.unwrap_or_else(|| panic!("{name} holds \"{text}\""));
            used.insert((name.to_owned(), text));
            assert!(!purpose.is_empty());
        }
    }
    assert_eq!(tables, Exchange::ALL.len(), "one table for each exchange");
    for (file, text, _) in ALLOWED {
        assert!(
            used.contains(&((*file).to_owned(), (*text).to_owned())),
            "{file} holds no \"{text}\" any more"
        );
    }
    println!("sources looked at: {looked_at}, tables: {tables}, texts with a slash: {}", used.len());
}

/// The controls of the test above.
#[test]
fn a_path_in_any_disguise_is_found() {
    let planted = [
        r#"const X: &str = "/v5/asset/withdraw/create";"#,
        r##"let x = r#"/v5/asset/withdraw"#;"##,
        r#"let x = r"/v5/asset";"#,
        r#"let x = b"/v5/asset";"#,
        r#"let x = format!("{base}/v5/asset");"#,
        r#"let x = concat!("v5", "/", "asset");"#,
        "let quote = '\"'; let x = \"a/b\";",
        "let quote = '\\''; let x = \"a/b\";",
        "/// \"harmless\n let x = \"a/b\";",
    ];
    for source in planted {
        assert_eq!(suspicious(source).len(), 1, "{source}");
    }
    assert!(suspicious("// \"/v5/asset\"\n/* \"/v5\" */ let x = 1 / 2;").is_empty());
    assert!(suspicious("let x = 1;\n#[cfg(test)]\nmod tests { const X: &str = \"/v5\"; }").is_empty());
    assert!(!is_address("https://api.bybit.com/v5/asset"));
}
