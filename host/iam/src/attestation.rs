//! What is known of a key's maker: metadata in the shape of the FIDO Metadata Service (MDS3), by AAGUID.
//!
//! A level counts only when the key's certificate leads to a root of the entry for its AAGUID. A key without a
//! certificate of its maker, or of a maker that no entry knows, has no level and is not refused for that.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use tracing::warn;
use uuid::Uuid;
use webauthn_attestation_ca::{AttestationCaList, AttestationCaListBuilder};
use webauthn_rs_core::{
    attestation::verify_attestation_ca_chain,
    proto::{AttestationMetadata, Credential, ParsedAttestationData},
};

use crate::{
    config::KeyPolicy,
    error::Error,
    iam::Iam,
    refusal::{Code, Refusal},
    webauthn,
};

/// What is known of makers.
pub(crate) struct Metadata(HashMap<Uuid, Entry>);

struct Entry {
    description: String,
    roots: AttestationCaList,
    levels: Levels,
}

/// Certifications by AWS's names (`FIDO`, `FIPS-140-2`, `FIPS-140-3`), such as `FIDO` to `L1`.
pub(crate) type Levels = BTreeMap<&'static str, String>;

/// A maker's statement that was verified.
#[derive(Debug)]
pub(crate) struct Maker {
    /// The name of the model.
    pub(crate) description: String,
    pub(crate) levels: Levels,
}

impl Metadata {
    /// The project's own entry for the virtual key, and then the files, of which a later one wins.
    pub(crate) fn load(files: &[PathBuf]) -> Result<Self, Error> {
        let mut entries = HashMap::new();
        add(&mut entries, Path::new("virtual-key.json"), VIRTUAL_KEY)?;
        for path in files {
            let text =
                fs::read_to_string(path).map_err(|source| Error::File { path: path.clone(), source })?;
            add(&mut entries, path, &text)?;
        }
        Ok(Self(entries))
    }

    /// Whose key this is: `None` when it does not say, or when no entry knows its AAGUID. A key that names an
    /// AAGUID whose maker did not sign for it is refused.
    pub(crate) fn maker_of(&self, credential: &Credential, now: i64) -> Result<Option<Maker>, Refusal> {
        let (AttestationMetadata::Packed { aaguid } | AttestationMetadata::Tpm { aaguid, .. }) =
            &credential.attestation.metadata
        else {
            return Ok(None);
        };
        let Some(entry) = self.0.get(aaguid) else { return Ok(None) };
        if entry.signed_for(&credential.attestation.data, now) {
            return Ok(Some(Maker { description: entry.description.clone(), levels: entry.levels.clone() }));
        }
        warn!(%aaguid, "a key's certificate does not lead to a root of its maker");
        Err(Refusal::denied(format!(
            "The key says that it is a {}, and its certificate was not made by that maker. Use another key.",
            entry.description
        )))
    }
}

impl Entry {
    fn signed_for(&self, attestation: &ParsedAttestationData, now: i64) -> bool {
        let (ParsedAttestationData::Basic(chain)
        | ParsedAttestationData::AttCa(chain)
        | ParsedAttestationData::AnonCa(chain)) = attestation
        else {
            return false;
        };
        let is_root = |certificate| self.roots.cas().values().any(|root| root.ca() == certificate);
        // MDS3 §3.1.1: an entry may name the attestation certificate itself.
        if chain.first().is_some_and(is_root) {
            return true;
        }
        // A root that was sent along is found among our own.
        let sent = chain.iter().filter(|certificate| !is_root(certificate)).cloned().collect();
        let now = UNIX_EPOCH + Duration::from_secs(now.unsigned_abs());
        let verified = verify_attestation_ca_chain(&ParsedAttestationData::Basic(sent), &self.roots, now);
        matches!(verified, Ok(Some(_)))
    }
}

impl Iam {
    /// Refuses every security key where the policy on `iam:RegisterSecurityKey` does.
    pub(crate) fn require_keys_allowed(&self) -> Result<(), Refusal> {
        if !self.keys.refused {
            return Ok(());
        }
        Err(Refusal::denied(
            "The policy of this account (iam:RegisterSecurityKey) lets nobody register a passkey or security key. Add \
             another type of MFA device.",
        ))
    }

