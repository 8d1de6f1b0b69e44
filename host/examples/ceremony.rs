//! Registers with a key and signs in, as a browser would: `cargo run --example ceremony -- udp:127.0.0.1:7609`.
//!
//! With ES256 and with EdDSA, then over U2F, each answer verified as a relying party would. Ends with success or says what
//! went wrong.

use std::error::Error;

use keywright_host::ctaphid::{Channel, Interaction};
use keywright_host::pin_uv_auth::Pin;
use keywright_host::transport::{DeviceAddress, Transport};
use keywright_host::user::{PinRequest, UserInteraction};
use keywright_host::verify::{self, Expected};
use keywright_host::webauthn::{Authenticator, CreationOptions, Origin, RequestOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let address: DeviceAddress = std::env::args().nth(1).ok_or("which key? udp:ADDRESS:PORT")?.parse()?;
    let channel = Channel::open(keywright_host::transport::open(&address)?)?;
    let mut key = Authenticator::over(channel)?;
    for algorithm in [-7, -8] {
        sign_in(&mut key, algorithm)?;
        println!("algorithm {algorithm}: registered and signed in");
    }
    let Authenticator::Ctap2(client) = key else { return Err("the key speaks U2F only".into()) };
    sign_in(&mut Authenticator::U2f(client.into_channel()), -7)?;
    println!("U2F: registered and signed in");
    Ok(())
}

/// A registration and two assertions.
fn sign_in<T: Transport>(key: &mut Authenticator<T>, algorithm: i32) -> Result<(), Box<dyn Error>> {
    let origin: Origin = EXPECTED.origin.parse()?;
    let creation: CreationOptions = serde_json::from_str(&format!(
        r#"{{ "rp": {{}}, "user": {{ "id": "AQID" }}, "challenge": "AQIDBA", "attestation": "direct",
              "pubKeyCredParams": [{{ "type": "public-key", "alg": {algorithm} }}] }}"#
    ))?;
    let made = key.register(&creation, &origin, &mut Person)?;
    let credential = verify::registration(&made, &EXPECTED)?;
    let request: RequestOptions = serde_json::from_str(&format!(
        r#"{{ "challenge": "AQIDBA", "allowCredentials": [{{ "type": "public-key", "id": {} }}] }}"#,
        serde_json::to_string(&made.id)?
    ))?;
    let mut count = credential.sign_count;
    for _ in 0..2 {
        let answer = key.authenticate(&request, &origin, &mut Person)?;
        count =
            verify::assertion(&answer, &EXPECTED, &credential.id, &credential.public_key, count)?.sign_count;
    }
    Ok(())
}

/// Touches when asked, elsewhere.
struct Person;

impl Interaction for Person {
    fn touch_needed(&mut self) {
        println!("touch the key");
    }
}

impl UserInteraction for Person {
    fn pin(&mut self, _: PinRequest) -> Option<Pin> {
        None
    }
}

const EXPECTED: Expected<'static> = Expected {
    challenge: &[1, 2, 3, 4],
    origin: "https://example.org",
    rp_id: "example.org",
    require_user_verification: false,
};
