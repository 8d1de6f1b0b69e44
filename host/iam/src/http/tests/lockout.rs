use super::*;

/// Enters so many wrong codes, each after the wait that the throttle asks for.
fn guess(world: &World, client: &mut Client, serial: &str, seed: &str, times: usize) {
    for _ in 0..times {
        world.hands.advance(900);
        let right = world.code(seed);
        let wrong = if right == "000000" { "000001" } else { "000000" };
        client.sign_in("ann", PASSWORD).ok();
        let body = json!({"serial": serial, "code": wrong});
        client.post("/api/sign-in/totp", body).refused(403, "InvalidAuthenticationCode");
    }
}

fn right(world: &World, client: &mut Client, serial: &str, seed: &str) -> Answer {
    world.hands.advance(900);
    client.sign_in("ann", PASSWORD).ok();
    client.post("/api/sign-in/totp", json!({"serial": serial, "code": world.code(seed)}))
}

#[test]
fn twenty_wrong_codes_in_a_row_lock_the_right_one_out_until_an_administrator_unlocks() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    guess(&world, &mut client, &serial, &seed, 20);
    let message = right(&world, &mut client, &serial, &seed).refused(403, "AccessDenied");
    assert!(message.contains("ask an administrator"), "{message}");
    client.session().refused(403, "AccessDenied");
    client.post("/api/users/unlock", json!({"user": "ann"})).refused(403, "AccessDenied");
    let mut administrator = world.administrator();
    assert!(administrator.get("/users").text.contains("Codes locked"));
    administrator.post("/api/users/unlock", json!({"user": "nobody"})).refused(404, "NoSuchEntity");
    administrator.post("/api/users/unlock", json!({"user": "ann"})).ok();
    right(&world, &mut client, &serial, &seed).ok();
}

#[test]
fn a_right_code_among_wrong_ones_begins_the_count_anew() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    guess(&world, &mut client, &serial, &seed, 19);
    right(&world, &mut client, &serial, &seed).ok();
    guess(&world, &mut client, &serial, &seed, 19);
    right(&world, &mut client, &serial, &seed).ok();
}

#[test]
fn a_lock_outlives_a_restart_and_ends_after_a_day() {
    let directory = crate::testing::Directory::new();
    let hands = Hands::new();
    let start = || {
        let config = Config { clock: hands.clock(), ..Config::in_directory(directory.path().join("data")) };
        World { running: Server::start(config).unwrap(), hands: hands.clone() }
    };
    let world = start();
    let (_, serial, seed) = world.user_with_app("ann");
    guess(&world, &mut world.client(), &serial, &seed, 20);
    drop(world);
    let world = start();
    let mut client = world.client();
    right(&world, &mut client, &serial, &seed).refused(403, "AccessDenied");
    hands.advance(24 * 3600);
    right(&world, &mut client, &serial, &seed).ok();
}
