//! The login that is kept between commands: sealed with XChaCha20-Poly1305, in files of mode 0600 in a folder of mode 0700.
//!
//! The key lies beside: it keeps secrets out of copies of a login alone, and out of sight. Who can read the whole folder is
//! the user, and finds credentials that end soon and a grant that is worth nothing without the security key.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::args::login::Whom;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::replace::Replacement;

/// Credentials, and what renews them.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Zeroizing<String>,
    pub(super) session_token: Zeroizing<String>,
    /// In seconds since 1970.
    pub(super) expires_at: i64,
    pub(super) arn: String,
    pub(super) grant: Option<Grant>,
}

/// Stands in for the password, for one key's user.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Grant {
    pub(super) token: Zeroizing<String>,
    pub(super) expires_at: i64,
}

impl Kept {
    /// Whether a tool that is given the credentials now gets something done with them.
    pub(super) fn is_fresh(&self, now: i64) -> bool {
        self.expires_at.saturating_sub(now) > MARGIN
    }
}

/// Where the login of someone at some service is kept.
pub(super) struct Keeping {
    folder: PathBuf,
    /// What it is bound to.
    id: String,
    name: String,
}

impl Keeping {
    /// In the user's own state folder.
    pub(super) fn of(whom: &Whom) -> Result<Self, Failure> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        let state = state.ok_or_else(|| Failure::usage("there is no HOME to keep the login in: set it"))?;
        Self::within(state.join("keywright/logins"), whom)
    }

    fn within(folder: PathBuf, whom: &Whom) -> Result<Self, Failure> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&folder).map_err(|error| Failure::file(&folder, &error))?;
        require_private(&folder, 0o700)?;
        // Names of users have no case.
        let user = whom.user.to_ascii_lowercase();
        let id = format!("login of {user} of {} at {}", whom.account, whom.url.console());
        let name = Sha256::digest(&id).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { folder, id, name })
    }

    /// What is kept; `None` when nothing is, or what is there does not open: then there is a new login.
    pub(super) fn read(&self) -> Result<Option<Kept>, Failure> {
        let Some(sealed) = private(&self.path())? else { return Ok(None) };
        let Some(key) = private(&self.key_path())? else { return Ok(None) };
        let opened = cipher(&key).and_then(|cipher| {
            let (nonce, msg) = sealed.split_first_chunk::<NONCE>()?;
            let payload = Payload { msg, aad: self.id.as_bytes() };
            cipher.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
        });
        Ok(opened.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    /// Keeps a login in the place of an earlier one.
    pub(super) fn write(&self, kept: &Kept) -> Result<(), Failure> {
        let broken =
            |what: &str| Failure::new(Kind::Other, format!("the login cannot be kept: {what}; try again"));
        let key = self.key()?;
        let cipher = cipher(&key).ok_or_else(|| {
            Failure::usage(format!("{} is no key: remove it, and sign in anew", self.key_path().display()))
        })?;
        let json = Zeroizing::new(serde_json::to_vec(kept).map_err(|error| broken(&error.to_string()))?);
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| broken(&error.to_string()))?;
        let payload = Payload { msg: &json, aad: self.id.as_bytes() };
        let text =
            cipher.encrypt(&XNonce::from(nonce), payload).map_err(|error| broken(&error.to_string()))?;
        Replacement::of(&self.path())?.commit(&[nonce.as_slice(), &text].concat(), false)
    }

    /// Removes the login; whether there was one.
    pub(super) fn forget(&self) -> Result<bool, Failure> {
        match fs::remove_file(self.path()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::file(&self.path(), &error)),
        }
    }

    /// Waits until no other command renews this login. It is the caller's turn until the file is dropped.
    pub(super) fn wait_for_turn(&self) -> Result<File, Failure> {
        let path = self.folder.join(format!("{}.lock", self.name));
        let failed = |error| Failure::file(&path, &error);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {
                Output::note_at_terminal("Another command is signing in; this one waits for it.")
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.lock().map_err(failed)?;
        Ok(file)
    }

    /// The sealing key, made when there is none. Of two that are made at once, both sides take the first.
    fn key(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let path = self.key_path();
        if let Some(key) = private(&path)? {
            return Ok(key);
        }
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(key.as_mut_slice())
            .map_err(|error| Failure::new(Kind::Other, format!("no randomness: {error}; try again")))?;
        match Replacement::of(&path)?.commit(key.as_slice(), true) {
            Ok(()) => Ok(Zeroizing::new(key.to_vec())),
            Err(failure) => private(&path)?.ok_or(failure),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.login", self.name))
    }

    fn key_path(&self) -> PathBuf {
        self.folder.join("key")
    }
}

fn cipher(key: &[u8]) -> Option<XChaCha20Poly1305> {
    XChaCha20Poly1305::new_from_slice(key).ok()
}

/// The content of a file that is the user's alone; `None` when there is none.
fn private(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let failed = |error| Failure::file(path, &error);
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    require_private(path, 0o600)?;
    // With room from the start, so that growing leaves no copy behind.
    let mut content = Zeroizing::new(Vec::with_capacity(LARGEST));
    file.take(LARGEST as u64).read_to_end(&mut content).map_err(failed)?;
    Ok(Some(content))
}

fn require_private(path: &Path, mode: u32) -> Result<(), Failure> {
    let found = fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
    if found.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::usage(format!("other users of this machine can reach {path}: run `chmod {mode:o} {path}`")))
}

