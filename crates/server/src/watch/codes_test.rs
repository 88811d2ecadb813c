//! Every reason code has its row in `docs/reference/reason-codes.md`, once and complete.

use keyhold_domain::ReasonCode;

const REFERENCE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/reason-codes.md"));
/// Codes that only the server says.
const OF_THE_SERVER: [&str; 10] = [
    "BOT_STOPPED",
    "KEY_EXPIRING",
    "KEY_NOT_LOOKED_AT",
    "KEY_RIGHTS_GREW",
    "KEY_LEAKED",
    "KEY_DESTROYED",
    "BACKTEST_COMPLETED",
    "BACKTEST_FAILED",
    "CANDLES_FETCHED",
    "CANDLES_FAILED",
];

/// Rows as (code, cells after it).
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let table = REFERENCE.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    table
        .map(|row| {
            let mut cells = row.split(" | ");
            let code = cells.next().unwrap_or_default().trim_end_matches('`');
            (code, cells.collect())
        })
        .collect()
}

#[test]
fn every_code_is_documented_once_with_its_consequence_and_next_step() {
    let rows = rows();
    let known = ReasonCode::ALL.iter().map(|code| code.as_str()).chain(OF_THE_SERVER);
    for code in known.clone() {
        let found: Vec<_> = rows.iter().filter(|(name, _)| *name == code).collect();
        assert_eq!(found.len(), 1, "{code} has {} rows in docs/reference/reason-codes.md", found.len());
        let (_, cells) = found[0];
        let complete = cells.len() == 3 && cells.iter().all(|cell| cell.trim().len() > 3);
        assert!(
            complete,
            "{code} lacks its meaning, what it means for open positions, or the next step: {cells:?}"
        );
    }
    let unknown: Vec<_> = rows.iter().filter(|(name, _)| !known.clone().any(|code| code == *name)).collect();
    assert!(unknown.is_empty(), "rows about codes that do not exist: {unknown:?}");
}
