use std::string::ToString as _;
use std::vec::Vec;
use std::{format, vec};

use embedded_storage::nor_flash::NorFlash;
use heapless::String;

use super::*;
use crate::crypto::Secret;
use crate::testing::{Counting, PowerCutFlash};

mod faults;
mod power;

type Flash = PowerCutFlash<4, 4096, 16>;

fn random() -> Counting {
    Counting::new(1)
}

fn open<F: NorFlash>(flash: F) -> Store<F, 32> {
    Store::open(flash, &mut random()).unwrap()
}

fn fresh() -> Store<Flash, 32> {
    open(Flash::new())
}

fn text<const LENGTH: usize>(text: &str) -> String<LENGTH> {
    String::try_from(text).unwrap()
}

fn credential(rp: u8, user: u8, name: &str) -> Credential {
    Credential {
        id: heapless::Vec::from_slice(&[rp ^ user; 96]).unwrap(),
        rp_id_hash: [rp; 32],
        rp_id: text(&format!("rp{rp}.example")),
        rp_name: None,
        user: User {
            id: heapless::Vec::from_slice(&[user; 16]).unwrap(),
            name: Some(text(name)),
            display_name: None,
        },
        cred_protect: rp % 4,
        algorithm: -7,
    }
}

fn largest(user: u8) -> Credential {
    let long = Some(text(&"n".repeat(64)));
    Credential {
        id: heapless::Vec::from_slice(&[user; 128]).unwrap(),
        rp_id_hash: [9; 32],
        rp_id: text(&"r".repeat(256)),
        rp_name: long.clone(),
        user: User {
            id: heapless::Vec::from_slice(&[user; 64]).unwrap(),
            name: long.clone(),
            display_name: long,
        },
        cred_protect: 3,
        algorithm: i32::MIN,
    }
}

fn pin(retries: u8) -> PinRecord {
    PinRecord { verifier: Secret::new([0xa5; 32]), retries, consecutive_mismatches: 1, length_code_points: 6 }
}

fn recycle<F: NorFlash, const N: usize>(store: &mut Store<F, N>) {
    while store.recycle_step().unwrap() == Recycling::More {}
}

