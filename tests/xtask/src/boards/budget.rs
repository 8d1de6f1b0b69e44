//! `firmware/boards/budget.toml`: what an image may take.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::run::{Outcome, Project, failed};

/// Limits by image and by what they limit.
pub(crate) struct Budget(BTreeMap<String, BTreeMap<String, usize>>);

impl Budget {
    /// Reads the file.
    pub(crate) fn read(project: &Project) -> Outcome<Self> {
        Self::parse(&project.read(FILE)?).map_err(|error| failed(&FILE, &error))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let value: Value = toml::from_str(text).map_err(|error| error.to_string())?;
        let tables = value.as_object().ok_or("no table")?;
        let limits = |(image, table): (&String, &Value)| {
            let table = table.as_object().ok_or_else(|| format!("{image} is no table"))?;
            let limit = |(what, limit): (&String, &Value)| {
                let limit = limit.as_u64().and_then(|limit| usize::try_from(limit).ok());
                limit
                    .map(|limit| (what.clone(), limit))
                    .ok_or_else(|| format!("{image}: {what} is no number"))
            };
            Ok((image.clone(), table.iter().map(limit).collect::<Result<_, String>>()?))
        };
        // What commands may take is for the tests on the emulated board.
        let images = tables.iter().filter(|(name, _)| *name != "emulated");
        images.map(limits).collect::<Result<_, String>>().map(Self)
    }

    /// The limits of flash and RAM, in bytes; nothing is allowed of what is not named.
    pub(crate) fn of(&self, image: &str) -> (usize, usize) {
        (self.limit(image, "flash"), self.limit(image, "ram"))
    }

    /// What is over its limit.
    pub(crate) fn findings(&self, image: &str, flash: usize, ram: usize) -> Vec<String> {
        let over = |(what, measured): (&str, usize)| {
            let limit = self.limit(image, what);
            (measured > limit).then(|| format!("{image}: {what} is {measured} bytes, its budget {limit}"))
        };
        [("flash", flash), ("ram", ram)].into_iter().filter_map(over).collect()
    }

    fn limit(&self, image: &str, what: &str) -> usize {
        self.0.get(image).and_then(|limits| limits.get(what)).copied().unwrap_or_default()
    }
}

const FILE: &str = "firmware/boards/budget.toml";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_within_its_budget_is_no_finding_and_one_byte_more_is() {
        let budget = Budget::parse("[a]\nflash = 100\nram = 50\n").unwrap();
        assert!(budget.findings("a", 100, 50).is_empty());
        assert_eq!(budget.findings("a", 101, 50), ["a: flash is 101 bytes, its budget 100"]);
        assert_eq!(budget.findings("a", 101, 51).len(), 2);
    }

    #[test]
    fn an_image_that_is_not_named_has_no_budget() {
        assert_eq!(Budget::parse("[a]\nflash = 100\n").unwrap().findings("b", 1, 1).len(), 2);
    }

    #[test]
    fn the_projects_own_file_names_both_images() {
        let budget = Budget::parse(include_str!("../../../../firmware/boards/budget.toml")).unwrap();
        for image in ["keywright-rp2040", "keywright-stm32f4"] {
            let (flash, ram) = budget.of(image);
            assert!(flash > 0 && ram > 0, "{image}");
        }
    }

    #[test]
    fn a_limit_that_is_no_number_is_refused() {
        for text in ["[a]\nflash = \"100\"", "[a]\nflash = -1", "flash = 100", "not toml"] {
            assert!(Budget::parse(text).is_err(), "{text}");
        }
    }
}
