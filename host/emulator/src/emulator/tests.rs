//! What the loop promises about the flash, with a disk that a test can break.

use std::time::Duration;

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};

use super::*;
use crate::flash::{CommitError, TestDisk};

/// In the middle of a page that a young store has not come to.
const UNUSED: u32 = 9 * 4096 + 2048;
const PATIENCE: Duration = Duration::from_secs(10);

fn init() -> [u8; 64] {
    let mut report = [0; 64];
    report[..7].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x86, 0, 8]);
    report
}

#[test]
fn g26_no_response_leaves_before_what_was_written_is_durable() {
    let disk = TestDisk::new();
    let mut flash = disk.flash();
    let running = Emulator::start_over(flash.clone(), Options::default()).unwrap();
    let (to_key, from_key) = running.handle().connect().unwrap();
    for round in 0..20_u8 {
        let marker = [b"durable ", &[round; 8][..]].concat();
        flash.write(UNUSED + u32::from(round) * 16, &marker).unwrap();
        to_key.send(init()).unwrap();
        from_key.recv_timeout(PATIENCE).unwrap();
        assert!(disk.has_durable(&marker), "round {round}");
    }
}

#[test]
fn a_disk_that_fails_stops_the_key_and_keeps_the_response_back() {
    let disk = TestDisk::new();
    let mut flash = disk.flash();
    let running = Emulator::start_over(flash.clone(), Options::default()).unwrap();
    let (to_key, from_key) = running.handle().connect().unwrap();
    to_key.send(init()).unwrap();
    from_key.recv_timeout(PATIENCE).unwrap();
    disk.break_down();
    flash.write(UNUSED, &[1; 4]).unwrap();
    to_key.send(init()).unwrap();
    assert!(from_key.recv_timeout(PATIENCE).is_err(), "the response stays inside, and the host sees the end");
    let error = running.wait().unwrap_err();
    assert!(matches!(error, Error::Commit(CommitError::System(_))));
    assert!(error.to_string().contains("could not be written"), "{error}");
}

#[test]
fn a_fault_of_the_store_stops_the_key_and_keeps_the_response_back() {
    let mut flash = Flash::in_memory();
    let running = Emulator::start_over(flash.clone(), Options::default()).unwrap();
    let (to_key, from_key) = running.handle().connect().unwrap();
    flash.write(1, &[1; 4]).unwrap_err();
    to_key.send(init()).unwrap();
    assert!(from_key.recv_timeout(PATIENCE).is_err());
    assert!(matches!(running.wait(), Err(Error::Commit(CommitError::Misused(_)))));
}

#[test]
fn a_disk_that_fails_at_the_start_is_an_error_at_the_start() {
    let disk = TestDisk::new();
    let mut flash = disk.flash();
    flash.write(UNUSED, &[1; 4]).unwrap();
    disk.break_down();
    assert!(matches!(Emulator::start_over(flash, Options::default()), Err(Error::Commit(_))));
}

#[test]
fn g28_a_wipe_leaves_nothing() {
    let disk = TestDisk::new();
    let mut flash = disk.flash();
    let running = Emulator::start_over(flash.clone(), Options::default()).unwrap();
    flash.write(UNUSED, b"to be forgotten!").unwrap();
    running.handle().touch().unwrap();
    assert!(disk.has_durable(b"to be forgotten!"));
    running.handle().wipe().unwrap();
    assert!(!disk.has_durable(b"to be forgotten!"));
    let mut bytes = [0; 16];
    flash.read(UNUSED, &mut bytes).unwrap();
    assert_eq!(bytes, [0xff; 16]);
}
