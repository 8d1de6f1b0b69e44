//! The profile in `~/.aws/config` that has AWS's tools ask this command for credentials.

use std::env;
use std::fmt;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::args::login::{Login, ProfileName};
use crate::commands::iam::session::Quoted;
use crate::failure::Failure;
use crate::replace::Replacement;

/// A profile: what is written of it.
pub(super) struct Profile {
    name: ProfileName,
    settings: Vec<(&'static str, String)>,
}

/// A file that can be written, before it is.
pub(super) struct Prepared {
    path: PathBuf,
    replacement: Replacement,
}

impl Profile {
    /// The profile that runs this command again, as it was run.
    pub(super) fn of(arguments: &Login, name: ProfileName) -> Result<Self, Failure> {
        let program = env::current_exe().ok().and_then(|path| path.to_str().map(str::to_owned));
        let program = program.filter(|path| !path.contains(char::is_control)).ok_or_else(|| {
            Failure::usage(
                "this program stands at a path that a profile cannot name: put it into another folder",
            )
        })?;
        let bundle = bundle(arguments)?;
        let command = words(&program, arguments, bundle.as_deref());
        let command: Vec<_> = command.iter().map(|word| quoted(word)).collect();
        let url = arguments.whom.url.api();
        let mut settings = vec![("credential_process", command.join(" ")), ("endpoint_url", url)];
        settings.extend(bundle.map(|path| ("ca_bundle", path)));
        settings.push(("region", "us-east-1".to_owned()));
        Ok(Self { name, settings })
    }

    pub(super) fn name(&self) -> &ProfileName {
        &self.name
    }

    /// The file that AWS's tools read, with this profile in it.
    ///
    /// # Errors
    /// If it cannot be read or written, or the profile is somebody else's already.
    pub(super) fn prepare(&self) -> Result<Prepared, Failure> {
        let path = config_file()?;
        let failed = |error| Failure::file(&path, &error);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        // The file itself is replaced, and not a link to it.
        let path = fs::canonicalize(&path).unwrap_or(path);
        self.text(&path)?;
        let replacement = Replacement::of(&path)?;
        Ok(Prepared { path, replacement })
    }

    /// What the file will be, from what it is now.
    fn text(&self, path: &Path) -> Result<String, Failure> {
        let before = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| Failure::file(path, &error))?,
        };
        self.merged(&before).map_err(|words| self.taken(path, &words))
    }

    /// A file's text with this profile in it, and everything else as it was. Another's profile is left alone.
    fn merged(&self, before: &str) -> Result<String, String> {
        let lines: Vec<_> = before.lines().collect();
        let header = self.header();
        let is_header = |line: &&str| line.split_whitespace().eq(header.split_whitespace());
        let Some(begin) = lines.iter().position(is_header) else {
            let gap = if before.is_empty() || before.ends_with("\n\n") { "" } else { "\n" };
            let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
            return Ok(format!("{before}{end}{gap}{self}\n"));
        };
        let (above, rest) = lines.split_at(begin + 1);
        let end = rest.iter().position(|line| line.starts_with('[')).unwrap_or(rest.len());
        let (own, below) = rest.split_at(end);
        if below.iter().any(is_header) {
            return Err("stands there twice".to_owned());
        }
        let kept = self.kept(own)?;
        let settings = self.settings.iter().filter(|(name, _)| *name != "region" || !has(own, "region"));
        let settings: Vec<_> = settings.map(|(name, value)| format!("{name} = {value}")).collect();
        let all = above
            .iter()
            .copied()
            .chain(settings.iter().map(String::as_str))
            .chain(kept)
            .chain(below.iter().copied());
        Ok(all.flat_map(|line| [line, "\n"]).collect())
    }

    /// The lines of an earlier profile that stay.
    fn kept<'a>(&self, own: &[&'a str]) -> Result<Vec<&'a str>, String> {
        for name in OTHERS {
            if has(own, name) {
                return Err(format!("has {name}, which goes before what this command gives"));
            }
        }
        let process = own.iter().find(|line| setting(line) == Some("credential_process"));
        if process.is_some_and(|line| !line.contains(" iam login ")) {
            return Err("has another credential_process".to_owned());
        }
        let is_ours = |line: &&str| {
            setting(line)
                .is_some_and(|name| ["credential_process", "endpoint_url", "ca_bundle"].contains(&name))
        };
        Ok(own.iter().copied().filter(|line| !is_ours(line)).collect())
    }

    fn header(&self) -> String {
        match self.name.as_str() {
            "default" => "[default]".to_owned(),
            name => format!("[profile {name}]"),
        }
    }

    fn taken(&self, path: &Path, words: &str) -> Failure {
        let (name, path) = (self.name.as_str(), path.display());
        Failure::usage(format!(
            "the profile {name} in {path} {words}: choose another name, or change it by hand (--show {name} shows how)"
        ))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.header())?;
        self.settings.iter().try_for_each(|(name, value)| write!(f, "\n{name} = {value}"))
    }
}

impl Prepared {
    /// Puts the file in its place, with whatever others wrote into it meanwhile.
    pub(super) fn write(self, profile: &Profile) -> Result<PathBuf, Failure> {
        self.replacement.commit(profile.text(&self.path)?.as_bytes(), false)?;
        Ok(self.path)
    }
}

