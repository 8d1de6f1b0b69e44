//! Flashes that fail, lose something or hold something else; and what a reset makes of them.

use super::*;

#[test]
fn g27_a_read_that_fails_is_an_error_and_never_absent() {
    let mut store = fresh();
    store.set_pin(&pin(8)).unwrap();
    let number = store.put_credential(&credential(1, 1, "x")).unwrap();
    let flash = store.into_flash();
    let mut failing = flash.clone();
    failing.fail_reads(true);
    assert_eq!(Store::<_, 32>::open(&mut failing, &mut random()).err(), Some(StoreError::Flash));
    assert_eq!(failing.bytes(), flash.bytes(), "nothing is written on what cannot be read");

    let mut store = open(flash);
    store.flash_mut().fail_reads(true);
    assert_eq!(store.reading().pin().err(), Some(StoreError::Flash));
    assert_eq!(store.reading().credential(number).err(), Some(StoreError::Flash));
    assert_eq!(store.reading().find_by_id(&[1; 32], &[0; 96]).err(), Some(StoreError::Flash));
    assert_eq!(store.reading().find_by_user(&[1; 32], &[1; 16]).err(), Some(StoreError::Flash));
    assert_eq!(store.put_credential(&credential(1, 1, "y")).err(), Some(StoreError::Flash));
    assert_eq!(store.delete_credential(number), Err(StoreError::Flash));
    store.flash_mut().fail_reads(false);
    assert_eq!(store.reading().credential(number).unwrap().unwrap(), credential(1, 1, "x"));
}

#[test]
fn a_write_that_fails_changes_nothing_that_is_read_and_can_be_tried_again() {
    let mut store = fresh();
    let number = store.put_credential(&credential(1, 1, "old")).unwrap();
    for round in 0..60 {
        store.flash_mut().fail_writes(true);
        assert_eq!(store.set_pin(&pin(3)), Err(StoreError::Flash));
        assert_eq!(store.update_user(number, &credential(1, 1, "lost").user), Err(StoreError::Flash));
        store.flash_mut().fail_writes(false);
        if round % 2 == 0 {
            store = open(store.into_flash());
            // Now it is the old one or the new one, for good.
            let found = store.reading().credential(number).unwrap().unwrap();
            store = open(store.into_flash());
            assert_eq!(store.reading().credential(number).unwrap().unwrap(), found);
        }
        let name = round.to_string();
        store.update_user(number, &credential(1, 1, &name).user).unwrap();
        assert_eq!(store.reading().credential(number).unwrap().unwrap(), credential(1, 1, &name));
        recycle(&mut store);
    }
}

#[test]
fn g28_the_counter_rises_and_is_written_once_in_64_times() {
    let mut store = fresh();
    let mut last = 0;
    for start in 0..5 {
        let before = store.flash_mut().operations();
        for _ in 0..64 {
            let next = store.next_sign_count().unwrap();
            assert!(next > last);
            last = next;
        }
        assert_eq!(store.flash_mut().operations() - before, 2, "a header and a value, start {start}");
        store = open(store.into_flash());
    }
}

#[test]
fn g28_a_reset_leaves_nothing_of_the_old_store_on_the_flash() {
    let mut store = fresh();
    store.set_pin(&pin(8)).unwrap();
    for round in 0..100 {
        store.put_credential(&credential(1, round % 20, "x")).unwrap();
    }
    let old = store.secret().unwrap().clone();
    let before = store.flash_mut().bytes().to_vec();
    assert!(contains(&before, old.expose()));
    let mut random = Counting::new(2);
    assert_eq!(store.reset_step(&mut random).unwrap(), ResetProgress::More);
    assert_eq!(store.secret().err(), Some(StoreError::Wiping));
    assert_eq!(store.reading().pin().err(), Some(StoreError::Wiping));
    assert_eq!(store.reading().find_by_rp(&[1; 32], None).err(), Some(StoreError::Wiping));
    assert_eq!(store.put_credential(&credential(1, 1, "x")).err(), Some(StoreError::Wiping));
    assert_eq!(store.next_sign_count(), Err(StoreError::Wiping));
    while store.reset_step(&mut random).unwrap() == ResetProgress::More {}
    assert!(store.reading().pin().unwrap().is_none());
    assert_eq!(store.reading().credential_count(), 0);
    assert_eq!(store.next_sign_count(), Ok(1));
    assert!(*store.secret().unwrap() != old);
    let after = store.into_flash();
    assert!(!contains(after.bytes(), old.expose()));
    // No record is where it was, nor anywhere else: all but three places of a few units reads as erased.
    let programmed = after.bytes().chunks(16).filter(|unit| unit.iter().any(|&byte| byte != 0xff)).count();
    assert!(programmed < 16 + 2 * 9 + 8, "{programmed} units");
}

