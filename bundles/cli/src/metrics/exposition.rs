//! OpenMetrics texts of several sources, merged: a family stands once, with the samples of all (OpenMetrics 1.0, "Text format").

use std::collections::HashMap;

/// What was merged so far.
#[derive(Debug, Default)]
pub struct Exposition {
    families: Vec<Family>,
    /// Where a family is.
    index: HashMap<String, usize>,
}

/// A family: TYPE, HELP and UNIT of the source that had it first.
#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
    head: Vec<String>,
    samples: Vec<String>,
}

/// What samples of a family may end in, beside nothing.
const SUFFIXES: [&str; 7] = ["_total", "_created", "_bucket", "_sum", "_count", "_info", "_gsum"];

impl Exposition {
    /// Adds a source whole or not at all; `agent` becomes a label of its samples.
    ///
    /// # Errors
    /// A line that is not OpenMetrics, or a family that has another type in an earlier source.
    pub fn add(&mut self, text: &str, agent: Option<&str>) -> Result<(), String> {
        let families = parse(text, agent)?;
        for family in &families {
            let other = self.index.get(&family.name).map(|at| &self.families[*at]);
            if let Some(other) = other.filter(|other| other.kind != family.kind) {
                return Err(format!("{} is a {} here and a {} elsewhere", family.name, family.kind, other.kind));
            }
        }
        for family in families {
            match self.index.get(&family.name) {
                Some(&at) => self.families[at].samples.extend(family.samples),
                None => {
                    self.index.insert(family.name.clone(), self.families.len());
                    self.families.push(family);
                }
            }
        }
        Ok(())
    }

    /// The text, without its `# EOF`.
    pub fn text(&self) -> String {
        let lines = self.families.iter().flat_map(|family| family.head.iter().chain(&family.samples));
        lines.fold(String::new(), |text, line| text + line + "\n")
    }
}

fn parse(text: &str, agent: Option<&str>) -> Result<Vec<Family>, String> {
    let mut families: Vec<Family> = Vec::new();
    for line in text.lines() {
        if line == "# EOF" {
            return Ok(families);
        }
        match line.strip_prefix("# ") {
            Some(descriptor) => describe(&mut families, line, descriptor)?,
            None => {
                let (name, line) = sample(line, agent)?;
                let of = |family: &&mut Family| {
                    name.strip_prefix(&family.name).is_some_and(|rest| rest.is_empty() || SUFFIXES.contains(&rest))
                };
                match families.last_mut().filter(of) {
                    Some(family) => family.samples.push(line),
                    None => return Err(format!("{name} is of no family")),
                }
            }
        }
    }
    Err("no # EOF".to_owned())
}

/// `TYPE name type`, `HELP name text`, `UNIT name unit`.
fn describe(families: &mut Vec<Family>, line: &str, descriptor: &str) -> Result<(), String> {
    let mut words = descriptor.splitn(3, ' ');
    let (Some(keyword @ ("TYPE" | "HELP" | "UNIT")), Some(name)) = (words.next(), words.next()) else {
        return Err(format!("{line:?} is no descriptor"));
    };
    if !is_name(name) {
        return Err(format!("{name:?} is no name"));
    }
    if families.last().is_none_or(|family| family.name != name) {
        if families.iter().any(|family| family.name == name) {
            return Err(format!("{name} is there twice"));
        }
        families.push(Family { name: name.to_owned(), ..Family::default() });
    }
    if let Some(family) = families.last_mut() {
        if keyword == "TYPE" {
            family.kind = words.next().unwrap_or_default().to_owned();
        }
        family.head.push(line.to_owned());
    }
    Ok(())
}

/// A sample's name, and its line with the label `agent`.
fn sample<'a>(line: &'a str, agent: Option<&str>) -> Result<(&'a str, String), String> {
    let malformed = || format!("{line:?} is no sample");
    let end = line.find(['{', ' ']).ok_or_else(malformed)?;
    let (name, rest) = line.split_at(end);
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => rest.split_at(closing(rest).ok_or_else(malformed)?),
        None => ("", rest),
    };
    let value = value.trim_start_matches('}');
    let number = value.split_whitespace().next().ok_or_else(malformed)?;
    if !is_name(name) || number.parse::<f64>().is_err() {
        return Err(malformed());
    }
    if agent.is_some() && (labels.starts_with("agent=") || labels.contains(",agent=")) {
        return Err(format!("{name} has a label agent of its own"));
    }
    let agent = agent.map(|agent| format!("agent=\"{agent}\""));
    let labels: Vec<&str> = agent.as_deref().into_iter().chain(Some(labels).filter(|text| !text.is_empty())).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    Ok((name, format!("{name}{labels}{value}")))
}

/// Where the labels end: a brace outside of quotes.
fn closing(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '}' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_of_two_agents_stands_once() {
        let mut whole = Exposition::default();
        let one = "# HELP a_s Late.\n# TYPE a_s histogram\n# UNIT a_s seconds\na_s_bucket{le=\"+Inf\",x=\"}\\\"{\"} 2 # {t=\"1\"} 0.1\na_s_count 2\n# EOF\n";
        whole.add(one, Some("one")).unwrap();
        whole.add("# TYPE a_s histogram\na_s_count 3\n# TYPE b gauge\nb NaN\n# EOF\n", Some("two")).unwrap();
        assert_eq!(
            whole.text(),
            "# HELP a_s Late.\n# TYPE a_s histogram\n# UNIT a_s seconds\n\
             a_s_bucket{agent=\"one\",le=\"+Inf\",x=\"}\\\"{\"} 2 # {t=\"1\"} 0.1\na_s_count{agent=\"one\"} 2\n\
             a_s_count{agent=\"two\"} 3\n# TYPE b gauge\nb{agent=\"two\"} NaN\n"
        );
    }

    #[test]
    fn what_is_not_openmetrics_is_left_out_whole() {
        let mut whole = Exposition::default();
        whole.add("# TYPE a gauge\na 1\n# EOF\n", None).unwrap();
        for text in [
            "",
            "# TYPE b gauge\nb 1\n",
            "root:x:0:0\n# EOF\n",
            "# TYPE b gauge\nb{ 1\n# EOF\n",
            "# TYPE b gauge\nb one\n# EOF\n",
            "# TYPE b gauge\nc 1\n# EOF\n",
            "# TYPE a counter\na_total 1\n# EOF\n",
            "# TYPE b gauge\nb{agent=\"other\"} 1\n# EOF\n",
            "# note\n# EOF\n",
        ] {
            assert!(whole.add(text, Some("x")).is_err(), "{text}");
        }
        assert_eq!(whole.text(), "# TYPE a gauge\na 1\n");
    }
}
