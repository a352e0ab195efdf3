//! Families as text: the Prometheus format 0.0.4 by the registry's own encoder, and OpenMetrics 1.0.0 by ours, since the
//! `prometheus` crate has none and the format is a page.
//!
//! OpenMetrics differs in what is written here: counter families lose `_total` and their samples keep it, `_info` gauges
//! become the type `info`, units are declared, and the text ends with `# EOF` (OpenMetrics 1.0.0, section 5).

use std::fmt::Write as _;

use prometheus::TextEncoder;
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

/// Units that a family's name may end with.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

/// Returns how many series a family writes.
pub(super) fn series(family: &MetricFamily) -> usize {
    let of = |metric: &Metric| match family.get_field_type() {
        // One a bucket, and +Inf, sum and count.
        MetricType::HISTOGRAM => metric.get_histogram().get_bucket().len() + 3,
        _ => 1,
    };
    family.get_metric().iter().map(of).sum()
}

/// Writes the Prometheus text format 0.0.4.
pub(super) fn text(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    TextEncoder::new()
        .encode_utf8(families, &mut out)
        .expect("families from a registry have names and metrics, and a string takes all text");
    out
}

/// Writes OpenMetrics 1.0.0.
pub(super) fn openmetrics(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    for family in families {
        write_family(&mut out, family);
    }
    out.push_str("# EOF\n");
    out
}

fn write_family(out: &mut String, family: &MetricFamily) {
    let (name, kind, suffix) = match family.get_field_type() {
        MetricType::COUNTER => (family.name().strip_suffix("_total").unwrap_or(family.name()), "counter", "_total"),
        MetricType::HISTOGRAM => (family.name(), "histogram", ""),
        _ => match family.name().strip_suffix("_info") {
            Some(name) => (name, "info", "_info"),
            None => (family.name(), "gauge", ""),
        },
    };
    put(out, format_args!("# TYPE {name} {kind}\n"));
    if let Some(unit) = UNITS.iter().find(|unit| name.ends_with(&format!("_{unit}"))) {
        put(out, format_args!("# UNIT {name} {unit}\n"));
    }
    put(out, format_args!("# HELP {name} {}\n", escape(family.help())));
    for metric in family.get_metric() {
        match kind {
            "histogram" => write_histogram(out, name, metric),
            "counter" => write_sample(out, name, suffix, metric, None, metric.get_counter().get_value()),
            _ => write_sample(out, name, suffix, metric, None, metric.get_gauge().get_value()),
        }
    }
}

fn write_histogram(out: &mut String, name: &str, metric: &Metric) {
    let histogram = metric.get_histogram();
    let count = histogram.get_sample_count() as f64;
    for bucket in histogram.get_bucket() {
        let bound = number(bucket.upper_bound());
        write_sample(out, name, "_bucket", metric, Some(&bound), bucket.cumulative_count() as f64);
    }
    write_sample(out, name, "_bucket", metric, Some("+Inf"), count);
    write_sample(out, name, "_sum", metric, None, histogram.get_sample_sum());
    write_sample(out, name, "_count", metric, None, count);
}

fn write_sample(out: &mut String, name: &str, suffix: &str, metric: &Metric, le: Option<&str>, value: f64) {
    put(out, format_args!("{name}{suffix}"));
    let labels = metric.get_label().iter().map(|label: &LabelPair| (label.name(), label.value()));
    let mut opening = '{';
    for (label, text) in labels.chain(le.map(|bound| ("le", bound))) {
        put(out, format_args!("{opening}{label}=\"{}\"", escape(text)));
        opening = ',';
    }
    if opening == ',' {
        out.push('}');
    }
    put(out, format_args!(" {}\n", number(value)));
}

/// Writes a number as both formats read it; Rust's own `inf` lacks the sign that OpenMetrics asks for.
fn number(value: f64) -> String {
    if value == f64::INFINITY {
        "+Inf".to_owned()
    } else if value == f64::NEG_INFINITY {
        "-Inf".to_owned()
    } else {
        value.to_string()
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes all text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

    #[test]
    fn openmetrics_is_written_as_the_standard_says() {
        let registry = Registry::new();
        let bytes = IntCounterVec::new(Opts::new("vigie_bytes_total", "Bytes \"seen\"."), &["source"]).unwrap();
        bytes.with_label_values(&["a\"b\\c\nd"]).inc_by(7);
        let build = IntGaugeVec::new(Opts::new("vigie_build_info", "Build."), &["version"]).unwrap();
        build.with_label_values(&["1.0"]).set(1);
        let took = HistogramVec::new(HistogramOpts::new("vigie_took_seconds", "Time.").buckets(vec![0.5]), &["stage"])
            .unwrap();
        took.with_label_values(&["merge"]).observe(0.25);
        took.with_label_values(&["merge"]).observe(2.0);
        registry.register(Box::new(bytes)).unwrap();
        registry.register(Box::new(build)).unwrap();
        registry.register(Box::new(took)).unwrap();
        let expected = r##"# TYPE vigie_build info
# HELP vigie_build Build.
vigie_build_info{version="1.0"} 1
# TYPE vigie_bytes counter
# UNIT vigie_bytes bytes
# HELP vigie_bytes Bytes \"seen\".
vigie_bytes_total{source="a\"b\\c\nd"} 7
# TYPE vigie_took_seconds histogram
# UNIT vigie_took_seconds seconds
# HELP vigie_took_seconds Time.
vigie_took_seconds_bucket{stage="merge",le="0.5"} 1
vigie_took_seconds_bucket{stage="merge",le="+Inf"} 2
vigie_took_seconds_sum{stage="merge"} 2.25
vigie_took_seconds_count{stage="merge"} 2
# EOF
"##;
        // vigie_build_info sorts before vigie_bytes_total.
        assert_eq!(openmetrics(&registry.gather()), expected);
        assert_eq!(registry.gather().iter().map(series).sum::<usize>(), 1 + 1 + 4);
    }

    #[test]
    fn numbers_are_written_as_both_formats_read_them() {
        assert_eq!(number(3.0), "3");
        assert_eq!(number(0.000_016), "0.000016");
        assert_eq!(number(f64::INFINITY), "+Inf");
        assert_eq!(number(f64::NAN), "NaN");
    }
}
