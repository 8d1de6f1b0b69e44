//! A profile of AWS's files: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs, io};

use zeroize::Zeroizing;

use super::Failure;

/// The settings of one profile. What the credentials file says is stronger.
pub(crate) struct Profile {
    /// As it was named.
    pub(super) name: String,
    /// Whether it was named by an option, and not by the environment or not at all.
    pub(super) is_chosen: bool,
    settings: BTreeMap<String, Zeroizing<String>>,
}

impl Profile {
    /// Reads a profile; one that was not named need not be there.
    ///
    /// # Errors
    /// If it was named and is in neither file, or a file cannot be read.
    pub(super) fn read(option: Option<&str>) -> Result<Self, Failure> {
        let named = option.map(str::to_owned).or_else(|| variable("AWS_PROFILE"));
        let named = named.or_else(|| variable("AWS_DEFAULT_PROFILE"));
        let is_named = named.is_some();
        let name = named.unwrap_or_else(|| "default".to_owned());
        let of_config = if name == "default" { name.clone() } else { format!("profile {name}") };
        let (mut settings, mut is_found) = (BTreeMap::new(), false);
        for (place, standard, section) in
            [("AWS_CONFIG_FILE", "config", &of_config), ("AWS_SHARED_CREDENTIALS_FILE", "credentials", &name)]
        {
            if let Some(found) = file(place, standard)?.and_then(|text| section_of(&text, section)) {
                is_found = true;
                settings.extend(found);
            }
        }
        if is_named && !is_found {
            return Err(Failure::usage(format!(
                "there is no profile {name} in ~/.aws/config and ~/.aws/credentials: name one that is there"
            )));
        }
        Ok(Self { name, is_chosen: option.is_some(), settings })
    }

    /// What the profile sets.
    pub(super) fn setting(&self, name: &str) -> Option<String> {
        self.secret(name).map(|value| value.to_string())
    }

    pub(super) fn secret(&self, name: &str) -> Option<Zeroizing<String>> {
        self.settings.get(name).filter(|value| !value.is_empty()).cloned()
    }

    pub(super) fn region(&self) -> Option<String> {
        variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).or_else(|| self.setting("region"))
    }
}

/// An environment variable that says something.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn file(place: &str, standard: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let usual = || env::home_dir().map(|home| home.join(".aws").join(standard));
    let Some(path) = variable(place).map(PathBuf::from).or_else(usual) else { return Ok(None) };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::usage(format!("{}: {error}", path.display()))),
    }
}

/// The settings of a section, in AWS's dialect: an indented line belongs to the setting above it, and none of those is needed here.
fn section_of(text: &str, wanted: &str) -> Option<BTreeMap<String, Zeroizing<String>>> {
    let (mut settings, mut is_inside) = (None::<BTreeMap<_, _>>, false);
    for line in text.lines() {
        if line.starts_with(['#', ';']) || line.trim().is_empty() {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            is_inside = title.0.split_whitespace().eq(wanted.split_whitespace());
            if is_inside {
                settings.get_or_insert_default();
            }
        } else if let Some((name, value)) =
            line.split_once('=').filter(|_| is_inside && !line.starts_with([' ', '\t']))
        {
            let value = Zeroizing::new(value.trim().to_owned());
            settings.get_or_insert_default().insert(name.trim().to_ascii_lowercase(), value);
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\n[default]\naws_access_key_id = AKIADEFAULT\nregion=eu-west-1\n\n\
        [profile  work]\nregion = eu-central-1\ns3 =\n  region = hidden\n; another = one\n\
        credential_process = /opt/bin/run --with=equals\n[profile empty]\n[sso-session work]\nregion = x\n";

    fn setting(section: &str, name: &str) -> Option<String> {
        section_of(FILE, section)?.get(name).map(|value| value.to_string())
    }

    #[test]
    fn a_profiles_settings_are_its_own() {
        assert_eq!(setting("default", "region").as_deref(), Some("eu-west-1"));
        assert_eq!(setting("default", "aws_access_key_id").as_deref(), Some("AKIADEFAULT"));
        assert_eq!(setting("profile work", "region").as_deref(), Some("eu-central-1"));
        assert_eq!(setting("profile work", "another"), None);
        let command = setting("profile work", "credential_process");
        assert_eq!(command.as_deref(), Some("/opt/bin/run --with=equals"));
    }

    #[test]
    fn an_empty_profile_is_there_and_another_is_not() {
        assert!(section_of(FILE, "profile empty").is_some_and(|settings| settings.is_empty()));
        for section in ["work", "empty", "profile wor", "profile default", ""] {
            assert!(section_of(FILE, section).is_none(), "{section}");
        }
        for text in ["", "no section", "a = b", "[", "[default", "=\n[]\n="] {
            assert!(section_of(text, "default").is_none(), "{text}");
        }
    }
}
