//! `keywright iam devices report`: who has which MFA devices, and who has none.

use std::fmt;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::{List, Shown, devices_of};
use crate::args::aws::Account;
use crate::aws::Aws;
use crate::failure::{Failure, Kind};
use crate::output::{Foreign, Output};
use crate::replace::Replacement;

/// Asks for all users, and for the devices of each.
///
/// # Errors
/// If the endpoint refuses, or the file cannot be written.
pub(super) fn run(csv: bool, file: Option<&Path>, account: &Account, output: &Output) -> Result<(), Failure> {
    let file = file.map(Replacement::of).transpose()?;
    let aws = Aws::of(account)?;
    let mut users = Vec::new();
    for mut found in aws.list("ListUsers", &[], "Users")? {
        let user = found.remove("UserName").unwrap_or_default();
        let devices = devices_of(&aws, &user)?.into_iter().map(Shown::from).collect();
        users.push(List { user, devices });
    }
    let report = Report { users, form: if csv { Form::Csv } else { Form::Text } };
    let Some(file) = file else { return output.answer(&report) };
    let json =
        || serde_json::to_string(&report).map_err(|error| Failure::new(Kind::Other, error.to_string()));
    let text = if output.is_json() { json()? } else { report.to_string() };
    file.commit(format!("{}\n", text.trim_end()).as_bytes(), false)
}

struct Report {
    users: Vec<List>,
    form: Form,
}

enum Form {
    Text,
    Csv,
}

impl Report {
    /// For whoever looks at the report: how many have none.
    fn without(&self) -> usize {
        self.users.iter().filter(|user| user.devices.is_empty()).count()
    }

    /// RFC 4180; a user without devices is a line too.
    fn csv(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("user,mfa,serial,type,enabled_at\r\n")?;
        for List { user, devices } in &self.users {
            if devices.is_empty() {
                write!(f, "{},false,,,\r\n", Field(user))?;
            }
            for Shown { serial, kind, enabled_at } in devices {
                write!(f, "{},true,{},{kind},{}\r\n", Field(user), Field(serial), Field(enabled_at))?;
            }
        }
        Ok(())
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            users: &'a [List],
            without_mfa: usize,
        }
        Shape { users: &self.users, without_mfa: self.without() }.serialize(serializer)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.form, Form::Csv) {
            return self.csv(f);
        }
        for List { user, devices } in &self.users {
            writeln!(f, "{}{}", Foreign(user), if devices.is_empty() { "  NONE" } else { "" })?;
            for Shown { serial, kind, enabled_at } in devices {
                writeln!(
                    f,
                    "  {}  {}  since {}",
                    Foreign(serial),
                    kind.replace('_', " "),
                    Foreign(enabled_at)
                )?;
            }
        }
        write!(f, "{} of {} users have no MFA device.", self.without(), self.users.len())
    }
}

/// A field of CSV. A spreadsheet takes what begins so for a formula, and a user's name may: an apostrophe before it makes it text.
struct Field<'a>(&'a str);

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.0.starts_with(['=', '+', '-', '@']) { &format!("'{}", self.0) } else { self.0 };
        if text.contains(['"', ',', '\r', '\n']) {
            return write!(f, "\"{}\"", text.replace('"', "\"\""));
        }
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_where_it_must_be_and_never_a_formula() {
        for (text, field) in [
            ("ann", "ann"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=1+1", "'=1+1"),
            ("@a,b", "\"'@a,b\""),
            ("-", "'-"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(Field(text).to_string(), field);
        }
    }
}
