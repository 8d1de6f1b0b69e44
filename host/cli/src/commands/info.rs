//! `keywright info`.

mod json;
mod words;

use std::fmt;

use keywright_host::ctap2::Info;
use keywright_host::ctaphid::DeviceInfo;
use keywright_host::u2f::U2f;
use keywright_host::webauthn::Authenticator;
use serde::{Serialize, Serializer};

use crate::args::Device;
use crate::failure::Failure;
use crate::key::{Key, Way};
use crate::output::{Foreign, Output};
use crate::user::User;

/// Shows what a key is and can do.
///
/// # Errors
/// If there is no key, or it does not answer.
pub(crate) fn run(device: &Device, output: &Output) -> Result<(), Failure> {
    let Key { device, product, mut authenticator } = Key::find(device, &mut User::without_pin())?;
    let u2f = u2f_version(&mut authenticator)?;
    let hid = authenticator.channel_mut().device();
    let ctap2 = match &authenticator {
        Authenticator::Ctap2(client) => Some(client.info()),
        Authenticator::U2f(_) => None,
    };
    output.answer(&Answer {
        device,
        product,
        ctaphid: Hid(hid),
        u2f,
        known_as: ctap2.and_then(known_as),
        ctap2,
    })
}

/// The version that the key has for U2F. One that is CTAP2 too says in its getInfo whether it has U2F now.
fn u2f_version(authenticator: &mut Authenticator<Way>) -> Result<Option<String>, Failure> {
    match authenticator {
        Authenticator::Ctap2(client) => Ok(client.info().has_version(U2F_V2).then(|| U2F_V2.to_owned())),
        Authenticator::U2f(channel) => Ok(Some(U2f::new(channel).version()?)),
    }
}

/// What is known here of a model.
#[derive(Clone, Copy, Serialize)]
struct Model {
    name: &'static str,
    note: &'static str,
}

/// Our own models, by AAGUID: it says which kind of board a key is, and not which of them.
fn known_as(info: &Info) -> Option<Model> {
    OWN.iter().find(|(aaguid, _)| *aaguid == info.aaguid).map(|(_, model)| *model)
}

#[derive(Serialize)]
struct Answer<'a> {
    device: String,
    product: Option<String>,
    ctaphid: Hid,
    /// `null` if there is no U2F.
    u2f: Option<String>,
    known_as: Option<Model>,
    /// `null` if there is no CTAP2.
    #[serde(serialize_with = "members")]
    ctap2: Option<&'a Info>,
}

fn members<S: Serializer>(info: &Option<&Info>, serializer: S) -> Result<S::Ok, S::Error> {
    info.map(json::Members::from).serialize(serializer)
}

/// What CTAPHID's INIT says.
struct Hid(DeviceInfo);

impl Hid {
    fn capabilities(&self) -> Vec<&'static str> {
        let Self(device) = self;
        let all = [(device.can_wink(), "wink"), (device.has_cbor(), "cbor"), (device.has_msg(), "msg")];
        all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect()
    }

    fn version(&self) -> String {
        let (major, minor, build) = self.0.version;
        format!("{major}.{minor}.{build}")
    }
}

impl Serialize for Hid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape {
            protocol_version: u8,
            device_version: String,
            capabilities: Vec<&'static str>,
        }
        let protocol_version = self.0.protocol_version;
        Shape { protocol_version, device_version: self.version(), capabilities: self.capabilities() }
            .serialize(serializer)
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The key at {}", Foreign(&self.device))?;
        if let Some(product) = &self.product {
            write!(f, ", {}", Foreign(product))?;
        }
        if let Some(Model { name, note }) = self.known_as {
            write!(f, ": {name}. {note}")?;
        }
        writeln!(f)?;
        let capabilities =
            self.ctaphid.capabilities().iter().map(|name| words::capability(name)).collect::<Vec<_>>();
        words::line(f, "speaks", &capabilities.join(", "))?;
        words::line(f, "device version", &self.ctaphid.version())?;
        if let Some(version) = &self.u2f {
            words::line(f, "U2F", &format!("yes ({version})"))?;
        }
        match self.ctap2 {
            Some(info) => words::members(f, info),
            None => words::line(f, "CTAP2", "no: it has no PIN, no accounts to choose from, and only ES256"),
        }
    }
}