    /// Refuses a registration that the policy on certifications does not allow, or whose maker is not who the key says.
    pub(crate) fn check_certification(&self, credential: &Credential) -> Result<(), Refusal> {
        let maker = self.metadata.maker_of(credential, self.now())?;
        let KeyPolicy { refused: _, fido, fips_140_2, fips_140_3 } = &self.keys;
        for (name, allowed) in [("FIDO", fido), ("FIPS-140-2", fips_140_2), ("FIPS-140-3", fips_140_3)] {
            let level = maker.as_ref().and_then(|maker| maker.levels.get(name));
            if allowed.is_empty() || level.is_some_and(|level| allowed.contains(level)) {
                continue;
            }
            // AWS names FIPS's keys as kinds of FIDO's.
            let key = if name == "FIDO" { "" } else { "FIDO-" };
            let (has, wanted) = (level.map_or("none", String::as_str), allowed.join(" or "));
            return Err(Refusal::denied(format!(
                "The policy of this account (iam:{key}{name}-certification) asks for a key that is certified at \
                 {wanted}, and of this one {has} is known. Use another key, and let the browser pass on its make."
            )));
        }
        Ok(())
    }

    /// The certifications of a user's security key as today's metadata have them; other devices have none.
    /// `GetMFADevice` answers them.
    pub(crate) fn certifications(&self, serial: &str) -> Result<Levels, Refusal> {
        Ok(self.maker(serial)?.map(|maker| maker.levels).unwrap_or_default())
    }

    /// Who made a security key, as today's metadata have it.
    pub(crate) fn maker(&self, serial: &str) -> Result<Option<Maker>, Refusal> {
        let credential = self.store.transaction(|tx| webauthn::stored::credential_of(tx, serial))?;
        let Some(credential) = credential else { return Ok(None) };
        match self.metadata.maker_of(&credential, self.now()) {
            // The metadata may have changed since the key was registered.
            Err(refusal) if refusal.code == Code::AccessDenied => Ok(None),
            answer => answer,
        }
    }
}

/// The parts of MDS3's payload that matter here; the others are skipped.
#[derive(Deserialize)]
struct Blob {
    entries: Vec<BlobEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlobEntry {
    aaguid: Option<Uuid>,
    metadata_statement: Option<Statement>,
    #[serde(default)]
    status_reports: Vec<StatusReport>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    description: String,
    #[serde(default)]
    attestation_root_certificates: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusReport {
    status: String,
    #[serde(default)]
    effective_date: String,
    fips_revision: Option<u32>,
}

fn add(entries: &mut HashMap<Uuid, Entry>, path: &Path, text: &str) -> Result<(), Error> {
    let blob: Blob = serde_json::from_str(text)
        .map_err(|error| Error::Metadata { path: path.into(), why: error.to_string() })?;
    for entry in blob.entries {
        // U2F and UAF keys have no AAGUID.
        let (Some(aaguid), Some(statement)) = (entry.aaguid, entry.metadata_statement) else { continue };
        let roots = roots(aaguid, &statement);
        if roots.cas().is_empty() {
            warn!(%aaguid, "an entry of the metadata names no root that can be read");
            continue;
        }
        let levels = levels(entry.status_reports);
        entries.insert(aaguid, Entry { description: statement.description, roots, levels });
    }
    Ok(())
}

fn roots(aaguid: Uuid, statement: &Statement) -> AttestationCaList {
    let mut list = AttestationCaListBuilder::new();
    for text in &statement.attestation_root_certificates {
        let text: String = text.split_whitespace().collect();
        let added = BASE64_STANDARD.decode(text).ok().and_then(|der| {
            list.insert_device_der(&der, aaguid, statement.description.clone(), BTreeMap::new()).ok()
        });
        if added.is_none() {
            warn!(%aaguid, "a root of the metadata cannot be read");
        }
    }
    list.build()
}

/// MDS3 §3.1.3: the reports in the order in which they became effective.
fn levels(mut reports: Vec<StatusReport>) -> Levels {
    reports.sort_by(|one, other| one.effective_date.cmp(&other.effective_date));
    let mut levels = Levels::new();
    for report in reports {
        let status = report.status.as_str();
        if LOST.contains(&status) {
            levels.clear();
        } else if status == "NOT_FIDO_CERTIFIED" {
            levels.remove("FIDO");
        } else if let Some(level) = status.strip_prefix("FIDO_CERTIFIED") {
            // Without a level it is the first one.
            let level = level.strip_prefix('_').unwrap_or("L1");
            levels.insert("FIDO", level.into());
        } else if let Some(level) = status.strip_prefix("FIPS140_CERTIFIED_") {
            let name = if report.fips_revision == Some(3) { "FIPS-140-3" } else { "FIPS-140-2" };
            levels.insert(name, level.into());
        }
    }
    levels
}

/// What ends every certification: MDS3 §3.1.4.
const LOST: [&str; 5] = [
    "REVOKED",
    "USER_VERIFICATION_BYPASS",
    "ATTESTATION_KEY_COMPROMISE",
    "USER_KEY_REMOTE_COMPROMISE",
    "USER_KEY_PHYSICAL_COMPROMISE",
];

const VIRTUAL_KEY: &str = include_str!("../metadata/virtual-key.json");

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reports: &[(&str, &str)]) -> Levels {
        let report = |&(status, date): &(&str, &str)| StatusReport {
            status: status.into(),
            effective_date: date.into(),
            fips_revision: None,
        };
        levels(reports.iter().map(report).collect())
    }

