//! Which exposition format a scraper wants, by its `Accept` header (RFC 9110, section 12.5.1).

/// A format of `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus text 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the content type. Prometheus 3 refuses an answer whose type it does not know.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Chooses the format with the higher weight. Without a preference it is text, which every reader and person can read.
pub(super) fn choose(accept: Option<&str>) -> Format {
    let (mut text, mut openmetrics) = (None, None);
    for range in accept.unwrap_or("*/*").split(',').map(Range::read) {
        match (range.media, range.version) {
            // Versions 0.0.1 and 2 are other formats.
            ("application/openmetrics-text", None | Some("1.0.0")) => openmetrics = Some(range.weight),
            ("text/plain", None | Some("0.0.4")) => text = Some(range.weight),
            _ => {}
        }
    }
    if openmetrics.unwrap_or(0.0) > text.unwrap_or(0.0) { Format::OpenMetrics } else { Format::Text }
}

/// One media range.
struct Range<'a> {
    media: &'a str,
    version: Option<&'a str>,
    weight: f32,
}

impl<'a> Range<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut range = Range { media: parts.next().unwrap_or(""), version: None, weight: 1.0 };
        for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            match name.trim() {
                "q" => range.weight = value.trim().parse().unwrap_or(0.0),
                "version" => range.version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        range
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrapers_get_what_they_prefer() {
        let prometheus_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(choose(Some(prometheus_2)), Format::OpenMetrics);
        assert_eq!(choose(Some(prometheus_3)), Format::OpenMetrics);
        assert_eq!(choose(Some("text/plain;version=0.0.4")), Format::Text);
        assert_eq!(choose(Some("application/openmetrics-text; version=0.0.1")), Format::Text);
        assert_eq!(choose(Some("text/plain, application/openmetrics-text;q=0.5")), Format::Text);
        assert_eq!(choose(Some("text/html,application/xhtml+xml,*/*;q=0.8")), Format::Text);
        assert_eq!(choose(Some("application/openmetrics-text;q=0")), Format::Text);
        assert_eq!(choose(None), Format::Text);
        assert_eq!(choose(Some(";;,,=;q=x")), Format::Text);
    }
}
