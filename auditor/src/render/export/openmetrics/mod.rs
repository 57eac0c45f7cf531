//! Metrics in the text format of OpenMetrics 1.0. What is there is of one audit and does not go on counting,
//! so all of it is gauges: they mean the same to a reader of Prometheus' older format, which knows neither
//! OpenMetrics' counters nor its infos.
//!
//! The number of series is bounded: the largest [`MAPS`] maps have their own, the others are one row.

use std::fmt;
use std::io::{self, Write};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, GaugeValueEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{self, Registry};

use crate::audit::report::Report;
use crate::audit::unit::Nanos;
use crate::render::columns::fields::Unit;
use crate::render::style::Paper;

mod families;
mod maps;

/// Maps with series of their own.
const MAPS: usize = 50;

/// Writes it.
pub(in crate::render) fn report(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    let target = [
        ("pid".into(), report.target.pid.0.to_string().into()),
        ("comm".into(), super::text(&report.target.comm).into()),
    ];
    let mut registry = Registry::with_prefix_and_labels("auditor", target.into_iter());
    let families = families::of(report).into_iter().chain(maps::of(report));
    registry.register_collector(Box::new(Families(families.collect())));
    let mut page = String::new();
    text::encode(&mut page, &registry).map_err(io::Error::other)?;
    out.write_all(page.as_bytes())?;
    out.flush()
}

/// Labels of a series, besides those of the target.
type Labels = Vec<(&'static str, String)>;

/// A metric and its series. Families without any are not written: what is unknown is absent.
#[derive(Debug)]
struct Family {
    /// Without prefix and unit.
    name: &'static str,
    help: String,
    unit: Unit,
    series: Vec<(Labels, Number)>,
}

/// A number as OpenMetrics has it: times are seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Whole(u64),
    Seconds(Nanos),
}

impl Number {
    /// A number of the report.
    const fn of(number: u64, unit: Unit) -> Self {
        match unit {
            Unit::Pieces | Unit::Bytes => Self::Whole(number),
            Unit::Seconds => Self::Seconds(Nanos(number)),
        }
    }
}

impl EncodeGaugeValue for Number {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.encode(encoder),
            Self::Seconds(nanos) => (nanos.0 as f64 / 1e9).encode(encoder),
        }
    }
}

/// All of them, in their order.
#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in self.0.iter().filter(|family| !family.series.is_empty()) {
            let Family { name, help, unit, series } = family;
            let unit = match unit {
                Unit::Pieces => None,
                Unit::Bytes => Some(registry::Unit::Bytes),
                Unit::Seconds => Some(registry::Unit::Seconds),
            };
            let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
            for (labels, number) in series {
                match labels.as_slice() {
                    [] => metric.encode_gauge(number)?,
                    _ => metric.encode_family(labels)?.encode_gauge(number)?,
                }
            }
        }
        Ok(())
    }
}
