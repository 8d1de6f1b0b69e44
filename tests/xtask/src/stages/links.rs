//! Relative links between documents: each must lead to a file or folder of the project.

use std::path::Path;

use super::house;
use crate::run::{Log, Outcome, Project, Stop};

/// Checks the links of every Markdown file.
pub(super) fn check(project: &Project, log: &Log) -> Outcome {
    let mut broken = 0_u32;
    for path in house::files(project)?.iter().filter(|path| path.ends_with(".md")) {
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        for (number, target) in relative_links(&project.read(path)?) {
            let file = match target.strip_prefix('/') {
                Some(from_root) => project.root.join(from_root),
                None => project.root.join(folder).join(&target),
            };
            if !file.exists() {
                log.line(format_args!("{path}:{number}: {target} does not exist"));
                broken += 1;
            }
        }
    }
    if broken == 0 { Ok(()) } else { Err(Stop::Failed(format!("broken links: {broken}"))) }
}

/// The links of a Markdown text that name a file, with their lines; `#section` is cut off.
fn relative_links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        } else if !fenced {
            links.extend(targets(line).into_iter().filter_map(as_file).map(|file| (number, file)));
        }
    }
    links
}

/// The targets of `[text](target)` and `[label]: target` in a line, outside of code.
fn targets(line: &str) -> Vec<String> {
    // The even pieces between backticks are prose.
    let prose = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
    let mut targets: Vec<_> =
        prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect();
    if let Some((_, definition)) = prose.split_once("]:").filter(|(label, _)| label.starts_with('[')) {
        targets.push(definition.to_owned());
    }
    targets
}

/// The file that a target names, if it is neither elsewhere in the world nor in the same text.
fn as_file(target: String) -> Option<String> {
    let target = target.split_whitespace().next()?.trim_matches(['<', '>']);
    let has_scheme = ["http:", "https:", "mailto:"].iter().any(|scheme| target.starts_with(scheme));
    let file = target.split('#').next().filter(|file| !file.is_empty())?;
    (!has_scheme).then(|| file.replace("%20", " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(text: &str) -> Vec<String> {
        relative_links(text).into_iter().map(|(_, file)| file).collect()
    }

    #[test]
    fn relative_links_are_found_in_every_form() {
        assert_eq!(
            links("see [a](a.md), ![b](img/b.png \"title\") and [c](<c.md>)"),
            ["a.md", "img/b.png", "c.md"]
        );
        assert_eq!(links("[label]: docs/d.md"), ["docs/d.md"]);
    }

    #[test]
    fn a_link_to_a_section_is_a_link_to_its_file() {
        assert_eq!(links("[a](a.md#part)"), ["a.md"]);
        assert_eq!(links("[here](#part)"), Vec::<String>::new());
    }

    #[test]
    fn links_into_the_world_are_left_alone() {
        assert_eq!(links("[a](https://example.org/a.md) [b](mailto:b@example.org)"), Vec::<String>::new());
    }

    #[test]
    fn code_holds_no_links() {
        assert_eq!(links("`[a](a.md)` and ``x``\n```\n[b](b.md)\n```\n[c](c.md)"), ["c.md"]);
    }

    #[test]
    fn a_broken_link_is_reported_with_its_line() {
        assert_eq!(relative_links("one\n\n[a](a.md)"), [(3, "a.md".to_owned())]);
    }
}
