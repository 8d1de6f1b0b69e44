//! The whole store against a model, with the power cut at every operation.

use proptest::prelude::*;

use super::*;

/// What a command does.
#[derive(Clone, Debug)]
enum Command {
    Pin(u8),
    SignCount(u8),
    Put(u8, u8, u8),
    Rename(u8, u8, u8),
    Delete(u8, u8),
    Recycle,
    Reset,
}

/// What must be found, in plain sight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    /// Nothing but a new secret tells a store that was reset.
    resets: u8,
    pin: Option<u8>,
    /// RP, user and name; the newest last.
    credentials: Vec<(u8, u8, u8)>,
}

impl Model {
    fn apply(&mut self, command: &Command) {
        let same = |rp: u8, user: u8| move |c: &(u8, u8, u8)| (c.0, c.1) == (rp, user);
        match *command {
            Command::Pin(retries) => self.pin = Some(retries),
            Command::Put(rp, user, name) => {
                self.credentials.retain(|c| !same(rp, user)(c));
                self.credentials.push((rp, user, name));
            }
            Command::Rename(rp, user, name) => {
                self.credentials.iter_mut().filter(|c| same(rp, user)(c)).for_each(|c| c.2 = name);
            }
            Command::Delete(rp, user) => self.credentials.retain(|c| !same(rp, user)(c)),
            Command::Reset => *self = Self { resets: self.resets + 1, ..Self::default() },
            Command::SignCount(_) | Command::Recycle => {}
        }
    }
}

/// As large as one can be every other time, so that pages fill up.
fn account(rp: u8, user: u8, name: u8) -> Credential {
    let mut credential = if name.is_multiple_of(2) { largest(user) } else { credential(rp, user, "") };
    credential.rp_id_hash = [rp; 32];
    credential.user.id = heapless::Vec::from_slice(&[user; 8]).unwrap();
    credential.user.name = Some(text(&name.to_string()));
    credential
}

/// A store under test: its flash, and what must be on it.
#[derive(Clone)]
struct Rig<const W: usize, const E: usize, const P: usize> {
    flash: PowerCutFlash<W, E, P>,
    model: Model,
    /// What is on it if the command that lost power was carried out.
    after: Model,
    sign_count: u32,
    secret: DeviceSecret,
    starts: u32,
}

type Opened<'a, const W: usize, const E: usize, const P: usize> =
    Store<&'a mut PowerCutFlash<W, E, P>, SLOTS>;

const SLOTS: usize = 12;

impl<const W: usize, const E: usize, const P: usize> Rig<W, E, P> {
    fn new() -> Self {
        let mut rig = Self {
            flash: PowerCutFlash::new(),
            model: Model::default(),
            after: Model::default(),
            sign_count: 0,
            secret: DeviceSecret::new([0; 32]),
            starts: 0,
        };
        rig.secret = rig.found().1;
        rig
    }

    fn random(&mut self) -> Counting {
        self.starts += 1;
        Counting::new(self.starts)
    }

    /// Runs commands until the power goes. `true` if it did not go.
    fn run(&mut self, commands: &[Command]) -> bool {
        self.after = self.model.clone();
        let mut random = self.random();
        let Ok(mut store) = Store::open(&mut self.flash, &mut random) else { return false };
        for command in commands {
            self.after = self.model.clone();
            self.after.apply(command);
            let secret = store.secret().unwrap().clone();
            match execute(&mut store, command, &mut self.sign_count, &mut random) {
                Ok(()) => self.model = self.after.clone(),
                Err(StoreError::Full | StoreError::NotFound) => self.after = self.model.clone(),
                Err(_) => return false,
            }
            if matches!(command, Command::Reset) {
                self.secret = store.secret().unwrap().clone();
                assert!(secret != self.secret && !contains(store.flash_mut().bytes(), secret.expose()));
            }
        }
        true
    }

    /// What is found after a start, in the terms of the model, but for `resets`; and the secret.
    fn found(&mut self) -> (Model, DeviceSecret) {
        let mut random = self.random();
        let mut store: Opened<'_, W, E, P> = Store::open(&mut self.flash, &mut random).unwrap();
        let mut numbers: Vec<_> = store.index.iter().map(|(_, candidate, _)| candidate.number).collect();
        numbers.sort();
        let secret = store.secret().unwrap().clone();
        let mut reading = store.reading();
        let mut found = Model { pin: reading.pin().unwrap().map(|pin| pin.retries), ..Model::default() };
        for number in numbers {
            let credential = reading.credential(number).unwrap().unwrap();
            let (rp, user) = (credential.rp_id_hash, credential.user.id);
            assert_eq!(reading.find_by_user(&rp, &user).unwrap(), Some(number));
            found.credentials.push((rp[0], user[0], credential.user.name.unwrap().parse().unwrap()));
        }
        (found, secret)
    }