fn contains(image: &[u8], part: &[u8]) -> bool {
    image.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_blank_flash_becomes_an_empty_store() {
    let mut store = fresh();
    assert!(store.reading().pin().unwrap().is_none());
    assert_eq!(store.reading().credential_count(), 0);
    assert_ne!(store.secret().unwrap().expose(), &[0; 32]);
    assert_eq!(store.fault(), None);
}

#[test]
fn what_was_stored_is_found_after_a_start() {
    let mut store = fresh();
    let secret = store.secret().unwrap().clone();
    store.set_pin(&pin(8)).unwrap();
    let number = store.put_credential(&credential(1, 1, "alice")).unwrap();
    let big = store.put_credential(&largest(2)).unwrap();
    let mut store = open(store.into_flash());
    assert!(*store.secret().unwrap() == secret);
    let mut reading = store.reading();
    let found = reading.pin().unwrap().unwrap();
    assert_eq!(found, pin(8));
    assert_eq!(reading.credential(number).unwrap().unwrap(), credential(1, 1, "alice"));
    assert_eq!(reading.credential(big).unwrap().unwrap(), largest(2));
}

#[test]
fn a_credential_replaces_the_one_of_the_same_rp_and_user_and_becomes_the_newest() {
    let mut store = fresh();
    let old = store.put_credential(&credential(1, 1, "old")).unwrap();
    let other = store.put_credential(&credential(1, 2, "other")).unwrap();
    let new = store.put_credential(&credential(1, 1, "new")).unwrap();
    assert!(old < other && other < new);
    let mut store = open(store.into_flash());
    let mut reading = store.reading();
    assert_eq!(reading.credential_count(), 2);
    assert_eq!(reading.credential(old).unwrap(), None);
    assert_eq!(reading.find_by_rp(&[1; 32], None).unwrap().unwrap().number, new);
    assert_eq!(reading.find_by_rp(&[1; 32], Some(new)).unwrap().unwrap().number, other);
    assert_eq!(reading.find_by_rp(&[1; 32], Some(other)).unwrap(), None);
    assert_eq!(reading.find_by_user(&[1; 32], &[1; 16]).unwrap(), Some(new));
    assert_eq!(reading.find_by_user(&[2; 32], &[1; 16]).unwrap(), None);
}

#[test]
fn cursors_go_over_rps_and_their_credentials_newest_first() {
    let mut store = fresh();
    for (rp, user) in [(1, 1), (2, 1), (1, 2), (3, 1), (2, 2), (1, 3)] {
        store.put_credential(&credential(rp, user, "x")).unwrap();
    }
    let mut store = open(store.into_flash());
    let mut reading = store.reading();
    let (mut rps, mut before) = (Vec::new(), None);
    while let Some(candidate) = reading.rps(before).unwrap() {
        rps.push(reading.credential(candidate.number).unwrap().unwrap().rp_id_hash[0]);
        before = Some(candidate.number);
    }
    assert_eq!(rps, [1, 2, 3]);
    assert_eq!(reading.rp_count().unwrap(), 3);
    assert_eq!(reading.count_by_rp(&[1; 32], 3).unwrap(), 3);
    assert_eq!(reading.count_by_rp(&[1; 32], 0).unwrap(), 0);
    assert_eq!(reading.find_by_rp(&[3; 32], None).unwrap().unwrap().cred_protect, 3);
}

#[test]
fn an_id_is_found_only_for_its_rp() {
    let mut store = fresh();
    let number = store.put_credential(&credential(1, 2, "x")).unwrap();
    let id = credential(1, 2, "x").id;
    let mut reading = store.reading();
    assert_eq!(reading.find_by_id(&[1; 32], &id).unwrap().unwrap().0, number);
    assert_eq!(reading.find_by_id(&[2; 32], &id).unwrap(), None);
    assert_eq!(reading.find_by_id(&[1; 32], &id[..95]).unwrap(), None);
}

#[test]
fn an_update_keeps_number_and_place_and_refuses_another_user() {
    let mut store = fresh();
    let number = store.put_credential(&credential(1, 1, "old")).unwrap();
    store.update_user(number, &credential(1, 1, "new").user).unwrap();
    assert_eq!(store.update_user(number, &credential(1, 2, "x").user), Err(StoreError::NotFound));
    let mut store = open(store.into_flash());
    assert_eq!(store.reading().credential(number).unwrap().unwrap(), credential(1, 1, "new"));
    store.delete_credential(number).unwrap();
    assert_eq!(store.delete_credential(number), Err(StoreError::NotFound));
    assert_eq!(store.update_user(number, &credential(1, 1, "x").user), Err(StoreError::NotFound));
    assert_eq!(open(store.into_flash()).reading().credential_count(), 0);
}

#[test]
fn a_full_store_says_so_and_still_takes_the_pin_the_counter_and_deletions() {
    fn fill<F: NorFlash>(flash: F, expected: std::ops::Range<usize>) {
        let mut store = Store::<F, 64>::open(flash, &mut random()).unwrap();
        store.set_pin(&pin(8)).unwrap();
        let mut count = 0;
        while store.put_credential(&largest(count)).is_ok() {
            count += 1;
            assert!(store.reading().remaining_credentials() < 64);
        }
        assert!(expected.contains(&usize::from(count)), "{count}");
        assert_eq!(store.reading().remaining_credentials(), 0);
        for round in 0..200 {
            store.set_pin(&pin(round % 9)).unwrap();
            store.next_sign_count().unwrap();
            store
                .update_user(CreationNumber(1 + u32::from(round % count)), &largest(round % count).user)
                .unwrap();
        }
        assert_eq!(store.put_credential(&largest(count)), Err(StoreError::Full));
        store.delete_credential(CreationNumber(1)).unwrap();
        store.put_credential(&largest(count)).unwrap();
        assert_eq!(store.reading().credential_count(), usize::from(count));
    }
    fill(PowerCutFlash::<1, 4096, 2>::new(), 2..4);
    fill(PowerCutFlash::<4, 4096, 16>::new(), 55..64);
    fill(PowerCutFlash::<16, 131_072, 2>::new(), 64..65);
}

#[test]
fn no_slot_left_is_full() {
    let mut store = fresh();
    for user in 0..32 {
        store.put_credential(&credential(1, user, "x")).unwrap();
    }
    assert_eq!(store.put_credential(&credential(1, 32, "x")), Err(StoreError::Full));
    store.put_credential(&credential(1, 31, "replaced")).unwrap();
}

#[test]
fn no_write_erases_when_recycling_ran_idle_before_it() {
    fn wear<F: NorFlash>(flash: F, writes: u32) {
        let mut store = open(flash);
        recycle(&mut store);
        for round in 0..writes {
            let before = store.forced_erases();
            match round % 3 {
                0 => drop(store.put_credential(&largest((round % 7) as u8))),
                1 => store.set_pin(&pin((round % 9) as u8)).unwrap(),
                _ => drop(store.put_credential(&credential(1, (round % 20) as u8, "x"))),
            }
            assert_eq!(store.forced_erases(), before, "write {round}");
            recycle(&mut store);
        }
    }
    wear(PowerCutFlash::<1, 4096, 16>::new(), 600);
    wear(PowerCutFlash::<8, 4096, 4>::new(), 600);
    wear(PowerCutFlash::<4, 4096, 3>::new(), 600);
    wear(PowerCutFlash::<4, 131_072, 2>::new(), 600);
}

#[test]
fn a_step_of_recycling_or_reset_erases_at_most_once() {
    let mut store = fresh();
    for round in 0..100 {
        store.put_credential(&credential(1, round % 20, "x")).unwrap();
    }
    let mut flash = store.into_flash();
    let mut erases = flash.erases();
    let mut step = |flash: &mut Flash, limit: u32| {
        assert!(flash.erases() - erases <= limit, "{} erases", flash.erases() - erases);
        erases = flash.erases();
    };
    for _ in 0..40 {
        let mut store = open(&mut flash);
        let _ = store.recycle_step().unwrap();
        drop(store);
        step(&mut flash, 2);
    }
    let mut store = fresh();
    let mut steps = 0;
    while store.reset_step(&mut random()).unwrap() == ResetProgress::More {
        steps += 1;
    }
    let flash = store.into_flash();
    assert!(steps <= 16 && flash.erases() <= 1 + 1 + steps, "{steps} steps, {} erases", flash.erases());
}

#[test]
fn records_cannot_be_exchanged_or_read_without_the_secret() {
    let mut store = fresh();
    store.put_credential(&credential(1, 1, "alice in clear")).unwrap();
    store.set_pin(&pin(8)).unwrap();
    let image = store.flash_mut().bytes();
    for part in [&b"alice in clear"[..], b"rp1.example", &[0xa5; 8], &[1; 16]] {
        assert!(!contains(image, part));
    }
    // The value of one record under the key of another passes the log's checksum and not the seal.
    let mut buffer: ValueBuffer = [0; _];
    let value = store.log.get(Key::PIN, &mut buffer).unwrap().unwrap().to_vec();
    store.log.put(Key::SIGN_COUNT, &value).unwrap();
    assert_eq!(Store::<_, 32>::open(store.into_flash(), &mut random()).err(), Some(StoreError::Corrupt));
}

#[test]
fn memory_and_flash_for_a_credential() {
    let sizes = [size_of::<Store<(), 0>>(), size_of::<Store<(), 256>>()];
    assert_eq!((sizes[1] - sizes[0]) / 256, 16, "bytes of memory for a credential");
    assert!(sizes[0] <= 496, "{} bytes beside the credentials", sizes[0]);

    let mut store = fresh();
    let used = |store: &mut Store<Flash, 32>| {
        store.flash_mut().bytes().chunks(16).filter(|unit| unit.iter().any(|&byte| byte != 0xff)).count() * 16
    };
    let (before, operations) = (used(&mut store), store.flash_mut().operations());
    store.put_credential(&credential(1, 1, "alice@example.com")).unwrap();
    assert_eq!(store.flash_mut().operations() - operations, 2, "a header and a value");
    let after = used(&mut store);
    assert_eq!(after - before, 272, "bytes of flash for a usual one");
    store.put_credential(&largest(1)).unwrap();
    assert_eq!(used(&mut store) - after, 768, "bytes of flash for the largest");
    let (before, operations) = (used(&mut store), store.flash_mut().operations());
    store.set_pin(&pin(8)).unwrap();
    assert_eq!((used(&mut store) - before, store.flash_mut().operations() - operations), (112, 2));
}

#[test]
fn how_many_usual_credentials_fit() {
    fn fill<F: NorFlash>(flash: F) -> usize {
        let mut store = Store::<F, 256>::open(flash, &mut random()).unwrap();
        let mut user = 0;
        while store.put_credential(&credential(user, user, "alice@example.com")).is_ok() && user < 255 {
            user += 1;
        }
        store.reading().credential_count()
    }
    assert_eq!(fill(PowerCutFlash::<4, 4096, 16>::new()), 163);
    assert_eq!(fill(PowerCutFlash::<4, 4096, 64>::new()), 256);
    assert_eq!(fill(PowerCutFlash::<4, 16_384, 3>::new()), 91);
    assert_eq!(fill(PowerCutFlash::<4, 131_072, 2>::new()), 256);
}
