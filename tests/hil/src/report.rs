//! What became of the scenarios: for a terminal, and for machines.

use std::fmt::Write as _;
use std::time::Duration;

use crate::{Scenario, Stop};

/// A run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The scenarios, in the order in which they were played or left out.
    pub played: Vec<Played>,
    /// The run was ended before all were played.
    pub is_interrupted: bool,
    /// What the scenarios left on the key, and how to be rid of it.
    pub left: Option<String>,
}

/// One scenario of a run.
#[derive(Clone, Debug)]
pub struct Played {
    /// Which.
    pub scenario: &'static Scenario,
    /// What became of it.
    pub verdict: Verdict,
    /// What is not as most keys do it, and no fault.
    pub remarks: Vec<String>,
    /// How long it took, the user included.
    pub took: Duration,
}

/// What became of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The key does what it must.
    Passed,
    /// It does not.
    Failed(String),
    /// It was not played.
    Skipped(String),
}

impl Report {
    /// Whether nothing failed and the run came to its end.
    pub fn is_well(&self) -> bool {
        !self.is_interrupted && self.count(|verdict| matches!(verdict, Verdict::Failed(_))) == 0
    }

    /// A line for each scenario, and the line on all.
    pub fn table(&self) -> String {
        let lines: String = self.played.iter().map(|played| format!("{}\n", played.line())).collect();
        format!("{lines}{}\n", self.summary())
    }

    /// The line on all.
    pub fn summary(&self) -> String {
        let failed = self.count(|verdict| matches!(verdict, Verdict::Failed(_)));
        let skipped = self.count(|verdict| matches!(verdict, Verdict::Skipped(_)));
        let passed = self.count(|verdict| *verdict == Verdict::Passed);
        let end = if self.is_interrupted { "; the run was ended before its end" } else { "" };
        format!("{passed} passed, {failed} failed, {skipped} skipped{end}")
    }

    /// The report as JUnit's XML: a suite with a case for each scenario, in the class of its subject.
    pub fn junit(&self, suite: &str) -> String {
        let seconds: f64 = self.played.iter().map(|played| played.took.as_secs_f64()).sum();
        let failed = self.count(|verdict| matches!(verdict, Verdict::Failed(_)));
        let skipped = self.count(|verdict| matches!(verdict, Verdict::Skipped(_)));
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        let _ = writeln!(
            xml,
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"{}\" skipped=\"{skipped}\" time=\"{seconds:.3}\">",
            escape(suite),
            self.played.len(),
            u8::from(self.is_interrupted),
        );
        xml.extend(self.played.iter().map(Played::case));
        if self.is_interrupted {
            xml.push_str("<system-err>the run was ended before its end</system-err>\n");
        }
        xml.push_str("</testsuite>\n</testsuites>\n");
        xml
    }

    fn count(&self, is_meant: impl Fn(&Verdict) -> bool) -> usize {
        self.played.iter().filter(|played| is_meant(&played.verdict)).count()
    }
}

impl Played {
    /// The line on it.
    pub fn line(&self) -> String {
        let (word, why) = match &self.verdict {
            Verdict::Passed => ("ok  ", ""),
            Verdict::Failed(why) => ("FAIL", why.as_str()),
            Verdict::Skipped(why) => ("skip", why.as_str()),
        };
        let mut line = format!("{word} {:<28} {:>6.1} s  {why}", self.scenario.name, self.took.as_secs_f64());
        line.truncate(line.trim_end().len());
        for remark in &self.remarks {
            let _ = write!(line, "\n       remark: {remark}");
        }
        line
    }

    fn case(&self) -> String {
        let (class, name) = self.scenario.name.split_once('/').unwrap_or(("key", self.scenario.name));
        let mut xml = format!(
            "<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">",
            escape(class),
            escape(name),
            self.took.as_secs_f64()
        );
        match &self.verdict {
            Verdict::Passed => {}
            Verdict::Failed(why) => {
                let _ = write!(
                    xml,
                    "<failure message=\"{}\">{}</failure>",
                    escape(why),
                    escape(self.scenario.about)
                );
            }
            Verdict::Skipped(why) => {
                let _ = write!(xml, "<skipped message=\"{}\"/>", escape(why));
            }
        }
        if !self.remarks.is_empty() {
            let _ = write!(xml, "<system-out>{}</system-out>", escape(&self.remarks.join("\n")));
        }
        xml.push_str("</testcase>\n");
        xml
    }
}

impl From<Result<(), Stop>> for Verdict {
    fn from(outcome: Result<(), Stop>) -> Self {
        match outcome {
            Ok(()) => Self::Passed,
            Err(Stop::Failed(why)) => Self::Failed(why),
            Err(Stop::Skipped(why)) => Self::Skipped(why),
        }
    }
}

/// XML 1.0 has no way to write most control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TABLE;

    fn report(verdicts: impl IntoIterator<Item = Verdict>) -> Report {
        let played = verdicts.into_iter().zip(TABLE).map(|(verdict, scenario)| Played {
            scenario,
            verdict,
            remarks: vec!["a <remark>\nof two lines".to_owned()],
            took: Duration::from_millis(1500),
        });
        Report { played: played.collect(), ..Report::default() }
    }

    #[test]
    fn only_a_failure_or_an_early_end_is_not_well() {
        let skipped = Verdict::Skipped("why".to_owned());
        assert!(report([Verdict::Passed, skipped.clone()]).is_well());
        assert!(!report([Verdict::Passed, Verdict::Failed("why".to_owned())]).is_well());
        assert!(!Report { is_interrupted: true, ..report([Verdict::Passed]) }.is_well());
    }

    #[test]
    fn whatever_is_told_is_well_formed_xml() {
        let hostile = "\u{1b}[2J & <b> \"quoted\" ]]> \u{0}";
        let verdicts =
            [Verdict::Passed, Verdict::Failed(hostile.to_owned()), Verdict::Skipped(hostile.to_owned())];
        let report = Report { is_interrupted: true, ..report(verdicts) };
        let xml = report.junit(hostile);
        let document = roxmltree::Document::parse(&xml).unwrap();
        let named = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).count();
        assert_eq!(
            (named("testcase"), named("failure"), named("skipped"), named("system-out")),
            (3, 1, 1, 3)
        );
        let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
        for (name, value) in [("tests", "3"), ("failures", "1"), ("skipped", "1"), ("errors", "1")] {
            assert_eq!(suite.attribute(name), Some(value), "{name}");
        }
        let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
        assert_eq!(failure.attribute("message").unwrap(), hostile.replace(['\u{1b}', '\u{0}'], "\u{fffd}"));
    }

    #[test]
    fn a_line_has_the_reason_and_the_remarks_below_it() {
        let report = report([Verdict::Failed("because".to_owned())]);
        let lines: Vec<_> = report.table().lines().map(str::to_owned).collect();
        assert!(
            lines[0].starts_with("FAIL ctaphid/init") && lines[0].ends_with("1.5 s  because"),
            "{lines:?}"
        );
        assert!(lines[1].trim_start().starts_with("remark: a <remark>"), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "0 passed, 1 failed, 0 skipped");
    }
}
