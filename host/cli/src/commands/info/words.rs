//! getInfo in words.

use std::fmt;

use keywright_host::ctap2::Info;

use super::json;
use crate::commands::{algorithm_name, uuid};
use crate::credential_file::Shown;
use crate::output::Foreign;

/// A line of the table.
pub(super) fn line(f: &mut fmt::Formatter<'_>, label: &str, words: &str) -> fmt::Result {
    writeln!(f, "  {label:<26} {}", Foreign(words))
}

/// A capability of CTAPHID.
pub(super) fn capability(name: &str) -> &'static str {
    match name {
        "wink" => "shows itself (wink)",
        "cbor" => "CTAP2 (cbor)",
        _ => "U2F (msg)",
    }
}

/// Every member that the key has said something in.
pub(super) fn members(f: &mut fmt::Formatter<'_>, info: &Info) -> fmt::Result {
    what_it_is(f, info)?;
    what_it_does(f, info)?;
    pins(f, info)?;
    limits(f, info)?;
    rare(f, info)
}

fn what_it_is(f: &mut fmt::Formatter<'_>, info: &Info) -> fmt::Result {
    list(f, "specifications", &info.versions)?;
    line(f, "model (AAGUID)", &uuid(&info.aaguid))?;
    number(f, "firmware version", info.firmware_version, "")?;
    list(f, "transports", &info.transports)?;
    let certifications: Vec<_> =
        info.certifications.iter().map(|(name, level)| format!("{name} {level}")).collect();
    list(f, "certifications", &certifications)?;
    list(f, "attestation formats", &info.attestation_formats)
}

fn what_it_does(f: &mut fmt::Formatter<'_>, info: &Info) -> fmt::Result {
    let algorithms = info.algorithms.iter().map(|offered| {
        algorithm_name(offered.algorithm).map_or_else(|| format!("COSE {}", offered.algorithm), str::to_owned)
    });
    list(f, "algorithms", &algorithms.collect::<Vec<_>>())?;
    list(f, "extensions", &info.extensions)?;
    info.options.iter().try_for_each(|(name, is_on)| line(f, name, option(name, *is_on)))
}

fn pins(f: &mut fmt::Formatter<'_>, info: &Info) -> fmt::Result {
    line(f, "a PIN has", &format!("{} to {} characters", info.min_pin_length, info.max_pin_length))?;
    if info.force_pin_change {
        line(f, "PIN", "must be changed before it can be used")?;
    }
    if let Some(is_policed) = info.pin_complexity_policy {
        line(
            f,
            "PIN policy",
            if is_policed { "there are rules beyond its length" } else { "none beyond its length" },
        )?;
    }
    if let Some(url) = json::url(info) {
        line(f, "PIN policy described at", &url)?;
    }
    list(f, "PIN/UV auth protocols", &info.pin_uv_auth_protocols)?;
    if let Some(modality) = info.uv_modality {
        line(f, "verifies users by", &modalities(modality))?;
    }
    number(
        f,
        "own verification first",
        info.preferred_platform_uv_attempts,
        " tries before the PIN is asked for",
    )?;
    number(f, "own verifications", info.uv_count_since_last_pin_entry, " since the last PIN")?;
    number(f, "minimum length told to", info.max_rpids_for_set_min_pin_length, " websites at most")
}

fn limits(f: &mut fmt::Formatter<'_>, info: &Info) -> fmt::Result {
    line(f, "longest message", &format!("{} bytes", info.max_msg_size))?;
    number(f, "longest list", info.max_credential_count_in_list, " credentials")?;
    number(f, "longest credential id", info.max_credential_id_length, " bytes")?;
    number(f, "room left for about", info.remaining_discoverable_credentials, " discoverable credentials")?;
    number(f, "room for large blobs", info.max_serialized_large_blob_array, " bytes")?;
    number(f, "room in a credential", info.max_cred_blob_length, " bytes")
}

fn rare(f: &mut fmt::Formatter<'_>, info: &Info) -> fmt::Result {
    if info.long_touch_for_reset {
        line(f, "reset", "needs a long touch")?;
    }
    list(f, "can be reset over", &info.transports_for_reset)?;
    list(f, "configuration commands", &info.authenticator_config_commands)?;
    list(f, "vendor's configuration", &info.vendor_prototype_config_commands)?;
    for (label, sealed) in
        [("identifier", &info.enc_identifier), ("state of its store", &info.enc_cred_store_state)]
    {
        if let Some(sealed) = sealed {
            line(f, label, &format!("{} (sealed; new each time)", Shown(sealed)))?;
        }
    }
    info.unknown.iter().try_for_each(|(member, value)| {
        line(
            f,
            &format!("member {}", Foreign(&json::json(member).to_string())),
            &json::json(value).to_string(),
        )
    })
}

fn list(f: &mut fmt::Formatter<'_>, label: &str, items: &[impl ToString]) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    line(f, label, &items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn number(
    f: &mut fmt::Formatter<'_>,
    label: &str,
    number: Option<impl fmt::Display>,
    unit: &str,
) -> fmt::Result {
    number.map_or(Ok(()), |number| line(f, label, &format!("{number}{unit}")))
}

