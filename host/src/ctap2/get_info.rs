//! authenticatorGetInfo (§6.4): what a key says of itself.

use std::collections::BTreeMap;

use ciborium::Value;

use crate::cbor::Members;

/// The members of getInfo. What a key does not say has the value that the specification gives it, or is absent; what
/// this version does not know is kept in [`Info::unknown`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Info {
    /// 0x01: specifications, such as `FIDO_2_1` and `U2F_V2`.
    pub versions: Vec<String>,
    /// 0x02: extensions.
    pub extensions: Vec<String>,
    /// 0x03: the model.
    pub aaguid: [u8; 16],
    /// 0x04: options, known or not.
    pub options: BTreeMap<String, bool>,
    /// 0x05: the longest message; 1024 if the key does not say.
    pub max_msg_size: usize,
    /// 0x06: PIN/UV auth protocols, the preferred first.
    pub pin_uv_auth_protocols: Vec<u64>,
    /// 0x07: the longest list of credentials.
    pub max_credential_count_in_list: Option<usize>,
    /// 0x08: the longest credential id.
    pub max_credential_id_length: Option<usize>,
    /// 0x09: transports.
    pub transports: Vec<String>,
    /// 0x0A: algorithms, the preferred first.
    pub algorithms: Vec<OfferedAlgorithm>,
    /// 0x0B: room for large blobs.
    pub max_serialized_large_blob_array: Option<u64>,
    /// 0x0C: the PIN must be changed before it can be used.
    pub force_pin_change: bool,
    /// 0x0D: the least number of code points of a PIN; 4 if the key does not say.
    pub min_pin_length: usize,
    /// 0x0E: the firmware's version.
    pub firmware_version: Option<u64>,
    /// 0x0F: the longest credBlob.
    pub max_cred_blob_length: Option<u64>,
    /// 0x10: how many RP IDs setMinPINLength takes.
    pub max_rpids_for_set_min_pin_length: Option<u64>,
    /// 0x11: how often to try the key's own verification before asking for the PIN.
    pub preferred_platform_uv_attempts: Option<u64>,
    /// 0x12: the kinds of the key's own verification.
    pub uv_modality: Option<u64>,
    /// 0x13: certifications.
    pub certifications: BTreeMap<String, u64>,
    /// 0x14: about how many discoverable credentials can still be made.
    pub remaining_discoverable_credentials: Option<u64>,
    /// 0x15: vendor subcommands of authenticatorConfig.
    pub vendor_prototype_config_commands: Vec<u64>,
    /// 0x16: attestation formats.
    pub attestation_formats: Vec<String>,
    /// 0x17: own verifications since the last PIN.
    pub uv_count_since_last_pin_entry: Option<u64>,
    /// 0x18: a reset needs a long touch.
    pub long_touch_for_reset: bool,
    /// 0x19: the encrypted identifier.
    pub enc_identifier: Option<Vec<u8>>,
    /// 0x1A: transports over which the key can be reset; empty: all.
    pub transports_for_reset: Vec<String>,
    /// 0x1B: PINs are held against a policy beyond their length.
    pub pin_complexity_policy: Option<bool>,
    /// 0x1C: where that policy is described.
    pub pin_complexity_policy_url: Option<Vec<u8>>,
    /// 0x1D: the greatest number of code points of a PIN; 63 if the key does not say.
    pub max_pin_length: usize,
    /// 0x1E: the encrypted state of the credential store.
    pub enc_cred_store_state: Option<Vec<u8>>,
    /// 0x1F: subcommands of authenticatorConfig.
    pub authenticator_config_commands: Vec<u64>,
    /// Members that this version does not know, or that have another type than it expects.
    pub unknown: Vec<(Value, Value)>,
}

/// An algorithm that a key offers. Open: nothing is made of its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedAlgorithm {
    /// The credential type, `public-key`.
    pub kind: String,
    /// The COSE algorithm identifier.
    pub algorithm: i64,
}