const NONCE: usize = 24;
/// A login has about two kilobytes.
const LARGEST: usize = 64 * 1024;
/// What would end within a minute is renewed at once, so that nobody works with credentials that end under their hands.
const MARGIN: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("keywright-kept-{}-{name}", std::process::id()));
            Self(path)
        }

        fn of(&self, user: &str) -> Keeping {
            Keeping::within(self.0.clone(), &whom(user)).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn whom(user: &str) -> Whom {
        let url = "http://localhost:8080".parse().unwrap();
        Whom { url, account: "123456789012".to_owned(), user: user.to_owned() }
    }

    fn kept() -> Kept {
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        Kept {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: secret("the-secret"),
            session_token: secret("the-token"),
            expires_at: 1000,
            arn: "arn:aws:iam::123456789012:user/ann".to_owned(),
            grant: Some(Grant { token: secret("the-grant"), expires_at: 2000 }),
        }
    }

    #[test]
    fn credentials_are_fresh_until_a_minute_before_their_end() {
        assert!(kept().is_fresh(939));
        assert!(!kept().is_fresh(940));
        assert!(!kept().is_fresh(i64::MAX));
    }

    #[test]
    fn a_login_is_kept_for_its_user_alone_and_in_no_readable_form() {
        let folder = Folder::new("own");
        let keeping = folder.of("ann");
        assert!(keeping.read().unwrap().is_none());
        keeping.write(&kept()).unwrap();
        let read = folder.of("ANN").read().unwrap().unwrap();
        assert_eq!(read.secret_access_key.as_str(), "the-secret");
        assert_eq!(read.grant.unwrap().token.as_str(), "the-grant");
        assert!(folder.of("eve").read().unwrap().is_none());
        // Neither under the name of another's.
        fs::copy(keeping.path(), folder.of("eve").path()).unwrap();
        assert!(folder.of("eve").read().unwrap().is_none());
        for entry in fs::read_dir(&folder.0).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
            let content = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!content.contains("the-") && !content.contains("ASIA"), "{path:?}");
        }
        assert!(keeping.forget().unwrap());
        assert!(!keeping.forget().unwrap());
        assert!(keeping.read().unwrap().is_none());
    }

    #[test]
    fn a_login_that_was_changed_cut_or_sealed_with_another_key_is_none() {
        let folder = Folder::new("changed");
        let keeping = folder.of("ann");
        keeping.write(&kept()).unwrap();
        let whole = fs::read(keeping.path()).unwrap();
        for at in [0, NONCE, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(keeping.path(), &changed).unwrap();
            assert!(keeping.read().unwrap().is_none());
            fs::write(keeping.path(), &whole[..at]).unwrap();
            assert!(keeping.read().unwrap().is_none());
        }
        fs::write(keeping.path(), &whole).unwrap();
        assert!(keeping.read().unwrap().is_some());
        fs::write(keeping.key_path(), [7; 32]).unwrap();
        assert!(keeping.read().unwrap().is_none());
        fs::write(keeping.key_path(), [7; 31]).unwrap();
        assert!(keeping.read().unwrap().is_none());
        assert_eq!(keeping.write(&kept()).unwrap_err().kind(), Kind::Usage);
        fs::remove_file(keeping.key_path()).unwrap();
        assert!(keeping.read().unwrap().is_none());
    }

    #[test]
    fn what_others_can_reach_is_refused() {
        let folder = Folder::new("open");
        let keeping = folder.of("ann");
        keeping.write(&kept()).unwrap();
        for (path, open, private) in [
            (keeping.path(), 0o640, 0o600),
            (keeping.key_path(), 0o604, 0o600),
            (folder.0.clone(), 0o710, 0o700),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            let refused = Keeping::within(folder.0.clone(), &whom("ann")).and_then(|keeping| keeping.read());
            let words = refused.err().unwrap().to_string();
            assert!(words.contains(&format!("chmod {private:o}")), "{words}");
            fs::set_permissions(&path, fs::Permissions::from_mode(private)).unwrap();
        }
        assert!(keeping.read().unwrap().is_some());
    }

    #[test]
    fn one_command_at_a_time_renews_a_login() {
        let folder = Folder::new("turn");
        let turn = folder.of("ann").wait_for_turn().unwrap();
        folder.of("eve").wait_for_turn().unwrap();
        let keeping = folder.of("ann");
        let waiting = std::thread::spawn(move || keeping.wait_for_turn().map(|_| ()));
        assert!(!waiting.is_finished());
        drop(turn);
        waiting.join().unwrap().unwrap();
    }
}
