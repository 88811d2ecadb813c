//! What `./x bench` measures of the running house can be measured. No statement about speed: this is a busy machine and a
//! development build.

use keyhold_e2e::traces::is_root;
use xtask::bench::figure::Figure;
use xtask::paths::Profile;

#[allow(dead_code, reason = "its command line is for the benchmark")]
#[path = "../../examples/bench_house.rs"]
mod bench_house;

use bench_house::{Size, measure};

#[test]
fn the_benchmark_measures_latency_memory_and_deployment() {
    if !is_root() {
        eprintln!("SKIPPED: only root may read the memory of a bot");
        return;
    }
    let size = Size { profile: Profile::Development, orders: 2, deploys: 1, bots: 2 };
    let figures: Vec<Figure> =
        measure(size).iter().map(|line| Figure::parse(&line.to_string()).unwrap()).collect();
    let counts: Vec<(&str, usize)> =
        figures.iter().map(|figure| (figure.what.id, figure.values.len())).collect();
    assert_eq!(counts[0], ("deploy_to_online", 1));
    assert_eq!(counts[1].0, "candle_to_order");
    assert!(counts[1].1 >= 2, "{counts:?}");
    assert_eq!(counts[2..], [("bot_memory_alone", 1), ("bot_memory", 2)]);
}
