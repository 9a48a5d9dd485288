//! Makes and registers metrics, and lists what it made, so that the page about them can be no other than they are.
//! Knows nothing of what they count.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use prometheus::core::{Collector, Desc};
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, Result,
};

/// Makes metrics of one registry.
#[derive(Debug)]
pub struct Catalogue {
    registry: Registry,
    constant: HashMap<String, String>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    kind: &'static str,
    descriptions: Vec<Desc>,
}

impl Catalogue {
    /// For `registry`, with labels (name, value) that all metrics have.
    #[must_use]
    pub fn new(registry: &Registry, constant: &[(&str, &str)]) -> Self {
        let constant = constant.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { registry: registry.clone(), constant, entries: Vec::new() }
    }

    fn options(&self, name: &str, help: &str) -> Opts {
        Opts::new(name, help).const_labels(self.constant.clone())
    }

    fn histogram_options(&self, name: &str, help: &str, bounds: &[f64]) -> HistogramOpts {
        HistogramOpts::new(name, help).const_labels(self.constant.clone()).buckets(bounds.to_vec())
    }

    fn add<C: Collector + Clone + 'static>(&mut self, kind: &'static str, made: Result<C>) -> Result<C> {
        let collector = made?;
        self.registry.register(Box::new(collector.clone()))?;
        self.entries.push(Entry { kind, descriptions: collector.desc().into_iter().cloned().collect() });
        Ok(collector)
    }

    /// A number that goes up and down.
    ///
    /// # Errors
    /// As for all others here: when the name or a label is not well-formed, or there is such a metric already.
    pub fn gauge(&mut self, name: &str, help: &str) -> Result<Gauge> {
        self.add("gauge", Gauge::with_opts(self.options(name, help)))
    }
    /// A whole number that goes up and down.
    pub fn int_gauge(&mut self, name: &str, help: &str) -> Result<IntGauge> {
        self.add("gauge", IntGauge::with_opts(self.options(name, help)))
    }
    /// Numbers that go up and down, by labels.
    pub fn gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec> {
        self.add("gauge", GaugeVec::new(self.options(name, help), labels))
    }
    /// Whole numbers that go up and down, by labels.
    pub fn int_gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec> {
        self.add("gauge", IntGaugeVec::new(self.options(name, help), labels))
    }
    /// An amount that only grows.
    pub fn counter(&mut self, name: &str, help: &str) -> Result<Counter> {
        self.add("counter", Counter::with_opts(self.options(name, help)))
    }
    /// A count.
    pub fn int_counter(&mut self, name: &str, help: &str) -> Result<IntCounter> {
        self.add("counter", IntCounter::with_opts(self.options(name, help)))
    }
    /// Amounts that only grow, by labels.
    pub fn counters(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<CounterVec> {
        self.add("counter", CounterVec::new(self.options(name, help), labels))
    }
    /// Counts by labels.
    pub fn int_counters(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        self.add("counter", IntCounterVec::new(self.options(name, help), labels))
    }
    /// How often something was at most each of `bounds`.
    pub fn histogram(&mut self, name: &str, help: &str, bounds: &[f64]) -> Result<Histogram> {
        self.add("histogram", Histogram::with_opts(self.histogram_options(name, help, bounds)))
    }
    /// How often something was at most each of `bounds`, by labels.
    pub fn histograms(&mut self, name: &str, help: &str, labels: &[&str], bounds: &[f64]) -> Result<HistogramVec> {
        self.add("histogram", HistogramVec::new(self.histogram_options(name, help, bounds), labels))
    }

    /// The section of docs/metrics.md called `title`: a table of all that were made, by name.
    #[must_use]
    pub fn section(&self, title: &str) -> String {
        let mut rows: Vec<String> = self.entries.iter().flat_map(Entry::rows).collect();
        rows.sort();
        let mut text = format!("## {title}\n| name | kind | labels | what it tells |\n| --- | --- | --- | --- |\n");
        for row in rows {
            let _ = writeln!(text, "{row}");
        }
        text
    }
}

impl Entry {
    fn rows(&self) -> impl Iterator<Item = String> {
        self.descriptions.iter().map(|description| {
            let mut labels: Vec<String> = description.const_label_pairs.iter().map(|pair| format!("`{}`", pair.name())).collect();
            labels.extend(description.variable_labels.iter().map(|label| format!("`{label}`")));
            format!("| `{}` | {} | {} | {} |", description.fq_name, self.kind, labels.join(", "), description.help)
        })
    }
}

/// Whether the file `page` has just this section; where UPDATE_DOCS is set it is given it. For the tests that keep docs/metrics.md true.
///
/// # Errors
/// When the file cannot be read or written.
pub fn page_has(page: &Path, section: &str) -> std::io::Result<bool> {
    let text = std::fs::read_to_string(page)?;
    let wanted = with_section(&text, section);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(page, &wanted)?;
        return Ok(true);
    }
    Ok(text == wanted)
}

/// `page` with its section of the same title replaced by `section`, or with it at the end.
fn with_section(page: &str, section: &str) -> String {
    let title = section.lines().next().unwrap_or_default();
    let begin = page.find(&format!("{title}\n")).unwrap_or(page.len());
    let rest = page.get(begin + title.len()..).unwrap_or_default();
    let after = rest.find("\n## ").map_or("", |end| &rest[end..]);
    let before = page[..begin].trim_end();
    format!("{before}\n\n{section}{after}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use prometheus::Registry;

    use super::{Catalogue, with_section};

    #[test]
    fn what_was_made_is_listed_and_registered() {
        let registry = Registry::new();
        let mut catalogue = Catalogue::new(&registry, &[("fleet", "a")]);
        catalogue.int_counter("jobs_total", "Jobs.").unwrap().inc();
        catalogue.histograms("boot_seconds", "Boots.", &["kind"], &[1.0]).unwrap();
        let rows = "| `boot_seconds` | histogram | `fleet`, `kind` | Boots. |\n| `jobs_total` | counter | `fleet` | Jobs. |\n";
        let section = catalogue.section("The parts");
        assert!(section.starts_with("## The parts\n") && section.ends_with(rows), "{section}");
        assert_eq!(registry.gather().len(), 1, "one has a value");
        assert!(catalogue.int_gauge("jobs_total", "Others.").is_err(), "a name is there once");
    }

    #[test]
    fn a_section_is_put_in_its_place() {
        let page = "# Metrics\n\n## One\nold\n\n## Two\nkept\n";
        assert_eq!(with_section(page, "## One\nnew\n"), "# Metrics\n\n## One\nnew\n\n## Two\nkept\n");
        assert_eq!(with_section(page, "## Two\nnew\n"), "# Metrics\n\n## One\nold\n\n## Two\nnew\n");
        assert_eq!(with_section("# Metrics\n", "## Three\nnew\n"), "# Metrics\n\n## Three\nnew\n");
    }
}
