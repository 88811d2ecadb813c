//! The HTML page: nothing from outside, nothing unescaped, named pictures, balanced tags, equal bytes.

use keyhold_domain::{Symbol, Timeframe};
use keyhold_simulator::backtest::{Control, Report, markets, run_markets};
use keyhold_simulator::html::{PriceLine, page};

use crate::sweeps::{histories, spec};

fn report(name: &str) -> (Report, Vec<PriceLine>) {
    let mut spec = spec();
    name.clone_into(&mut spec.template.name);
    let histories = histories(2000, &[Timeframe::H1]);
    let markets = markets(&histories, Timeframe::H1);
    let report = run_markets(&spec, &markets, &mut |_| Control::Continue, None).unwrap();
    let (from, until) = (report.assumptions.from, report.assumptions.until);
    let symbol: Symbol = markets[0].instrument.symbol;
    let line = PriceLine::new(symbol, markets[0].candles, from, until);
    (report, vec![line])
}

/// Every tag is closed in the order in which it was opened; returns the names of the elements.
fn elements(html: &str) -> Vec<String> {
    const EMPTY: &[&str] = &["meta", "line", "polyline", "polygon", "circle", "rect"];
    let (mut open, mut seen): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("every tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "before {rest:.60}");
            continue;
        }
        let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(!name.is_empty(), "a bare < stands in the page before {rest:.60}");
        if !EMPTY.contains(&name.as_str()) {
            open.push(name.clone());
        }
        seen.push(name);
        if tag.starts_with("style") {
            rest = &rest[rest.find("</style>").unwrap()..];
        }
    }
    assert!(open.is_empty(), "{open:?}");
    seen
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let (report, lines) = report("By hand");
    assert!(report.trades.len() > 10);
    let html = page(&report, &lines);
    let names = elements(&html);
    for name in ["script", "link", "img", "iframe", "object", "embed", "a", "form", "base"] {
        assert!(!names.iter().any(|seen| seen == name), "{name}");
    }
    // Outside of quotes a tag holds nothing but its name and its attributes' names.
    for tag in html.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag) {
        for word in tag.split('"').step_by(2).flat_map(|part| part.split([' ', '='])).skip(1) {
            let loads = ["src", "href", "srcset", "data", "action", "style", "xlink:href", "background"]
                .contains(&word);
            let acts = word.len() > 2 && word.starts_with("on");
            assert!(!loads && !acts, "`{word}` stands in <{tag}>");
        }
    }
    assert!(!html.contains("url(") && !html.contains("@import"), "the style loads nothing");
    assert!(html.contains("default-src 'none'"));
    assert!(html.contains("prefers-color-scheme:dark"));
}

#[test]
fn every_picture_has_a_name_and_a_description() {
    let (report, lines) = report("By hand");
    let html = page(&report, &lines);
    let pictures: Vec<&str> = html.split("<svg ").skip(1).collect();
    assert_eq!(pictures.len(), 4, "equity, drawdown, price, distribution");
    for picture in pictures {
        let labels = picture.split("aria-labelledby=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(picture.starts_with("role=\"img\""), "{picture:.40}");
        let ids: Vec<&str> = labels.split(' ').collect();
        assert_eq!(ids.len(), 2);
        assert!(picture.contains(&format!("<title id=\"{}\">", ids[0])));
        assert!(picture.contains(&format!("<desc id=\"{}\">", ids[1])));
        assert_eq!(html.matches(&format!("id=\"{}\"", ids[0])).count(), 1, "ids are unique");
    }
    // The numbers of every picture stand in a table too.
    for caption in ["Equity and drawdown", "Trades by net result"] {
        assert!(html.contains(&format!("<caption>{caption}</caption>")), "{caption}");
    }
    assert!(html.contains(&format!("<caption>{} trades</caption>", report.trades.len())));
}

#[test]
fn a_template_cannot_write_into_the_page() {
    let name = "</title><script>alert(\"1\")</script>'&";
    let (report, lines) = report(name);
    let html = page(&report, &lines);
    assert!(!elements(&html).iter().any(|seen| seen == "script"));
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;alert(&quot;1&quot;)"));
    assert!(html.contains("&#39;&amp; on BTCUSDT"));
}

#[test]
fn equal_reports_give_equal_pages_and_empty_ones_a_page() {
    let (report, lines) = report("By hand");
    assert_eq!(page(&report, &lines), page(&report, &lines));
    let empty = Report { trades: Vec::new(), equity: Vec::new(), ..report };
    elements(&page(&empty, &[]));
}
