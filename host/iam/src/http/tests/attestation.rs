use super::{
    authenticator::{Key, Maker, bytes},
    *,
};
use crate::KeyPolicy;

const OPTIONS: &str = "/api/mfa-devices/webauthn/options";
const REGISTER: &str = "/api/mfa-devices/webauthn";
const VIRTUAL: [u8; 16] = 0xdd69_d6e3_cd4e_43b1_80f2_88a5_3fa9_a995_u128.to_be_bytes();

fn maker(certificate: &[u8], scalar: &[u8]) -> Option<Maker> {
    let signing = p256::ecdsa::SigningKey::from_slice(scalar).unwrap();
    Some(Maker { signing, certificate: certificate.to_vec() })
}

/// A key as the virtual key makes it.
fn genuine(url: &str) -> Key {
    let maker = maker(
        include_bytes!("../../../../emulator/attestation/leaf.der"),
        include_bytes!("../../../../emulator/attestation/leaf.key"),
    );
    Key { maker, aaguid: VIRTUAL, ..Key::new(url) }
}

/// A key that says that it is the virtual key, and whose certificate another root has signed.
fn forged(url: &str) -> Key {
    let maker =
        maker(include_bytes!("attestation/foreign-leaf.der"), include_bytes!("attestation/foreign-leaf.key"));
    Key { maker, ..genuine(url) }
}

fn register(client: &mut Client, key: &Key) -> Answer {
    let asked = client.post(OPTIONS, json!({"name": "blue"})).ok();
    client.post(REGISTER, json!({"name": "blue", "credential": key.create(&asked)}))
}

fn rehearsal() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("metadata/rehearsal-l1.json")
}

#[test]
fn a_key_whose_maker_signed_for_it_is_shown_with_its_model() {
    let world = World::new();
    let mut client = world.user("ann");
    register(&mut client, &genuine(&world.running.console_url)).has(201);
    let page = client.get("/security-credentials").text;
    assert!(page.contains("Keywright Virtual Key (private key is public)"), "{page}");
    assert!(page.contains("<dt>Certifications</dt><dd>None</dd>"), "{page}");
}

#[test]
fn a_key_that_claims_a_maker_who_did_not_sign_for_it_is_refused() {
    let world = World::new();
    let mut client = world.user("ann");
    let message = register(&mut client, &forged(&world.running.console_url)).refused(403, "AccessDenied");
    assert!(message.contains("certificate was not made by that maker"), "{message}");
    assert_eq!(client.get("/api/mfa-devices").ok()["devices"], json!([]));
}

#[test]
fn a_certificate_for_another_model_than_the_key_says_is_refused() {
    let world = World::new();
    let mut client = world.user("ann");
    let key = Key { aaguid: [7; 16], ..genuine(&world.running.console_url) };
    register(&mut client, &key).refused(403, "AccessDenied");
}

#[test]
fn an_attestation_that_the_certificate_did_not_sign_is_refused() {
    let world = World::new();
    let mut client = world.user("ann");
    let key = genuine(&world.running.console_url);
    let asked = client.post(OPTIONS, json!({"name": "blue"})).ok();
    let mut answer = key.create(&asked);
    let mut object = bytes(&answer["response"]["attestationObject"]);
    let at = object.windows(4).position(|window| window == key.id[..4].to_vec()).unwrap();
    object[at] ^= 1;
    answer["response"]["attestationObject"] = json!(authenticator::text(&object));
    client.post(REGISTER, json!({"name": "blue", "credential": answer})).refused(403, "AccessDenied");
}

#[test]
fn a_key_that_no_entry_knows_or_that_attests_itself_or_nothing_is_accepted_without_a_level() {
    let world = World::new();
    let url = world.running.console_url.clone();
    let keys =
        [Key::new(&url), Key { packed: false, ..Key::new(&url) }, Key { aaguid: VIRTUAL, ..Key::new(&url) }];
    for (at, key) in keys.iter().enumerate() {
        let mut client = world.user(&format!("user-{at}"));
        register(&mut client, key).has(201);
        assert!(client.get("/security-credentials").text.contains("<dd>Not known</dd>"), "{at}");
    }
}

