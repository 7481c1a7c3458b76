use super::family::{FAMILIES, Family, Kind};
use std::fmt::Write;

/// Which text is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Syntax {
    /// OpenMetrics 1.0, with units and `# EOF`.
    OpenMetrics,
    /// Prometheus text 0.0.4, which node_exporter's textfile collector reads: it knows neither info nor state sets.
    Prometheus,
}

/// Samples on their way to text. A family's are together, whatever the order in which they were added.
#[derive(Debug, Default)]
pub struct Exposition {
    samples: Vec<(&'static Family, String)>,
}

impl Exposition {
    /// Adds a sample; `labels` are the values of the family's, in its order.
    pub(super) fn add(&mut self, family: &'static Family, labels: &[&str], value: f64) {
        let mut text = String::new();
        for (name, value) in family.labels.iter().zip(labels) {
            let separator = if text.is_empty() { '{' } else { ',' };
            let _ = write!(text, "{separator}{name}=\"{}\"", escaped(value));
        }
        if !text.is_empty() {
            text.push('}');
        }
        let _ = write!(text, " {value}");
        self.samples.push((family, text));
    }

    /// Adds a sample if there is a value.
    pub(super) fn maybe(&mut self, family: &'static Family, labels: &[&str], value: Option<f64>) {
        if let Some(value) = value {
            self.add(family, labels, value);
        }
    }

    /// The whole text. Families without samples are left out.
    pub fn text(&self, syntax: Syntax) -> String {
        let mut text = String::new();
        for family in FAMILIES {
            let samples = self.samples.iter().filter(|(of, _)| of == family);
            let name = format!("{}{}", family.name, family.kind.suffix());
            for (index, (_, sample)) in samples.enumerate() {
                if index == 0 {
                    head(&mut text, family, &name, syntax);
                }
                let _ = writeln!(text, "{name}{sample}");
            }
        }
        if syntax == Syntax::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }
}

fn head(text: &mut String, family: &Family, sample: &str, syntax: Syntax) {
    let Family { name, kind, unit, help, .. } = family;
    match syntax {
        Syntax::OpenMetrics => {
            let _ = writeln!(text, "# TYPE {name} {}", kind.name());
            if !unit.is_empty() {
                let _ = writeln!(text, "# UNIT {name} {unit}");
            }
            let _ = writeln!(text, "# HELP {name} {}", escaped(help));
        }
        Syntax::Prometheus => {
            let kind = if *kind == Kind::Counter { "counter" } else { "gauge" };
            let _ = writeln!(text, "# HELP {sample} {help}\n# TYPE {sample} {kind}");
        }
    }
}

/// Backslash, quote and line feed (OpenMetrics 1.0, escaped-string).
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::family::{CONTAINER_STATUS, CPU, THREAD_INFO};
    use super::*;

    #[test]
    fn families_stay_together() {
        let mut exposition = Exposition::default();
        exposition.add(CPU, &["a"], 1.5);
        exposition.add(CONTAINER_STATUS, &["a", "running"], 1.0);
        exposition.add(CPU, &["b"], 2.0);
        exposition.maybe(CPU, &["c"], None);
        assert_eq!(
            exposition.text(Syntax::OpenMetrics),
            "# TYPE rtrun_container_status stateset\n\
             # HELP rtrun_container_status The container's status.\n\
             rtrun_container_status{container=\"a\",rtrun_container_status=\"running\"} 1\n\
             # TYPE rtrun_container_cpu_seconds counter\n\
             # UNIT rtrun_container_cpu_seconds seconds\n\
             # HELP rtrun_container_cpu_seconds CPU time that it has used.\n\
             rtrun_container_cpu_seconds_total{container=\"a\"} 1.5\n\
             rtrun_container_cpu_seconds_total{container=\"b\"} 2\n\
             # EOF\n"
        );
        let text = exposition.text(Syntax::Prometheus);
        assert!(text.contains("# TYPE rtrun_container_cpu_seconds_total counter\nrtrun_container_cpu_seconds_total{"));
        assert!(
            text.contains("# TYPE rtrun_container_status gauge\n") && !text.contains("EOF") && !text.contains("UNIT")
        );
    }

    #[test]
    fn names_that_a_process_chose_can_break_nothing() {
        let mut exposition = Exposition::default();
        exposition.add(THREAD_INFO, &["a", "1", "1", "x\"} 1\n# EOF\\", "SCHED_OTHER"], 1.0);
        let text = exposition.text(Syntax::OpenMetrics);
        assert!(text.contains(r#"name="x\"} 1\n# EOF\\",policy="#), "{text}");
        assert_eq!(text.lines().count(), 4);
    }
}