    /// After a cut: the old or the new, whole, and from then on the same.
    fn check(&mut self, why: &str) {
        self.flash.restore_power();
        let (mut found, secret) = self.found();
        if secret == self.secret {
            found.resets = self.model.resets;
        } else {
            assert!(self.after.resets > self.model.resets, "{why}: reset by itself");
            assert!(!contains(self.flash.bytes(), self.secret.expose()), "{why}: the old secret is left");
            found.resets = self.after.resets;
            self.sign_count = 0;
        }
        assert!(
            found == self.model || found == self.after,
            "{why}:\n{found:?}\n{:?}\n{:?}",
            self.model,
            self.after
        );
        if found.pin.is_some() && self.model.pin.is_some() {
            let allowed = [self.model.pin, self.after.pin];
            assert!(allowed.contains(&found.pin), "{why}: retries");
        }
        (self.model, self.secret) = (found, secret);
        assert!(self.run(&[Command::SignCount(1), Command::Recycle, Command::SignCount(65)]), "{why}");
        let (mut again, secret) = self.found();
        again.resets = self.model.resets;
        assert!(again == self.model && secret == self.secret, "{why}: changed by itself");
    }
}

fn execute<const W: usize, const E: usize, const P: usize>(
    store: &mut Opened<'_, W, E, P>,
    command: &Command,
    sign_count: &mut u32,
    random: &mut Counting,
) -> Result<(), StoreError> {
    match *command {
        Command::Pin(retries) => store.set_pin(&pin(retries)),
        Command::SignCount(times) => (0..times).try_for_each(|_| {
            let next = store.next_sign_count()?;
            assert!(next > *sign_count, "{next} after {sign_count}");
            *sign_count = next;
            Ok(())
        }),
        Command::Put(rp, user, name) => store.put_credential(&account(rp, user, name)).map(drop),
        Command::Rename(rp, user, name) => {
            let number = store.reading().find_by_user(&[rp; 32], &[user; 8])?.ok_or(StoreError::NotFound)?;
            store.update_user(number, &account(rp, user, name).user)
        }
        Command::Delete(rp, user) => {
            let number = store.reading().find_by_user(&[rp; 32], &[user; 8])?.ok_or(StoreError::NotFound)?;
            store.delete_credential(number)
        }
        Command::Recycle => {
            while store.recycle_step()? == Recycling::More {}
            Ok(())
        }
        Command::Reset => {
            while store.reset_step(random)? == ResetProgress::More {}
            *sign_count = 0;
            Ok(())
        }
    }
}

/// Cuts a run at every operation; and, `second` times each, the start after it.
fn every_cut<const W: usize, const E: usize, const P: usize>(
    rig: &Rig<W, E, P>,
    commands: &[Command],
    second: u32,
) -> u32 {
    for operations in 0.. {
        for again in 0..=second {
            let seed = u64::from(operations * 64 + again);
            let mut cut = rig.clone();
            cut.flash.correct_errors(seed % 3 == 0);
            cut.flash.cut_power_after(operations, seed);
            if cut.run(commands) {
                return operations;
            }
            if let Some(again) = again.checked_sub(1) {
                cut.flash.cut_power_after(again, seed + 1);
                let mut random = cut.random();
                // If the start survives the second cut, that falls into nothing.
                drop(Store::<_, SLOTS>::open(&mut cut.flash, &mut random));
            }
            cut.check(&format!("cut {operations}, then {again}"));
        }
    }
    0
}

/// Commands that fill pages, turn them, and touch every kind of record.
fn a_life(seed: u8) -> Vec<Command> {
    let mut commands = vec![Command::Pin(8)];
    for round in 0..6_u8 {
        let n = seed.wrapping_mul(31).wrapping_add(round * 7);
        commands.extend([
            Command::Put(n % 3, n % 5, n),
            Command::Pin(n % 9),
            Command::SignCount(n % 130),
            Command::Put(n % 2, n % 4, n.wrapping_add(1)),
            Command::Rename(n % 3, n % 5, n.wrapping_add(2)),
            Command::Delete(n.wrapping_add(1) % 3, n % 3),
        ]);
        if n.is_multiple_of(3) {
            commands.push(Command::Recycle);
        }
    }
    commands
}

