//! The style of the page: readable in light and dark, on paper, and without colors.

/// The style sheet.
pub const STYLE: &str = r"
:root{color-scheme:light dark;--paper:#fff;--ink:#1c2430;--soft:#5b6675;--line:#d4dae2;--panel:#f5f7fa;--up:#0b6b3a;--down:#b3261e;--accent:#1f5fbf}
@media(prefers-color-scheme:dark){:root{--paper:#12161c;--ink:#e6eaf0;--soft:#a3adba;--line:#323b47;--panel:#1a2028;--up:#5fd39a;--down:#ff8a80;--accent:#7fb2ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main,header,footer{max-width:66rem;margin:0 auto;padding:0 1rem}
h1{margin:1.5rem 0 .25rem;font-size:1.6rem}
h2{margin:2.5rem 0 .75rem;font-size:1.2rem}
p{margin:.25rem 0 .75rem;max-width:50rem}
.soft,caption,figcaption{color:var(--soft)}
.notice{border-left:.25rem solid var(--down);padding:.5rem .75rem;background:var(--panel)}
dl.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.5rem;margin:1rem 0}
dl.figures div{background:var(--panel);border:1px solid var(--line);border-radius:.375rem;padding:.5rem .75rem}
dl.figures dt{color:var(--soft);font-size:.85rem}
dl.figures dd{margin:0;font-size:1.1rem;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
figure{margin:0 0 1rem}
svg{display:block;width:100%;height:auto;background:var(--panel);border:1px solid var(--line);border-radius:.375rem}
svg text{fill:var(--soft);font-size:12px;font-family:system-ui,sans-serif}
.grid{stroke:var(--line);stroke-width:1}
.course{fill:none;stroke:var(--accent);stroke-width:1.5}
.range{fill:var(--accent);opacity:.2}
.fall{fill:var(--down);opacity:.35;stroke:var(--down);stroke-width:1}
.gain{fill:var(--up);stroke:var(--up)}
.loss{fill:var(--down);stroke:var(--down)}
.path{stroke-width:1;stroke-dasharray:3 2;fill:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem;min-width:20rem}
caption{text-align:left;padding:.25rem 0}
th,td{border-bottom:1px solid var(--line);padding:.25rem .5rem;text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}
td.words,th.words{text-align:left;white-space:normal}
td.up{color:var(--up)}
td.down{color:var(--down)}
details{margin:.5rem 0}
summary{cursor:pointer;color:var(--accent)}
summary:focus-visible,.scroll:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--panel);padding:.75rem;border-radius:.375rem}
footer{margin:3rem auto 2rem;color:var(--soft)}
@media print{details{display:none}svg,dl.figures div{break-inside:avoid}}
";

/// SHA-256 of [`STYLE`] in base64, for the page's policy. A test of the server's crate, which has the algorithm, compares
/// them.
pub const STYLE_SHA256: &str = "IEJa2j+MadKwwTZ+efdDMdHjbRuD0NylE9NF4jymnJE=";
