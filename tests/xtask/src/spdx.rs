//! SPDX licence expressions, as far as manifests use them.

/// Whether an expression can be met by licences of the list alone.
///
/// `AND` binds tighter than `OR`; `/` is the `OR` of old manifests; `X WITH Y` is allowed only as it stands.
pub(crate) fn is_allowed(expression: &str, allow: &[String]) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut reader = Reader { words: spaced.split_whitespace().collect(), next: 0, allow };
    let allowed = reader.alternatives()?;
    match reader.take() {
        None => Ok(allowed),
        Some(word) => Err(format!("`{word}` is not expected in `{expression}`")),
    }
}

struct Reader<'a> {
    words: Vec<&'a str>,
    next: usize,
    allow: &'a [String],
}

impl<'a> Reader<'a> {
    fn alternatives(&mut self) -> Result<bool, String> {
        let mut allowed = self.conjunction()?;
        while self.takes("OR") {
            allowed |= self.conjunction()?;
        }
        Ok(allowed)
    }

    fn conjunction(&mut self) -> Result<bool, String> {
        let mut allowed = self.licence()?;
        while self.takes("AND") {
            allowed &= self.licence()?;
        }
        Ok(allowed)
    }

    fn licence(&mut self) -> Result<bool, String> {
        if self.takes("(") {
            let allowed = self.alternatives()?;
            return if self.takes(")") { Ok(allowed) } else { Err("a `)` is missing".to_owned()) };
        }
        let mut licence = match self.take() {
            Some(word) if !["OR", "AND", "WITH", ")"].contains(&word) => word.to_owned(),
            _ => return Err("a licence is missing".to_owned()),
        };
        if self.takes("WITH") {
            let exception = self.take().ok_or("an exception is missing after `WITH`")?;
            licence = format!("{licence} WITH {exception}");
        }
        Ok(self.allow.contains(&licence))
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.words.get(self.next) == Some(&word);
        self.next += usize::from(found);
        found
    }

    fn take(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.next).copied();
        self.next += 1;
        word
    }
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    fn allowed(expression: &str) -> bool {
        let allow = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned);
        is_allowed(expression, &allow).unwrap()
    }

    #[test]
    fn one_allowed_alternative_is_enough() {
        assert!(allowed("MIT OR Apache-2.0"));
        assert!(allowed("MIT OR GPL-3.0-only"));
        assert!(allowed("GPL-3.0-only OR LGPL-2.1-or-later OR MIT"));
    }

    #[test]
    fn a_conjunction_needs_every_part() {
        assert!(allowed("MIT AND Unicode-3.0"));
        assert!(!allowed("MIT AND GPL-3.0-only"));
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert!(allowed("MIT OR Apache-2.0 AND GPL-3.0-only"));
        assert!(!allowed("(MIT OR Apache-2.0) AND GPL-3.0-only"));
        assert!(allowed("(MIT OR GPL-3.0-only) AND Unicode-3.0"));
    }

    #[test]
    fn a_slash_is_the_or_of_old_manifests() {
        assert!(allowed("GPL-3.0/MIT"));
        assert!(allowed("MIT / Apache-2.0"));
    }

    #[test]
    fn a_licence_is_never_matched_by_its_beginning() {
        assert!(!allowed("MIT-0"));
        assert!(!allowed("Apache-2.0+"));
    }

    #[test]
    fn an_exception_makes_another_licence_of_it() {
        assert!(!allowed("Apache-2.0 WITH LLVM-exception"));
        let allow = ["Apache-2.0 WITH LLVM-exception".to_owned()];
        assert_eq!(is_allowed("Apache-2.0 WITH LLVM-exception", &allow), Ok(true));
        assert_eq!(is_allowed("Apache-2.0", &allow), Ok(false));
    }

    #[test]
    fn what_is_not_an_expression_is_an_error_and_not_a_licence() {
        for broken in ["", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "AND MIT", "MIT WITH"] {
            assert!(is_allowed(broken, &["MIT".to_owned()]).is_err(), "{broken}");
        }
    }
}