    #[test]
    fn the_latest_certification_counts_whatever_its_place_in_the_list() {
        let reports = [("FIDO_CERTIFIED_L2", "2024-01-01"), ("FIDO_CERTIFIED_L1", "2020-01-01")];
        assert_eq!(of(&reports)["FIDO"], "L2");
        assert_eq!(of(&[("FIDO_CERTIFIED", "2018-01-01")])["FIDO"], "L1");
        assert_eq!(of(&[("FIDO_CERTIFIED_L1plus", "2018-01-01")])["FIDO"], "L1plus");
    }

    #[test]
    fn a_revoked_or_broken_model_has_no_certification_left() {
        for lost in LOST {
            let reports = [("FIDO_CERTIFIED_L2", "2020-01-01"), (lost, "2021-01-01")];
            assert_eq!(of(&reports), Levels::new(), "{lost}");
        }
        let reports = [("FIDO_CERTIFIED_L2", "2020-01-01"), ("NOT_FIDO_CERTIFIED", "2021-01-01")];
        assert_eq!(of(&reports), Levels::new());
    }

    #[test]
    fn a_status_that_is_not_known_says_nothing() {
        assert_eq!(of(&[("UPDATE_AVAILABLE", "2024-01-01"), ("SOMETHING_NEW", "")]), Levels::new());
    }

    #[test]
    fn fips_levels_go_by_their_revision() {
        let report = |status: &str, fips_revision| StatusReport {
            status: status.into(),
            effective_date: String::new(),
            fips_revision,
        };
        let reports = vec![report("FIPS140_CERTIFIED_L2", Some(2)), report("FIPS140_CERTIFIED_L1", Some(3))];
        let found = levels(reports);
        assert_eq!((found["FIPS-140-2"].as_str(), found["FIPS-140-3"].as_str()), ("L2", "L1"));
    }

    #[test]
    fn the_virtual_keys_own_entry_claims_no_certification() {
        let metadata = Metadata::load(&[]).unwrap();
        let aaguid = "dd69d6e3-cd4e-43b1-80f2-88a53fa9a995".parse().unwrap();
        let entry = &metadata.0[&aaguid];
        assert!(entry.description.contains("private key is public"));
        assert_eq!(entry.levels, Levels::new());
    }

    #[test]
    fn a_file_that_is_missing_or_of_another_shape_is_named() {
        let directory = crate::testing::Directory::new();
        let path = directory.path().join("mds.json");
        assert!(matches!(Metadata::load(std::slice::from_ref(&path)), Err(Error::File { .. })));
        for text in ["", "[]", "{}", "{\"entries\": [{\"aaguid\": 7}]}", "eyJhbGciOiJSUzI1NiJ9.e30."] {
            fs::write(&path, text).unwrap();
            let Err(error) = Metadata::load(std::slice::from_ref(&path)) else { panic!("{text}") };
            assert!(error.to_string().contains("mds.json"), "{error}");
        }
    }

    #[test]
    fn an_entry_without_a_root_or_aaguid_is_left_out() {
        let mut entries = HashMap::new();
        let aaguid = "\"aaguid\": \"00000000-0000-0000-0000-000000000001\"";
        for entry in [
            format!("{{{aaguid}}}"),
            format!("{{{aaguid}, \"metadataStatement\": {{\"description\": \"x\"}}}}"),
            format!(
                "{{{aaguid}, \"metadataStatement\": {{\"description\": \"x\", \
                     \"attestationRootCertificates\": [\"AAAA\", \"-\"]}}}}"
            ),
            "{\"metadataStatement\": {\"description\": \"U2F\"}}".to_owned(),
        ] {
            add(&mut entries, Path::new("x"), &format!("{{\"entries\": [{entry}]}}")).unwrap();
            assert!(entries.is_empty(), "{entry}");
        }
    }
}
