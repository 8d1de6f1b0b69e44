//! Long lists in pages: AWS's Marker, MaxItems and IsTruncated.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::refusal::{Code, Refusal};

/// Which part of a list is wanted. Rows have rising numbers; what is added later comes last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The number of the last row seen.
    pub(crate) after: i64,
    most: u16,
}

/// A part of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next part begins, when there is more.
    pub(crate) marker: Option<String>,
}

impl Wanted {
    /// At most `most` rows (100 unless said) after the place that an earlier answer named.
    pub(crate) fn parse(marker: Option<&str>, most: Option<u16>) -> Result<Self, Refusal> {
        let after = marker.map_or(Some(0), place);
        let text = "Invalid Marker. Repeat the Marker of the answer before, as it was.";
        let after = after.ok_or_else(|| Refusal::new(Code::ValidationError, text))?;
        Ok(Self { after, most: most.unwrap_or(USUAL) })
    }

    /// How many rows to read: one more than is shown tells whether there are more.
    pub(crate) fn limit(self) -> i64 {
        i64::from(self.most) + 1
    }

    /// The part of `rows`, each with its number, that [`Wanted::limit`] read one too many of.
    pub(crate) fn page<T>(self, rows: Vec<(i64, T)>) -> Page<T> {
        let most = usize::from(self.most);
        let more = rows.len() > most;
        let last = rows.get(most.wrapping_sub(1)).filter(|_| more).map(|(number, _)| *number);
        let items = rows.into_iter().take(most).map(|(_, item)| item).collect();
        Page { items, marker: last.map(|number| BASE64_URL_SAFE_NO_PAD.encode(number.to_be_bytes())) }
    }
}

/// The number in a marker.
fn place(marker: &str) -> Option<i64> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(marker).ok()?;
    Some(i64::from_be_bytes(bytes.try_into().ok()?)).filter(|number| *number > 0)
}

const USUAL: u16 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(marker: Option<&str>, most: u16) -> Wanted {
        Wanted::parse(marker, Some(most)).unwrap()
    }

    #[test]
    fn a_list_that_fits_exactly_has_no_marker() {
        let page = wanted(None, 2).page(vec![(1, 'a'), (2, 'b')]);
        assert_eq!((page.items, page.marker), (vec!['a', 'b'], None));
    }

    #[test]
    fn a_longer_list_ends_with_a_marker_of_its_last_shown_row() {
        let page = wanted(None, 2).page(vec![(1, 'a'), (5, 'b'), (9, 'c')]);
        assert_eq!(page.items, ['a', 'b']);
        assert_eq!(wanted(page.marker.as_deref(), 2).after, 5);
    }

    #[test]
    fn a_marker_that_was_never_given_is_refused() {
        for marker in ["", "x", "AAAAAAAAAAA", "__________8", "AAAAAAAAAAEB", "not a marker"] {
            let refusal = Wanted::parse(Some(marker), None).unwrap_err();
            assert_eq!(refusal.code, Code::ValidationError, "{marker}");
        }
    }
}