/// What an option means on and off (§6.4).
fn option(name: &str, is_on: bool) -> &'static str {
    let (on, off) = match name {
        "plat" => ("built into this computer", "can be taken to another computer"),
        "rk" => ("makes discoverable credentials", "makes no discoverable credentials"),
        "clientPin" => ("a PIN is set", "a PIN can be set, and is not"),
        "up" => ("can be touched", "cannot be touched"),
        "uv" => ("verifies its user itself", "could verify its user itself, which is not set up"),
        "pinUvAuthToken" => ("gives tokens with permissions", "gives no tokens with permissions"),
        "noMcGaPermissionsWithClientPin" => {
            ("the PIN does not serve to register and sign in", "the PIN serves to register and sign in")
        }
        "largeBlobs" => ("stores large blobs", "stores no large blobs"),
        "ep" => ("enterprise attestation is on", "enterprise attestation can be switched on, and is not"),
        "bioEnroll" => ("fingers are enrolled", "fingers can be enrolled, and none is"),
        "userVerificationMgmtPreview" => {
            ("fingers are enrolled (preview)", "fingers can be enrolled, and none is (preview)")
        }
        "uvBioEnroll" => ("a finger may enrol others", "the PIN is needed to enrol fingers"),
        "authnrCfg" => ("can be configured", "cannot be configured"),
        "uvAcfg" => ("a finger may configure it", "the PIN is needed to configure it"),
        "credMgmt" => ("lists and deletes its credentials", "does not list its credentials"),
        "perCredMgmtRO" => {
            ("gives lasting tokens to list credentials", "gives no lasting tokens to list credentials")
        }
        "credentialMgmtPreview" => {
            ("lists and deletes its credentials (preview)", "does not list its credentials (preview)")
        }
        "setMinPINLength" => {
            ("the minimum PIN length can be raised", "the minimum PIN length cannot be raised")
        }
        "makeCredUvNotRqd" => {
            ("registers without the PIN where the website lets it", "wants the PIN for every registration")
        }
        "alwaysUv" => {
            ("wants the PIN, or what stands for it, every time", "wants the PIN only when asked to")
        }
        _ => ("on", "off"),
    };
    if is_on { on } else { off }
}

/// The bits of uvModality (FIDO registry of predefined values §3.1).
fn modalities(bits: u64) -> String {
    let names = MODALITIES.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name);
    let known = MODALITIES.iter().fold(0, |known, (bit, _)| known | bit);
    let unknown = (bits & !known != 0).then(|| format!("others ({:#x})", bits & !known));
    names.map(str::to_owned).chain(unknown).collect::<Vec<_>>().join(", ")
}

const MODALITIES: [(u64, &str); 13] = [
    (0x0001, "touch"),
    (0x0002, "fingerprint"),
    (0x0004, "passcode"),
    (0x0008, "voice"),
    (0x0010, "face"),
    (0x0020, "location"),
    (0x0040, "eye"),
    (0x0080, "pattern"),
    (0x0100, "hand"),
    (0x0200, "nothing"),
    (0x0400, "all of these together"),
    (0x0800, "passcode entered elsewhere"),
    (0x1000, "pattern entered elsewhere"),
];

/// A key that says something in every member.
#[cfg(test)]
pub(super) fn everything() -> Info {
    use ciborium::Value;
    use keywright_host::ctap2::OfferedAlgorithm;

    let offered = |algorithm| OfferedAlgorithm { kind: "public-key".into(), algorithm };
    Info {
        versions: vec!["FIDO_2_1".into()],
        extensions: vec!["hmac-secret".into()],
        aaguid: [7; 16],
        options: [("rk".into(), true), ("future-option".into(), true)].into(),
        max_msg_size: 1201,
        pin_uv_auth_protocols: vec![2, 1],
        max_credential_count_in_list: Some(1202),
        max_credential_id_length: Some(1203),
        transports: vec!["nfc".into()],
        algorithms: vec![offered(-48), offered(-9999)],
        max_serialized_large_blob_array: Some(1204),
        force_pin_change: true,
        min_pin_length: 1205,
        firmware_version: Some(1206),
        max_cred_blob_length: Some(1207),
        max_rpids_for_set_min_pin_length: Some(1208),
        preferred_platform_uv_attempts: Some(1209),
        uv_modality: Some(0x2002),
        certifications: [("FIPS-CMVP-3".into(), 1210)].into(),
        remaining_discoverable_credentials: Some(1211),
        vendor_prototype_config_commands: vec![1215],
        attestation_formats: vec!["tpm".into()],
        uv_count_since_last_pin_entry: Some(1212),
        long_touch_for_reset: true,
        enc_identifier: Some(vec![1, 2, 3]),
        transports_for_reset: vec!["usb".into()],
        pin_complexity_policy: Some(true),
        pin_complexity_policy_url: Some(b"https://example.org/policy".to_vec()),
        max_pin_length: 1213,
        enc_cred_store_state: Some(vec![4, 5, 6]),
        authenticator_config_commands: vec![1214],
        unknown: vec![(Value::from(99), Value::from("x"))],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_verification_that_are_not_known_are_told_by_their_bits() {
        assert_eq!(modalities(0x2002), "fingerprint, others (0x2000)");
        assert_eq!(modalities(0), "");
    }

    #[test]
    fn every_known_option_means_something_else_on_than_off() {
        for name in ["rk", "clientPin", "uv", "alwaysUv", "credMgmt", "makeCredUvNotRqd", "unknown"] {
            assert_ne!(option(name, true), option(name, false), "{name}");
        }
    }
}
