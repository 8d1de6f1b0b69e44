//! What an action may be asked with: names, lengths and patterns of AWS's service model, checked before it runs.

use std::collections::BTreeMap;

use crate::{
    refusal::{Code, Refusal},
    tags::Tag,
};

/// A member of an action's input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) required: bool,
    pub(crate) shape: Shape,
}

/// What a member looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Text(Text),
    /// A text that messages do not repeat.
    Secret(Text),
    Integer {
        min: u32,
        max: u32,
    },
    OneOf(&'static [&'static str]),
    Tags,
    TagKeys,
    /// AWS knows it, this server does not: it says so rather than pretend.
    Unsupported,
}

/// Lengths in characters, and a pattern.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) min: usize,
    pub(crate) max: usize,
    /// As AWS writes it.
    pub(crate) pattern: &'static str,
    pub(crate) fits: fn(&str) -> bool,
}

/// The members of a request that were checked against those of the action.
#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<String, String>);

impl Members {
    /// Reads a form. A name that comes twice is refused: two readers could take it differently.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut members = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            if members.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Refusal::new(Code::ValidationError, format!("Parameter {name} is there twice.")));
            }
        }
        Ok(Self(members))
    }

    /// Checks every member and tells all that is wrong at once, as AWS does.
    pub(crate) fn check(&self, members: &[Member]) -> Result<(), Refusal> {
        let wrong: Vec<_> = members.iter().flat_map(|member| self.wrong(member)).collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let errors = if wrong.len() == 1 { "error" } else { "errors" };
        let text = format!("{} validation {errors} detected: {}", wrong.len(), wrong.join("; "));
        Err(Refusal::new(Code::ValidationError, text))
    }

    /// The text of a member that may be missing.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text of a member that [`Members::check`] found.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::new(Code::ValidationError, format!("{name} must not be null")))
    }

    /// The number of a member that [`Members::check`] found to be one.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// `Tags.member.N.Key` and `.Value`, in order.
    pub(crate) fn tags(&self) -> Vec<Tag> {
        let part = |number, part| self.get(&format!("Tags.member.{number}.{part}")).map(str::to_owned);
        let tag = |number| Some(Tag { key: part(number, "Key")?, value: part(number, "Value")? });
        (1..=MOST).map_while(tag).collect()
    }

    /// `TagKeys.member.N`, in order.
    pub(crate) fn tag_keys(&self) -> Vec<String> {
        let key = |number| self.get(&format!("TagKeys.member.{number}")).map(str::to_owned);
        (1..=MOST).map_while(key).collect()
    }

    fn wrong(&self, member: &Member) -> Vec<String> {
        let place = camel_case(member.name);
        match member.shape {
            Shape::Tags | Shape::TagKeys => self.wrong_list(member),
            Shape::Unsupported => {
                let inside = format!("{}.", member.name);
                let there = self.0.keys().any(|name| name == member.name || name.starts_with(&inside));
                let text = format!(
                    "Value at '{place}' failed to satisfy constraint: Member is not kept by this server"
                );
                there.then_some(text).into_iter().collect()
            }
            shape => match self.get(member.name) {
                Some(value) => {
                    broken(shape, value).map(|broken| failure(&place, shape, value, &broken)).collect()
                }
                None if member.required => vec![null(&place)],
                None => vec![],
            },
        }
    }

    /// A list: its entries are numbered from 1 without a gap.
    fn wrong_list(&self, member: &Member) -> Vec<String> {
        let place = camel_case(member.name);
        let inside = format!("{}.member.", member.name);
        let numbers = self.0.keys().filter_map(|name| name.strip_prefix(&inside));
        let numbers = numbers.map(|rest| rest.split('.').next().unwrap_or_default());
        let mut numbers: Vec<_> = numbers.map(str::parse::<usize>).collect();
        numbers.dedup();
        let count = numbers.len();
        if count == 0 {
            return if member.required { vec![null(&place)] } else { vec![] };
        }
        if count > MOST {
            return vec![format!(
                "Value at '{place}' failed to satisfy constraint: Member must have length less than or equal to {MOST}"
            )];
        }
        let in_row = (1..=count).all(|number| numbers.contains(&Ok(number)));
        if !in_row {
            return vec![format!(
                "Value at '{place}' failed to satisfy constraint: Member must be numbered from 1"
            )];
        }
        (1..=count).flat_map(|number| self.wrong_entry(member, number)).collect()
    }

    fn wrong_entry(&self, member: &Member, number: usize) -> Vec<String> {
        let entry = format!("{}.member.{number}", member.name);
        let place = format!("{}.{number}.member", camel_case(member.name));
        let parts = match member.shape {
            Shape::TagKeys => vec![(entry, place, TAG_KEY)],
            _ => vec![
                (format!("{entry}.Key"), format!("{place}.key"), TAG_KEY),
                (format!("{entry}.Value"), format!("{place}.value"), TAG_VALUE),
            ],
        };
        let wrong = |(name, place, text): (String, String, Text)| {
            let shape = Shape::Text(text);
            let Some(value) = self.get(&name) else { return vec![null(&place)] };
            broken(shape, value).map(|broken| failure(&place, shape, value, &broken)).collect()
        };
        parts.into_iter().flat_map(wrong).collect()
    }
}

