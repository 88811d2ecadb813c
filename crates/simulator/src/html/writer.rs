//! Writes markup. Markup is constant; everything that comes from a document is escaped. There is no third way.

use keyhold_engine::report::digits;

/// A page in the making.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup of ours.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text of anybody, safe between tags and inside quoted attributes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // Characters that HTML does not allow at all.
                other if other.is_control() && !other.is_ascii_whitespace() => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        self
    }

    /// A coordinate with one decimal place.
    pub(super) fn number(&mut self, value: f64) -> &mut Self {
        self.0.push_str(&digits::plain(if value.is_finite() { value } else { 0.0 }, 1));
        self
    }

    /// Points of a line: `1.0,2.0 3.0,4.0`.
    pub(super) fn points(&mut self, points: impl Iterator<Item = (f64, f64)>) -> &mut Self {
        for (x, y) in points {
            self.number(x).raw(",").number(y).raw(" ");
        }
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let mut html = Html::default();
        html.raw("<p title=\"").text("\"><script>alert('&')</script>\u{0}").raw("\">");
        assert_eq!(
            html.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;\u{fffd}\">"
        );
    }

    #[test]
    fn coordinates_are_always_numbers() {
        let mut html = Html::default();
        html.points([(1.04, -0.01), (f64::NAN, f64::INFINITY)].into_iter());
        assert_eq!(html.finish(), "1.0,0.0 0.0,0.0 ");
    }
}
