//! Candles from a file into the library.

use std::io::Write;

use keyhold_history::read_any;

use super::options::Import;
use super::{CandlesError, say, show};

/// Adds the file's candles and says what came of it.
pub(super) fn run(options: &Import, output: &mut impl Write) -> Result<(), CandlesError> {
    let candles = read_any(&options.file)?;
    let shelf = options.market.shelf();
    let added = shelf.add(&candles)?;
    let (new, changed, known) = (added.new, added.changed, added.known);
    say(output, &format!("{new} new candles, {changed} replaced, {known} known already"))?;
    show::report(&shelf, output)
}