/// The file of certificates, as both this command and AWS's tools find it from wherever they are run.
fn bundle(arguments: &Login) -> Result<Option<String>, Failure> {
    let Some(path) = arguments.roots.bundle(&arguments.whom.url) else { return Ok(None) };
    let path = fs::canonicalize(&path).map_err(|error| Failure::file(&path, &error))?;
    let text = path.to_str().filter(|path| !path.contains(char::is_control)).map(str::to_owned);
    let words = "stands at a path that a profile cannot name: copy it to another";
    text.map(Some).ok_or_else(|| Failure::usage(format!("{} {words}", path.display())))
}

/// The command that the profile runs. No secret is in it: a descriptor of now is none later.
fn words(program: &str, arguments: &Login, bundle: Option<&str>) -> Vec<String> {
    let whom = &arguments.whom;
    let mut words = vec![program.to_owned(), "iam".to_owned(), "login".to_owned()];
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
    option("--console-url", whom.url.console());
    option("--account", whom.account.clone());
    option("--user", whom.user.clone());
    option("--duration", arguments.duration.to_string());
    if let Some(path) = bundle {
        option("--ca-bundle", path.to_owned());
    }
    if let Some(device) = &arguments.device.device {
        option("--device", device.to_string());
    }
    if let Some(name) = &arguments.pin.pin_env {
        option("--pin-env", name.clone());
    }
    if arguments.browser {
        words.push("--browser".to_owned());
    }
    words
}

/// As AWS's tools and a shell both read it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    Quoted(word).to_string()
}

/// The name of a line's setting. Lines that are indented belong to the one above.
fn setting(line: &str) -> Option<&str> {
    let is_comment = line.starts_with(['#', ';', ' ', '\t']);
    line.split_once('=').filter(|_| !is_comment).map(|(name, _)| name.trim())
}

fn has(lines: &[&str], name: &str) -> bool {
    lines.iter().any(|line| setting(line).is_some_and(|found| found.eq_ignore_ascii_case(name)))
}

fn config_file() -> Result<PathBuf, Failure> {
    if let Some(path) = env::var_os("AWS_CONFIG_FILE").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or_else(|| {
        Failure::usage("there is no HOME to find .aws/config in: set it, or AWS_CONFIG_FILE")
    })?;
    Ok(PathBuf::from(home).join(".aws/config"))
}

/// Settings that AWS's tools follow before they run a `credential_process`.
const OTHERS: [&str; 7] = [
    "aws_access_key_id",
    "role_arn",
    "source_profile",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
    "login_session",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(name: &str) -> Profile {
        let settings = [
            ("credential_process", "/bin/keywright iam login --user ann".to_owned()),
            ("endpoint_url", "http://127.0.0.1:1".to_owned()),
            ("region", "us-east-1".to_owned()),
        ];
        Profile { name: name.parse().unwrap(), settings: settings.to_vec() }
    }

    const WRITTEN: &str = "[profile ann]\ncredential_process = /bin/keywright iam login --user ann\n\
                           endpoint_url = http://127.0.0.1:1\nregion = us-east-1\n";

    #[test]
    fn a_profile_is_added_behind_what_is_there() {
        let merged = |before: &str| profile("ann").merged(before).unwrap();
        assert_eq!(merged(""), WRITTEN);
        for before in ["[default]\nregion = eu-west-1\n", "# mine\n[profile other]\ns3 =\n  x = 1"] {
            let after = merged(before);
            assert!(after.starts_with(before) && after.ends_with(&format!("\n\n{WRITTEN}")), "{after}");
            assert_eq!(merged(&after), after, "twice is once");
        }
        assert!(profile("default").merged("").unwrap().starts_with("[default]\n"));
    }

    #[test]
    fn an_earlier_profile_keeps_what_is_not_this_commands() {
        let before = "[profile a]\nregion = x\n[profile  ann]\n# mine\nregion = eu-west-1\n\
                      credential_process = /old/keywright iam login --user ann\nendpoint_url = http://127.0.0.1:2\n\
                      s3 =\n  endpoint_url = http://s3\n\n[profile b]\nendpoint_url = http://b\n";
        let after = profile("ann").merged(before).unwrap();
        let expected = "[profile a]\nregion = x\n[profile  ann]\n\
                        credential_process = /bin/keywright iam login --user ann\nendpoint_url = http://127.0.0.1:1\n\
                        # mine\nregion = eu-west-1\ns3 =\n  endpoint_url = http://s3\n\n[profile b]\nendpoint_url = http://b\n";
        assert_eq!(after, expected);
        assert_eq!(profile("ann").merged(&after).unwrap(), after);
    }

    #[test]
    fn a_profile_that_is_anothers_is_left_alone() {
        for line in [
            "aws_access_key_id = AKIA",
            "role_arn=arn:x",
            "sso_session = s",
            "login_session = arn:x",
            "credential_process = /bin/other",
            "credential_process=/bin/keywright totp",
        ] {
            profile("ann").merged(&format!("[profile ann]\n{line}\n")).unwrap_err();
            profile("ann").merged(&format!("[profile eve]\n{line}\n")).unwrap();
        }
        profile("ann").merged("[profile ann]\n[profile ann]\n").unwrap_err();
    }

    #[test]
    fn a_word_is_one_word_to_whoever_reads_it() {
        assert_eq!(quoted("/usr/bin/keywright"), "/usr/bin/keywright");
        assert_eq!(quoted("/my tools/it's"), r"'/my tools/it'\''s'");
        assert_eq!(quoted("$(x)`y`\"\\"), "'$(x)`y`\"\\'");
        assert_eq!(quoted(""), "''");
    }
}
