//! Understands `[metrics]`: the words are given, and what is not said of some has a default.

use toml::Spanned;

use super::raw::{Number, Rows, Text};
use super::read::{Read, Reader};
use super::{Metric, fault};
use crate::runtimes::described::expression::{Expression, Name, Names, Type};

/// What metrics are that a profile leaves out. Where the old table is, is not known if only its bytes are told.
const DEFAULTS: &[(Metric, &str)] = &[
    (Metric::Capacity, "buckets"),
    (Metric::OldTable, "0"),
    (Metric::OldBytes, "0"),
    (Metric::Header, "0"),
    (Metric::Entries, "0"),
    (Metric::Behind, "0"),
    (Metric::Allocated, "header + table_bytes + old_bytes + entries"),
];

impl Reader<'_> {
    /// The metrics in their order, then those that have defaults. `table_bytes` is what `[sizes]` says of a table.
    pub(super) fn metrics(
        &mut self,
        rows: Rows<Number>,
        table_bytes: Option<Text>,
    ) -> Read<Vec<(Metric, Expression)>> {
        let mut metrics = Vec::new();
        for (name, number) in self.ordered(rows, usize::MAX, "metrics")? {
            let metric = self.metric_named(&name)?;
            let expression = self.metric(metric, number)?;
            self.map.name(metric.text(), Name::Metric(metric), metric.kind());
            metrics.push((metric, expression));
        }
        self.complete(&metrics, table_bytes.is_some())?;
        if let Some(text) = table_bytes {
            // Before the table there is none, whatever the expression says of no slots.
            self.default(&mut metrics, Metric::Capacity, "buckets");
            let mut names = self.map.clone();
            names.name("slots", Name::Metric(Metric::Capacity), Type::Int);
            let text = format!("slots == 0 ? 0 : ({})", text.get_ref());
            self.add(&mut metrics, Metric::TableBytes, &text, &names);
        }
        let has_old = metrics.iter().any(|(metric, _)| *metric == Metric::OldBytes);
        for (metric, text) in DEFAULTS.iter().filter(|(metric, _)| *metric != Metric::OldTable || !has_old) {
            self.default(&mut metrics, *metric, text);
        }
        Ok(metrics)
    }

    fn metric_named(&self, name: &Text) -> Read<Metric> {
        let text = name.get_ref();
        Metric::named(text).ok_or_else(|| {
            let words = Metric::ALL.iter().map(|(_, word, _)| *word);
            let problem = format!("`{text}` is nothing that can be said of a map");
            self.error(&name.span(), problem, fault::meant(text, words))
        })
    }

    fn metric(&self, metric: Metric, number: Spanned<Number>) -> Read<Expression> {
        let at = number.span();
        match (number.get_ref(), metric.kind()) {
            (Number::Text(text), kind) => self.expression(&Spanned::new(at, text.clone()), &self.map, kind),
            (Number::Whole(_), Type::Int) => self.number(number, &self.map),
            (Number::Whole(_), kind) => {
                Err(self.error(&at, format!("{kind} is wanted"), "write a condition in quotes"))
            }
        }
    }

    /// Whether all is there that must be.
    fn complete(&self, metrics: &[(Metric, Expression)], has_sizes: bool) -> Read<()> {
        let has = |metric: Metric| metrics.iter().any(|(known, _)| *known == metric);
        let error = |problem, hint: &str| Err(self.error(&self.key_of_table("metrics"), problem, hint));
        if let Some((metric, hint)) = Metric::REQUIRED.iter().find(|(metric, _)| !has(*metric)) {
            return error(format!("the metric `{}` is missing", metric.text()), hint);
        }
        if let Some((metric, with)) =
            Metric::TOGETHER.iter().find(|(metric, with)| has(*metric) && !has(*with))
        {
            let problem = format!("`{}` says nothing without `{}`", metric.text(), with.text());
            return error(problem, &format!("add `{}`", with.text()));
        }
        if !has_sizes && !has(Metric::TableBytes) && !has(Metric::Allocated) {
            return error(
                "nothing tells how many bytes a map holds".to_owned(),
                "add `table_bytes`, `allocated` or [sizes]",
            );
        }
        Ok(())
    }

    fn default(&mut self, metrics: &mut Vec<(Metric, Expression)>, metric: Metric, text: &str) {
        let names = self.map.clone();
        self.add(metrics, metric, text, &names);
    }

    /// Adds a metric that is not there yet. One whose parts are not there is left out.
    fn add(&mut self, metrics: &mut Vec<(Metric, Expression)>, metric: Metric, text: &str, names: &Names) {
        if metrics.iter().any(|(known, _)| *known == metric) {
            return;
        }
        if let Ok(expression) = Expression::parse(text, names) {
            self.map.name(metric.text(), Name::Metric(metric), metric.kind());
            metrics.push((metric, expression));
        }
    }
}
