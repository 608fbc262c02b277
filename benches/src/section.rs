//! A part of the report that a group of measurements has written itself.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::report::figure;
use crate::stats::{Figures, Ratio, median, quantile};
use crate::suite::Bar;

/// Heading, words and tables, and the figures behind them.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) body: String,
    pub(crate) raw: Value,
    /// Why there are none.
    pub(crate) error: Option<String>,
}

/// A contender's figures, and the bar for their ratio to the first one's.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) figures: Figures,
    pub(crate) bar: Option<Bar>,
}

impl Line {
    pub(crate) fn new(name: impl Into<String>, bar: Option<Bar>) -> Line {
        Line {
            name: name.into(),
            figures: Figures::default(),
            bar,
        }
    }
}

impl Section {
    pub(crate) fn new(title: &'static str, meaning: &str) -> Section {
        Section {
            title,
            body: format!("{meaning}\n\n"),
            raw: json!({}),
            error: None,
        }
    }

    /// What stands where a section should be.
    pub(crate) fn failed(title: &'static str, error: &anyhow::Error) -> Section {
        let mut section = Section::new(title, &format!("**Not measured**: {error:#}."));
        section.error = Some(format!("{title}: {error:#}"));
        section
    }

    /// Adds a table whose ratios are those to the first line.
    pub(crate) fn compare(&mut self, what: &str, unit: &str, lines: &[Line]) {
        let Some(measure) = lines.first() else { return };
        let _ = write!(
            self.body,
            "{what}:\n\n| | median, {unit} | lowest – highest | of medians | ratio to {} | bar | |\n\
             | --- | --: | --: | --: | --: | --- | --- |\n",
            measure.name
        );
        for line in lines {
            let ratio = Ratio::of(&line.figures, &measure.figures);
            let (bar, met) = verdict(line.bar, ratio.low, ratio.high);
            let _ = writeln!(
                self.body,
                "| {} | {} | {ratio} | {bar} | {met} |",
                line.name,
                spread(&line.figures),
            );
            self.raw[what][&line.name] = json!(line.figures.laps());
        }
        self.body.push('\n');
    }

    /// Adds a table of figures that are held to bars themselves.
    pub(crate) fn list(&mut self, what: &str, unit: &str, lines: &[Line]) {
        let _ = write!(
            self.body,
            "{what}:\n\n| | median, {unit} | lowest – highest | bar | |\n\
             | --- | --: | --: | --- | --- |\n"
        );
        for line in lines {
            let middle = median(&line.figures.rounds());
            let (bar, met) = verdict(line.bar, middle, middle);
            let _ = writeln!(
                self.body,
                "| {} | {} | {bar} | {met} |",
                line.name,
                spread(&line.figures),
            );
            self.raw[what][&line.name] = json!(line.figures.laps());
        }
        self.body.push('\n');
    }

    /// The section as it stands in the report.
    pub(crate) fn text(&self) -> String {
        format!("## {}\n\n{}", self.title, self.body)
    }
}

/// Two cells: the median of the rounds, and the lowest and the highest of them.
pub(crate) fn spread(figures: &Figures) -> String {
    let rounds = figures.rounds();
    format!(
        "{} | {} – {}",
        figure(median(&rounds)),
        figure(quantile(&rounds, 0.0)),
        figure(quantile(&rounds, 1.0)),
    )
}

/// Two cells: the ratio of the medians, and the one that is held to bars.
impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ratio {
            value,
            low,
            high,
            of_medians,
        } = self;
        write!(f, "{of_medians:.3} | {value:.3} [{low:.3}, {high:.3}]")
    }
}

fn verdict(bar: Option<Bar>, low: f64, high: f64) -> (String, &'static str) {
    match bar {
        Some(bar) => (bar.to_string(), crate::report::word(bar.met(low, high))),
        None => (String::new(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_first_line_and_say_whether_bars_are_met() {
        let mut section = Section::new("Title", "Words.");
        let line = |name: &str, value: f64, bar| Line {
            figures: Figures::from([value; 3]),
            ..Line::new(name, bar)
        };
        let bar = Some(Bar::Within(1.03));
        let lines = [
            line("a", 100.0, None),
            line("b", 102.0, bar),
            line("c", 110.0, bar),
        ];
        section.compare("x", "ns", &lines);
        let text = section.text();
        assert!(
            text.contains(
                "| b | 102 | 102 – 102 | 1.020 | 1.020 [1.020, 1.020] | ≤ 1.03, upper end | met |"
            ),
            "{text}"
        );
        assert!(
            text.contains("1.100 [1.100, 1.100] | ≤ 1.03, upper end | **not met** |"),
            "{text}"
        );
        assert_eq!(section.raw["x"]["a"], json!([[100.0], [100.0], [100.0]]));
    }
}