#[test]
fn g29_a_store_that_lost_its_secret_is_a_fault_until_it_is_reset() {
    for recycled in [false, true] {
        let mut store = fresh();
        if recycled {
            recycle(&mut store);
        }
        let mut flash = store.into_flash();
        flash.rot(16 + 30, 3);
        assert!(Store::<_, 32>::open(flash.clone(), &mut random()).is_ok(), "the other copy is whole");
        flash.rot(80 + 30, 3);
        let before = flash.bytes().to_vec();
        assert_eq!(Store::<_, 32>::open(&mut flash, &mut random()).err(), Some(StoreError::Corrupt));
        assert_eq!(flash.bytes(), before, "a fault changes nothing");
        let mut store = Store::<_, 32>::open_or_fault(flash, &mut random());
        assert_eq!(store.fault(), Some(StoreError::Corrupt));
        assert_eq!(store.secret().err(), Some(StoreError::Corrupt));
        assert_eq!(store.set_pin(&pin(8)), Err(StoreError::Corrupt));
        assert_eq!(store.recycle_step(), Err(StoreError::Corrupt));
        while store.reset_step(&mut random()).unwrap() == ResetProgress::More {}
        store.set_pin(&pin(8)).unwrap();
        assert!(open(store.into_flash()).reading().pin().unwrap().is_some());
    }
}

#[test]
fn g29_a_page_or_a_record_that_is_lost_is_a_fault_and_not_absent() {
    for largest_ones in [0, 14] {
        let mut store = Store::<_, 32>::open(PowerCutFlash::<4, 4096, 6>::new(), &mut random()).unwrap();
        store.set_pin(&pin(8)).unwrap();
        for user in 0..largest_ones {
            store.put_credential(&largest(user)).unwrap();
        }
        let flash = store.into_flash();
        // The newest page alone cannot be missed: that is how the flash was before it was opened.
        let pages = if largest_ones == 0 { 0..1 } else { 0..2 };
        for page in pages {
            let mut lost = flash.clone();
            lost.erase(page * 4096, page * 4096 + 4096).unwrap();
            assert_eq!(Store::<_, 32>::open(lost, &mut random()).err(), Some(StoreError::Corrupt));
        }
    }
    let mut store = fresh();
    store.put_credential(&credential(1, 1, "x")).unwrap();
    let at = store.flash_mut().bytes().windows(2).position(|bytes| bytes == [8, 0]).unwrap();
    store.flash_mut().rot(at + 20, 0);
    assert_eq!(store.reading().credential(CreationNumber(1)).err(), Some(StoreError::Corrupt));
}

#[test]
fn g29_a_newer_format_is_left_alone() {
    let mut flash = fresh().into_flash();
    for copy in [16, 80] {
        let mut bytes: [u8; 64] = flash.bytes()[copy..copy + 64].try_into().unwrap();
        bytes[4] = 7;
        let crc = crc::Crc::new().with(&bytes[..60]).value().to_le_bytes();
        bytes[60..].copy_from_slice(&crc);
        for (i, byte) in bytes.iter().enumerate() {
            let changed = byte ^ flash.bytes()[copy + i];
            (0..8).filter(|bit| changed >> bit & 1 == 1).for_each(|bit| flash.rot(copy + i, bit));
        }
    }
    let before = flash.bytes().to_vec();
    assert_eq!(Store::<_, 32>::open(&mut flash, &mut random()).err(), Some(StoreError::NewerFormat(7)));
    assert_eq!(flash.bytes(), before);
    let mut store = Store::<_, 32>::open_or_fault(flash, &mut random());
    while store.reset_step(&mut random()).unwrap() == ResetProgress::More {}
    assert_eq!(store.fault(), None);
}

#[test]
fn geometries_that_cannot_be_used_are_refused() {
    fn refused<F: NorFlash>(flash: F) {
        assert_eq!(Store::<_, 32>::open(flash, &mut random()).err(), Some(StoreError::Geometry));
    }
    refused(PowerCutFlash::<4, 4096, 1>::new());
    refused(PowerCutFlash::<4, 2048, 16>::new());
    refused(PowerCutFlash::<32, 4096, 16>::new());
    refused(PowerCutFlash::<3, 4096, 16>::new());
    refused(PowerCutFlash::<4, 4096, 129>::new());
    refused(PowerCutFlash::<4, 131_072, 9>::new());
    refused(PowerCutFlash::<4, 262_144, 2>::new());
}
