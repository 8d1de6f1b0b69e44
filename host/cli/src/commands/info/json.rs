//! getInfo as JSON: every member by its name in the specification, in Rust's case. What the key does not say is `null`, or what the
//! specification says for it.

use std::collections::BTreeMap;

use ciborium::Value;
use keywright_host::ctap2::{Info, OfferedAlgorithm};
use keywright_host::webauthn::Base64Url;
use serde::Serialize;

use crate::commands::{algorithm_name, uuid};

/// The members.
#[derive(Serialize)]
pub(super) struct Members<'a> {
    versions: &'a [String],
    extensions: &'a [String],
    aaguid: String,
    options: &'a BTreeMap<String, bool>,
    max_msg_size: usize,
    pin_uv_auth_protocols: &'a [u64],
    max_credential_count_in_list: Option<usize>,
    max_credential_id_length: Option<usize>,
    transports: &'a [String],
    algorithms: Vec<Algorithm<'a>>,
    max_serialized_large_blob_array: Option<u64>,
    force_pin_change: bool,
    min_pin_length: usize,
    firmware_version: Option<u64>,
    max_cred_blob_length: Option<u64>,
    max_rpids_for_set_min_pin_length: Option<u64>,
    preferred_platform_uv_attempts: Option<u64>,
    uv_modality: Option<u64>,
    certifications: &'a BTreeMap<String, u64>,
    remaining_discoverable_credentials: Option<u64>,
    vendor_prototype_config_commands: &'a [u64],
    attestation_formats: &'a [String],
    uv_count_since_last_pin_entry: Option<u64>,
    long_touch_for_reset: bool,
    enc_identifier: Option<Base64Url>,
    transports_for_reset: &'a [String],
    pin_complexity_policy: Option<bool>,
    pin_complexity_policy_url: Option<String>,
    max_pin_length: usize,
    enc_cred_store_state: Option<Base64Url>,
    authenticator_config_commands: &'a [u64],
    unknown: Vec<Unknown>,
}

#[derive(Serialize)]
struct Algorithm<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    alg: i64,
    name: Option<&'static str>,
}

/// A member of a later version.
#[derive(Serialize)]
struct Unknown {
    member: serde_json::Value,
    value: serde_json::Value,
}

impl<'a> From<&'a Info> for Members<'a> {
    fn from(info: &'a Info) -> Self {
        let bytes = |bytes: &Option<Vec<u8>>| bytes.clone().map(Base64Url);
        let unknown = |(member, value): &(Value, Value)| Unknown { member: json(member), value: json(value) };
        Self {
            versions: &info.versions,
            extensions: &info.extensions,
            aaguid: uuid(&info.aaguid),
            options: &info.options,
            max_msg_size: info.max_msg_size,
            pin_uv_auth_protocols: &info.pin_uv_auth_protocols,
            max_credential_count_in_list: info.max_credential_count_in_list,
            max_credential_id_length: info.max_credential_id_length,
            transports: &info.transports,
            algorithms: info.algorithms.iter().map(Algorithm::from).collect(),
            max_serialized_large_blob_array: info.max_serialized_large_blob_array,
            force_pin_change: info.force_pin_change,
            min_pin_length: info.min_pin_length,
            firmware_version: info.firmware_version,
            max_cred_blob_length: info.max_cred_blob_length,
            max_rpids_for_set_min_pin_length: info.max_rpids_for_set_min_pin_length,
            preferred_platform_uv_attempts: info.preferred_platform_uv_attempts,
            uv_modality: info.uv_modality,
            certifications: &info.certifications,
            remaining_discoverable_credentials: info.remaining_discoverable_credentials,
            vendor_prototype_config_commands: &info.vendor_prototype_config_commands,
            attestation_formats: &info.attestation_formats,
            uv_count_since_last_pin_entry: info.uv_count_since_last_pin_entry,
            long_touch_for_reset: info.long_touch_for_reset,
            enc_identifier: bytes(&info.enc_identifier),
            transports_for_reset: &info.transports_for_reset,
            pin_complexity_policy: info.pin_complexity_policy,
            pin_complexity_policy_url: url(info),
            max_pin_length: info.max_pin_length,
            enc_cred_store_state: bytes(&info.enc_cred_store_state),
            authenticator_config_commands: &info.authenticator_config_commands,
            unknown: info.unknown.iter().map(unknown).collect(),
        }
    }
}

impl<'a> From<&'a OfferedAlgorithm> for Algorithm<'a> {
    fn from(offered: &'a OfferedAlgorithm) -> Self {
        Self { kind: &offered.kind, alg: offered.algorithm, name: algorithm_name(offered.algorithm) }
    }
}

/// The address of the PIN policy, which is a byte string in CBOR.
pub(super) fn url(info: &Info) -> Option<String> {
    info.pin_complexity_policy_url.as_ref().map(|url| String::from_utf8_lossy(url).into_owned())
}

/// A CBOR value of whatever shape: bytes become base64url, maps lists of pairs, and what JSON has nothing for becomes `null`.
pub(super) fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Integer(number) => i64::try_from(*number)
            .map_or_else(|_| i128::from(*number).to_string().into(), serde_json::Value::from),
        Value::Bytes(bytes) => serde_json::to_value(Base64Url(bytes.clone())).unwrap_or_default(),
        Value::Text(text) => text.as_str().into(),
        Value::Bool(bool) => (*bool).into(),
        Value::Float(number) => (*number).into(),
        Value::Tag(_, value) => json(value),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Map(members) => {
            members.iter().map(|(key, value)| serde_json::json!([json(key), json(value)])).collect()
        }
        _ => serde_json::Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_later_versions_have_a_shape_whatever_they_hold() {
        let value = Value::Map(vec![
            (Value::from(1), Value::Bytes(vec![255])),
            (
                Value::Bool(true),
                Value::Array(vec![Value::Null, Value::Float(f64::NAN), Value::from(u64::MAX)]),
            ),
            (Value::from("a"), Value::Tag(1, Box::new(Value::from(-1)))),
        ]);
        let expected =
            serde_json::json!([[1, "_w"], [true, [null, null, "18446744073709551615"]], ["a", -1]]);
        assert_eq!(json(&value), expected);
    }
}