const U2F_V2: &str = "U2F_V2";
/// Each kind of Keywright, which a driver-only build knows too, and what protects what it keeps.
const OWN: [([u8; 16], Model); 4] = [
    (
        0xdd69_d6e3_cd4e_43b1_80f2_88a5_3fa9_a995_u128.to_be_bytes(),
        Model {
            name: "Keywright virtual key",
            note: "This is a program and no hardware: what it keeps is as safe as the computer that it runs on, and who can read \
                   its state file has the key. An older copy of the file brings back PIN tries that were spent. Its attestation \
                   key is public, so an attestation of it proves nothing.",
        },
    ),
    (
        0x48f7_79d8_cfc3_4300_afef_1059_30b7_877e_u128.to_be_bytes(),
        Model {
            name: "Keywright on an RP2040",
            note: "Nothing protects what it keeps from whoever holds the board: the chip has no lock, and its flash can be copied \
                   in minutes, every credential with it, whatever the PIN. An older copy of the flash brings back PIN tries that \
                   were spent.",
        },
    ),
    (
        0x110b_9bfe_0e95_411e_8097_d41f_135f_5b81_u128.to_be_bytes(),
        Model {
            name: "Keywright on an STM32F405, locked",
            note: "Read-out protection was on when it started (level 1): a debugger cannot read its flash. Attacks on relatives of \
                   this chip are published, which take equipment and time with the board.",
        },
    ),
    (
        0x40e1_f450_11d2_4f94_b98f_42ff_c871_2231_u128.to_be_bytes(),
        Model {
            name: "Keywright on an STM32F405, not locked",
            note: "Read-out protection was off when it started (level 0): whoever holds the board can copy its flash, every \
                   credential with it, whatever the PIN, and put an older copy back, with PIN tries that were spent. Lock it: \
                   cargo xtask flash stm32f4 --lock.",
        },
    ),
];

#[cfg(test)]
mod tests {
    use keywright_common::ctaphid::capability;

    use super::*;
    use crate::commands::uuid;

    #[cfg(all(feature = "emulator", unix))]
    #[test]
    fn the_virtual_key_is_known_by_its_own_aaguid() {
        assert_eq!(OWN[0].0, keywright_emulator::attestation::AAGUID);
    }

    /// The boards are built apart from the command: their AAGUIDs are read where they stand.
    #[test]
    fn g32_each_board_is_known_by_its_own_aaguid_and_told_with_what_protects_it() {
        let sources = [
            include_str!("../../../../firmware/boards/rp2040/src/main.rs"),
            include_str!("../../../../firmware/boards/stm32f4/src/start.rs"),
        ];
        let stated = |line: &str| {
            let (_, digits) = line.split_once("= 0x").or_else(|| line.split_once("{ 0x"))?;
            line.contains("u128.to_be_bytes()").then_some(())?;
            u128::from_str_radix(&digits.split("_u128").next()?.replace('_', ""), 16).ok()
        };
        let boards: Vec<_> = sources
            .iter()
            .flat_map(|source| source.lines())
            .filter_map(stated)
            .map(u128::to_be_bytes)
            .collect();
        let known: Vec<_> = OWN[1..].iter().map(|(aaguid, _)| *aaguid).collect();
        assert_eq!(boards, known);
        let note = |at: usize| OWN[at].1.note;
        assert!(note(1).contains("no lock") && note(2).contains("level 1") && note(3).contains("level 0"));
    }

    #[test]
    fn g33_a_key_whose_storage_can_be_put_back_says_that_pin_tries_come_back_with_it() {
        for at in [0, 1, 3] {
            let info = Info { aaguid: OWN[at].0, ..Info::default() };
            let text = answer(Some(&info)).to_string();
            assert!(text.contains("PIN tries that were spent"), "{text}");
        }
    }

    fn answer(info: Option<&Info>) -> Answer<'_> {
        let device = DeviceInfo { protocol_version: 2, version: (1, 2, 3), capabilities: capability::WINK };
        Answer {
            device: "hid:/dev/hidraw0".into(),
            product: Some("Old key".into()),
            ctaphid: Hid(device),
            u2f: Some(U2F_V2.into()),
            known_as: info.and_then(known_as),
            ctap2: info,
        }
    }

    #[test]
    fn a_key_of_u2f_alone_says_so() {
        let answer = answer(None);
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!(json["ctap2"], serde_json::Value::Null);
        assert_eq!(json["ctaphid"]["capabilities"], serde_json::json!(["wink", "msg"]));
        assert!(answer.to_string().contains("CTAP2  "), "{answer}");
        assert!(answer.to_string().contains("no PIN"), "{answer}");
    }

    #[test]
    fn only_our_own_models_are_called_by_their_names() {
        let mut info = Info { aaguid: OWN[0].0, ..Info::default() };
        assert!(answer(Some(&info)).to_string().contains("public"));
        info.aaguid[15] ^= 1;
        assert!(!answer(Some(&info)).to_string().contains("public"));
    }

    #[test]
    fn every_member_is_told_in_words_and_in_json() {
        let info = words::everything();
        let text = answer(Some(&info)).to_string();
        let json = serde_json::to_value(answer(Some(&info))).unwrap();
        for (name, value) in json["ctap2"].as_object().unwrap() {
            assert!(!value.is_null(), "{name} is told");
        }
        // Each number of the example is its own, so that a line that is left out is missed.
        for told in [
            "FIDO_2_1",
            "hmac-secret",
            &uuid(&info.aaguid),
            "future-option",
            "1201",
            "1202",
            "1203",
            "nfc",
            "ML-DSA-44",
            "-9999",
            "1204",
            "must be changed",
            "1205",
            "1206",
            "1207",
            "1208",
            "1209",
            "fingerprint",
            "FIPS-CMVP-3",
            "1210",
            "1211",
            "tpm",
            "1212",
            "long touch",
            "AQID",
            "usb",
            "example.org/policy",
            "1213",
            "BAUG",
            "1214",
            "member 99",
        ] {
            assert!(text.contains(told), "{told} is not in\n{text}");
        }
    }
}