impl Info {
    /// Reads the answer; `None` if it is no map or names no versions.
    pub fn parse(answer: &[u8]) -> Option<Self> {
        let mut members = Members::parse(answer)?;
        let m = &mut members;
        let info = Self {
            versions: m.list(0x01, |item| item.into_text().ok())?,
            extensions: texts(m, 0x02),
            aaguid: m.bytes(0x03).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
            options: table(m, 0x04, |value| value.as_bool()),
            max_msg_size: m.unsigned(0x05).unwrap_or(1024),
            pin_uv_auth_protocols: numbers(m, 0x06),
            max_credential_count_in_list: m.unsigned(0x07),
            max_credential_id_length: m.unsigned(0x08),
            transports: texts(m, 0x09),
            algorithms: m.list(0x0a, OfferedAlgorithm::read).unwrap_or_default(),
            max_serialized_large_blob_array: m.unsigned(0x0b),
            force_pin_change: m.boolean(0x0c).unwrap_or_default(),
            min_pin_length: m.unsigned(0x0d).unwrap_or(4),
            firmware_version: m.unsigned(0x0e),
            max_cred_blob_length: m.unsigned(0x0f),
            max_rpids_for_set_min_pin_length: m.unsigned(0x10),
            preferred_platform_uv_attempts: m.unsigned(0x11),
            uv_modality: m.unsigned(0x12),
            certifications: table(m, 0x13, |value| unsigned(&value)),
            remaining_discoverable_credentials: m.unsigned(0x14),
            vendor_prototype_config_commands: numbers(m, 0x15),
            attestation_formats: texts(m, 0x16),
            uv_count_since_last_pin_entry: m.unsigned(0x17),
            long_touch_for_reset: m.boolean(0x18).unwrap_or_default(),
            enc_identifier: m.bytes(0x19),
            transports_for_reset: texts(m, 0x1a),
            pin_complexity_policy: m.boolean(0x1b),
            pin_complexity_policy_url: m.bytes(0x1c),
            max_pin_length: m.unsigned(0x1d).unwrap_or(63),
            enc_cred_store_state: m.bytes(0x1e),
            authenticator_config_commands: numbers(m, 0x1f),
            unknown: Vec::new(),
        };
        Some(Self { unknown: members.rest(), ..info })
    }

    /// Whether an option is offered and on; one that is absent is not.
    pub fn option(&self, name: &str) -> bool {
        self.options.get(name).copied().unwrap_or_default()
    }

    /// Whether an extension is offered.
    pub fn has_extension(&self, name: &str) -> bool {
        self.extensions.iter().any(|extension| extension == name)
    }

    /// Whether a specification is implemented.
    pub fn has_version(&self, name: &str) -> bool {
        self.versions.iter().any(|version| version == name)
    }

    /// Whether the key verifies users in any way that is set up.
    pub fn can_verify_user(&self) -> bool {
        self.option("uv") || self.option("clientPin")
    }
}

impl OfferedAlgorithm {
    fn read(item: Value) -> Option<Self> {
        let mut members = Members::from_value(item)?;
        Some(Self { kind: members.text("type")?, algorithm: members.unsigned("alg")? })
    }
}

fn texts(members: &mut Members, key: i64) -> Vec<String> {
    members.list(key, |item| item.into_text().ok()).unwrap_or_default()
}

fn numbers(members: &mut Members, key: i64) -> Vec<u64> {
    members.list(key, |item| unsigned(&item)).unwrap_or_default()
}

fn unsigned(value: &Value) -> Option<u64> {
    value.as_integer()?.try_into().ok()
}

fn table<V>(members: &mut Members, key: i64, read: impl Fn(Value) -> Option<V>) -> BTreeMap<String, V> {
    let entries = members.take(key).and_then(|value| value.into_map().ok()).unwrap_or_default();
    entries.into_iter().filter_map(|(name, value)| Some((name.into_text().ok()?, read(value)?))).collect()
}