#[test]
fn a_policy_on_certification_refuses_every_key_of_which_no_such_level_is_known() {
    let policy = |config| Config {
        keys: KeyPolicy { fido: vec!["L1".into(), "L2".into()], ..KeyPolicy::default() },
        ..config
    };
    let world = World::with(policy);
    let url = world.running.console_url.clone();
    let mut client = world.user("ann");
    for key in [Key::new(&url), Key { packed: false, ..Key::new(&url) }, genuine(&url), forged(&url)] {
        let message = register(&mut client, &key).refused(403, "AccessDenied");
        assert!(message.contains("FIDO-certification") || message.contains("that maker"), "{message}");
    }
    let world = World::with(|config| Config { metadata: vec![rehearsal()], ..policy(config) });
    let url = world.running.console_url.clone();
    let mut client = world.user("ann");
    register(&mut client, &Key::new(&url)).refused(403, "AccessDenied");
    register(&mut client, &genuine(&url)).has(201);
    assert!(client.get("/security-credentials").text.contains("<dd>FIDO L1</dd>"));
}

#[test]
fn a_policy_for_another_level_refuses_the_one_that_a_key_has() {
    let world = World::with(|config| Config {
        metadata: vec![rehearsal()],
        keys: KeyPolicy { fido: vec!["L2".into()], ..KeyPolicy::default() },
        ..config
    });
    let mut client = world.user("ann");
    let message = register(&mut client, &genuine(&world.running.console_url)).refused(403, "AccessDenied");
    assert!(message.contains("certified at L2, and of this one L1 is known"), "{message}");
}

#[test]
fn get_mfa_device_answers_the_levels_of_a_key_whose_maker_is_known() {
    let world = World::with(|config| Config { metadata: vec![rehearsal()], ..config });
    let url = world.running.console_url.clone();
    for (user, key, levels) in
        [("ann", genuine(&url), vec![("FIDO".to_owned(), "L1".to_owned())]), ("bob", Key::new(&url), vec![])]
    {
        let device = register(&mut world.user(user), &key).has(201);
        let members = [("SerialNumber", device["serial"].as_str().unwrap()), ("UserName", user)];
        let shown = world.aws().call("GetMFADevice", &members).ok();
        let found: Vec<_> = shown.values("key").into_iter().zip(shown.values("value")).collect();
        assert_eq!(found, levels, "{user}");
    }
}

#[test]
fn a_policy_on_a_fips_level_is_one_of_its_own() {
    for (policy, name) in [
        (
            KeyPolicy { fips_140_2: vec!["L1".into()], ..KeyPolicy::default() },
            "iam:FIDO-FIPS-140-2-certification",
        ),
        (
            KeyPolicy { fips_140_3: vec!["L1".into()], ..KeyPolicy::default() },
            "iam:FIDO-FIPS-140-3-certification",
        ),
    ] {
        let world = World::with(|config| Config { metadata: vec![rehearsal()], keys: policy, ..config });
        let message = register(&mut world.user("ann"), &genuine(&world.running.console_url))
            .refused(403, "AccessDenied");
        assert!(message.contains(name), "{message}");
    }
}

#[test]
fn a_policy_may_refuse_every_security_key_and_no_other_type_of_device() {
    let keys = KeyPolicy { refused: true, ..KeyPolicy::default() };
    let world = World::with(|config| Config { keys, ..config });
    let mut client = world.user("ann");
    let options = client.post("/api/mfa-devices/webauthn/options", json!({"name": "blue"}));
    assert!(options.refused(403, "AccessDenied").contains("iam:RegisterSecurityKey"));
    world.user_with_app("bob");
}

#[test]
fn the_built_in_entry_names_the_root_of_the_virtual_key_and_its_aaguid() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    for file in ["metadata/virtual-key.json", "metadata/rehearsal-l1.json"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let blob: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let entry = &blob["entries"][0];
        assert_eq!(entry["aaguid"], uuid::Uuid::from_bytes(VIRTUAL).to_string());
        let roots = entry["metadataStatement"]["attestationRootCertificates"].as_array().unwrap();
        assert_eq!(roots.len(), 1);
        let root = BASE64_STANDARD.decode(roots[0].as_str().unwrap()).unwrap();
        assert_eq!(root, include_bytes!("../../../../emulator/attestation/root.der"));
    }
}
