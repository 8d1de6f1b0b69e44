use super::*;

const FILE: &str = "serial,seed_base32\nGAKT12345678,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n";

fn administrator(world: &World) -> Client {
    let mut client = world.client();
    let secret = world.running.administrator.clone().unwrap();
    client.sign_in(&secret.user, &secret.password).ok();
    client
}

#[test]
fn an_imported_token_is_enabled_with_two_codes_and_signs_in() {
    let world = World::new();
    let mut admin = administrator(&world);
    let done = admin.post("/api/hardware-tokens", json!({"file": FILE})).has(201);
    assert_eq!(done, json!({"imported": 1, "already": 0}));
    let mut ann = world.user("ann");
    let seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let now = world.hands.seconds();
    let body = json!({
        "serial": "GAKT12345678", "code1": code(seed, now - 30), "code2": code(seed, now), "name": "desk",
    });
    let device = ann.post("/api/mfa-devices/totp/enable", body.clone()).ok();
    assert_eq!((&device["type"], &device["name"]), (&json!("hardware"), &json!("desk")));
    let mut bob = world.user("bob");
    bob.post("/api/mfa-devices/totp/enable", body).refused(409, "EntityAlreadyExists");
    world.hands.advance(30);
    let step = ann.sign_in("ann", PASSWORD).ok();
    assert_eq!(step["devices"][0]["type"], "hardware");
    let body = json!({"serial": "GAKT12345678", "code": world.code(seed)});
    ann.post("/api/sign-in/totp", body).ok();
    let tokens = admin.get("/api/hardware-tokens").ok();
    assert_eq!(tokens, json!({"tokens": [{"serial": "GAKT12345678", "user": "ann"}], "marker": null}));
}

#[test]
fn a_user_and_a_stranger_import_nothing() {
    let world = World::new();
    for mut client in [world.client(), world.user("ann")] {
        client.post("/api/hardware-tokens", json!({"file": FILE})).refused(403, "AccessDenied");
        client.get("/api/hardware-tokens").refused(403, "AccessDenied");
    }
    let mut admin = administrator(&world);
    admin.post("/api/hardware-tokens", json!({"file": "nonsense"})).refused(400, "InvalidInput");
    admin.post("/api/hardware-tokens", json!({})).refused(400, "InvalidInput");
    assert_eq!(admin.get("/api/hardware-tokens").ok()["tokens"], json!([]));
}
