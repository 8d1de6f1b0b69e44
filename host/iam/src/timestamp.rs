//! Seconds since 1970 as AWS writes them, in UTC.

use time::{OffsetDateTime, PrimitiveDateTime, format_description::FormatItem, macros::format_description};

/// `2026-01-31T12:34:56Z`, as answers have it. A time outside of the calendar is written as 1970.
pub(crate) fn extended(seconds: i64) -> String {
    written(seconds, EXTENDED)
}

/// `20260131T123456Z`, as SigV4 has it.
pub(crate) fn basic(seconds: i64) -> String {
    written(seconds, BASIC)
}

/// The time of a text that [`basic`] could have written.
pub(crate) fn parse_basic(text: &str) -> Option<i64> {
    let seconds = PrimitiveDateTime::parse(text, BASIC).ok()?.assume_utc().unix_timestamp();
    // The parser takes signs and the like, which signers do not write.
    (basic(seconds) == text).then_some(seconds)
}

fn written(seconds: i64, format: &[FormatItem<'_>]) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(format).unwrap_or_default()
}

const EXTENDED: &[FormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const BASIC: &[FormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_aws_writes_it() {
        assert_eq!(extended(1_440_938_160), "2015-08-30T12:36:00Z");
        assert_eq!(basic(1_440_938_160), "20150830T123600Z");
        assert_eq!(parse_basic("20150830T123600Z"), Some(1_440_938_160));
    }

    #[test]
    fn what_is_not_such_a_time_is_none() {
        for text in [
            "",
            "20150830T123600",
            "20150830T123600z",
            "20151330T123600Z",
            "20150830T246000Z",
            "+0150830T123600Z",
        ] {
            assert_eq!(parse_basic(text), None, "{text}");
        }
    }
}