fn lives<const W: usize, const E: usize, const P: usize>(count: u8, second: u32) {
    let mut rig = Rig::<W, E, P>::new();
    for seed in 0..count {
        let commands = a_life(seed);
        assert!(every_cut(&rig, &commands, second) > 50);
        assert!(rig.run(&commands));
        rig.check("uncut");
    }
    assert!(every_cut(&rig, &[Command::Reset, Command::Pin(8)], second) > 4);
}

#[test]
fn g26_g28_every_cut_of_a_life_on_16_pages_written_by_bytes() {
    lives::<1, 4096, 16>(3, 1);
}

#[test]
fn g26_g28_every_cut_of_a_life_on_16_pages_written_by_words() {
    lives::<4, 4096, 16>(2, 1);
}

#[test]
fn g26_g28_every_cut_of_a_life_on_4_pages_written_by_double_words() {
    lives::<8, 4096, 4>(3, 3);
}

#[test]
fn g26_g28_every_cut_of_a_life_on_2_large_pages_written_by_words() {
    lives::<4, 131_072, 2>(1, 0);
}

#[test]
fn g26_a_first_format_that_is_cut_again_and_again_is_finished() {
    for seed in 0..400_u32 {
        let mut flash = PowerCutFlash::<4, 4096, 2>::new();
        flash.correct_errors(seed % 2 == 0);
        for cut in 0..4 {
            flash.cut_power_after((seed >> (2 * cut)) % 4, u64::from(seed * 4 + cut));
            drop(Store::<_, SLOTS>::open(&mut flash, &mut Counting::new(1)));
        }
        flash.restore_power();
        let secret = open(&mut flash).secret().unwrap().clone();
        assert!(*open(&mut flash).secret().unwrap() == secret);
    }
}

#[test]
fn g28_every_cut_of_a_reset_ends_with_the_old_secret_nowhere() {
    let mut rig = Rig::<4, 4096, 16>::new();
    assert!(rig.run(&a_life(1)));
    assert!(rig.run(&a_life(2)));
    assert!(every_cut(&rig, &[Command::Reset], 20) > 12);
    let mut rig = Rig::<8, 4096, 2>::new();
    assert!(rig.run(&a_life(3)));
    assert!(every_cut(&rig, &[Command::Reset], 10) > 3);
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (0..9_u8).prop_map(Command::Pin),
        2 => (0..140_u8).prop_map(Command::SignCount),
        8 => (0..3_u8, 0..5_u8, any::<u8>()).prop_map(|(rp, user, name)| Command::Put(rp, user, name)),
        2 => (0..3_u8, 0..5_u8, any::<u8>()).prop_map(|(rp, user, name)| Command::Rename(rp, user, name)),
        3 => (0..3_u8, 0..5_u8).prop_map(|(rp, user)| Command::Delete(rp, user)),
        2 => Just(Command::Recycle),
        1 => Just(Command::Reset),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Three lives in a row, each cut anywhere.
    #[test]
    fn g26_any_commands_cut_anywhere(
        lives in prop::collection::vec((prop::collection::vec(command(), 1..40), 0..200_u32, any::<u64>()), 3),
        correct in any::<bool>(),
    ) {
        fn check<const W: usize, const P: usize>(lives: &[(Vec<Command>, u32, u64)], correct: bool) {
            let mut rig = Rig::<W, 4096, P>::new();
            rig.flash.correct_errors(correct);
            for (commands, cut, seed) in lives {
                rig.flash.cut_power_after(*cut, *seed);
                rig.run(commands);
                rig.check("any");
            }
        }
        check::<1, 16>(&lives, correct);
        check::<4, 3>(&lives, correct);
        check::<8, 2>(&lives, correct);
    }

    #[test]
    fn any_bytes_on_the_flash_are_read_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..8192),
        changes in prop::collection::vec((0..16_384_usize, any::<u8>()), 0..12),
    ) {
        drop(Store::<_, SLOTS>::open(PowerCutFlash::<4, 4096, 4>::with_bytes(&bytes), &mut random()));
        // A store that was one, with a few bytes changed.
        let mut rig = Rig::<4, 4096, 4>::new();
        rig.run(&a_life(5));
        let mut image = rig.flash.bytes().to_vec();
        changes.iter().for_each(|&(at, byte)| image[at] = byte);
        let mut store = Store::<_, SLOTS>::open_or_fault(PowerCutFlash::<4, 4096, 4>::with_bytes(&image), &mut random());
        if store.fault().is_none() {
            drop(store.reading().pin());
            for number in 0..20 {
                drop(store.reading().credential(CreationNumber(number)));
            }
        }
        // G1: a reset ends whatever the store is.
        while store.reset_step(&mut random()).unwrap() == ResetProgress::More {}
        prop_assert_eq!(store.fault(), None);
    }
}