/// The constraints that a value breaks.
fn broken(shape: Shape, value: &str) -> impl Iterator<Item = String> {
    let mut broken = Vec::new();
    match shape {
        Shape::Text(text) | Shape::Secret(text) => {
            let length = value.chars().count();
            if length < text.min {
                broken.push(format!("Member must have length greater than or equal to {}", text.min));
            }
            if length > text.max {
                broken.push(format!("Member must have length less than or equal to {}", text.max));
            }
            if !(text.fits)(value) {
                broken.push(format!("Member must satisfy regular expression pattern: {}", text.pattern));
            }
        }
        Shape::Integer { min, max } => match value.parse::<i64>() {
            Ok(number) if number < i64::from(min) => {
                broken.push(format!("Member must have value greater than or equal to {min}"));
            }
            Ok(number) if number > i64::from(max) => {
                broken.push(format!("Member must have value less than or equal to {max}"));
            }
            Ok(_) => {}
            Err(_) => broken.push("Member must be an integer".into()),
        },
        Shape::OneOf(values) if !values.contains(&value) => {
            broken.push(format!("Member must satisfy enum value set: [{}]", values.join(", ")));
        }
        Shape::OneOf(_) | Shape::Tags | Shape::TagKeys | Shape::Unsupported => {}
    }
    broken.into_iter()
}

fn failure(place: &str, shape: Shape, value: &str, broken: &str) -> String {
    if matches!(shape, Shape::Secret(_)) {
        return format!("Value at '{place}' failed to satisfy constraint: {broken}");
    }
    format!("Value '{value}' at '{place}' failed to satisfy constraint: {broken}")
}

fn null(place: &str) -> String {
    format!("Value null at '{place}' failed to satisfy constraint: Member must not be null")
}

/// As AWS names a member in a message: `userName`.
pub(super) fn camel_case(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

/// AWS's limit for a list of tags.
const MOST: usize = 50;

const TAG_KEY: Text = Text {
    min: 1,
    max: 128,
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+",
    fits: |text| text.chars().all(is_of_tag),
};
const TAG_VALUE: Text = Text {
    min: 0,
    max: 256,
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
    fits: |text| text.chars().all(is_of_tag),
};

/// Deviates: `is_alphabetic` lets some marks through that `\p{L}` does not.
fn is_of_tag(c: char) -> bool {
    let separator =
        matches!(c, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}')
            || matches!(c, '\u{202f}' | '\u{205f}' | '\u{3000}');
    c.is_alphabetic() || c.is_numeric() || separator || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Member = Member {
        name: "AuthenticationCode1",
        required: true,
        shape: Shape::Secret(Text {
            min: 6,
            max: 6,
            pattern: r"[\d]+",
            fits: |text| text.bytes().all(|byte| byte.is_ascii_digit()),
        }),
    };
    const TAGS: Member = Member { name: "Tags", required: true, shape: Shape::Tags };

    fn complaint(members: &[Member], body: &str) -> String {
        let refusal = Members::parse(body.as_bytes()).unwrap().check(members).unwrap_err();
        assert_eq!(refusal.code, Code::ValidationError);
        refusal.message
    }

    #[test]
    fn a_missing_member_is_told_as_aws_tells_it() {
        let expected = "1 validation error detected: Value null at 'authenticationCode1' failed to satisfy \
                        constraint: Member must not be null";
        assert_eq!(complaint(&[CODE], "Action=x"), expected);
    }

    #[test]
    fn every_constraint_that_is_broken_is_told_and_a_secret_is_not_repeated() {
        let text = complaint(&[CODE, TAGS], "AuthenticationCode1=12345x7");
        assert!(text.starts_with("3 validation errors detected: "), "{text}");
        assert!(!text.contains("12345x7"), "{text}");
    }

    #[test]
    fn a_name_that_comes_twice_is_refused() {
        assert_eq!(Members::parse(b"UserName=a&UserName=b").unwrap_err().code, Code::ValidationError);
    }

    #[test]
    fn tags_are_read_in_order_and_a_gap_or_a_missing_part_is_refused() {
        let body = "Tags.member.1.Key=a&Tags.member.1.Value=&Tags.member.2.Key=b&Tags.member.2.Value=c";
        let members = Members::parse(body.as_bytes()).unwrap();
        members.check(&[TAGS]).unwrap();
        let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
        assert_eq!(members.tags(), [tag("a", ""), tag("b", "c")]);
        for body in [
            "Tags.member.2.Key=a&Tags.member.2.Value=b",
            "Tags.member.0.Key=a&Tags.member.0.Value=b",
            "Tags.member.x.Key=a&Tags.member.x.Value=b",
            "Tags.member.1.Key=a",
            "Tags.member.1.Value=a",
            "Tags.member.1.Key=&Tags.member.1.Value=a",
            "Tags.member.1.Key=a%00&Tags.member.1.Value=a",
            "Tags.member.1.Key=a;&Tags.member.1.Value=a",
        ] {
            complaint(&[TAGS], body);
        }
    }

    #[test]
    fn fifty_one_tags_are_refused() {
        let body = |count: usize| {
            (1..=count)
                .map(|n| format!("Tags.member.{n}.Key=k{n}&Tags.member.{n}.Value=v"))
                .collect::<Vec<_>>()
                .join("&")
        };
        Members::parse(body(50).as_bytes()).unwrap().check(&[TAGS]).unwrap();
        complaint(&[TAGS], &body(51));
    }

    #[test]
    fn what_the_server_does_not_keep_is_refused_and_not_dropped() {
        let member = Member { name: "PolicyArns", required: false, shape: Shape::Unsupported };
        Members::parse(b"a=b").unwrap().check(&[member]).unwrap();
        assert!(complaint(&[member], "PolicyArns.member.1.arn=x").contains("not kept by this server"));
    }
}
