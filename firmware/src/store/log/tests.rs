use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::testing::{Counting, PowerCutFlash};

const SLOTS: usize = 24;

#[derive(Clone, Debug)]
enum Step {
    Put(usize, Vec<u8>),
    Delete(usize),
    Recycle,
}

/// What each key holds. Under a cut, a key may hold either of two values.
type Model = BTreeMap<usize, Vec<u8>>;

fn mount<F: NorFlash>(flash: F) -> Result<Log<F, SLOTS>, StoreError> {
    let mut log = Log::unmounted(flash);
    log.mount(&mut Counting::new(0)).map(|()| log)
}

fn key(slot: usize) -> Key {
    if slot == 0 { Key::PIN } else { Key::slot(slot - 1) }
}

fn apply<F: NorFlash>(log: &mut Log<F, SLOTS>, step: &Step) -> Result<(), StoreError> {
    match step {
        Step::Put(slot, value) => log.put(key(*slot), value),
        Step::Delete(slot) => log.delete(key(*slot)),
        Step::Recycle => log.recycle_step().map(|_| ()),
    }
}

fn apply_to_model(model: &mut Model, step: &Step) {
    match step {
        Step::Put(slot, value) => drop(model.insert(*slot, value.clone())),
        Step::Delete(slot) => drop(model.remove(slot)),
        Step::Recycle => {}
    }
}

fn contents<F: NorFlash>(log: &mut Log<F, SLOTS>) -> Model {
    let mut buffer = [0; MAX_VALUE as usize];
    (0..=SLOTS).filter_map(|slot| Some((slot, log.get(key(slot), &mut buffer).unwrap()?.to_vec()))).collect()
}

fn random_steps(count: usize, seed: u32) -> Vec<Step> {
    let mut state = seed | 1;
    let mut next = move |below: u32| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % below
    };
    (0..count)
        .map(|_| {
            let slot = next(9) as usize;
            match next(10) {
                0 | 1 => Step::Delete(slot),
                2 | 3 => Step::Recycle,
                _ => {
                    let length = if next(4) == 0 { 1 + next(768) } else { 1 + next(200) };
                    Step::Put(slot, (0..length).map(|_| next(256).to_le_bytes()[0]).collect())
                }
            }
        })
        .collect()
}

/// Runs the steps with a cut after `operations`; then starts again, with a second cut after `again`, and checks.
fn cut_and_check<const W: usize, const E: usize, const P: usize>(
    base: &PowerCutFlash<W, E, P>,
    before: &Model,
    steps: &[Step],
    operations: u32,
    again: Option<u32>,
    seed: u64,
) -> bool {
    let mut flash = base.clone();
    flash.cut_power_after(operations, seed);
    let (mut old, mut new) = (before.clone(), before.clone());
    let mut whole = false;
    if let Ok(mut log) = mount(&mut flash) {
        whole = true;
        for step in steps {
            new = old.clone();
            apply_to_model(&mut new, step);
            match apply(&mut log, step) {
                Ok(()) => old = new.clone(),
                Err(StoreError::Full) => new = old.clone(),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
    }
    if let Some(again) = again {
        flash.cut_power_after(again, seed ^ 0x5555);
        if let Ok(mut log) = mount(&mut flash) {
            // It survived: what it says now must be said from now on.
            let now = contents(&mut log);
            assert!(now == old || now == new, "cut {operations}, second {again} not reached, seed {seed}");
            (old, new) = (now.clone(), now);
        }
    }
    flash.restore_power();
    let mut seen = None;
    for start in 0..3 {
        let mut log = mount(&mut flash).unwrap_or_else(|error| {
            panic!("{error:?} at start {start}: cut {operations}, {again:?}, seed {seed}")
        });
        let now = contents(&mut log);
        assert!(
            now == old || now == new,
            "start {start}: cut {operations}, {again:?}, seed {seed}\nkeys {:?}\nold {:?}\nnew {:?}",
            now.iter().map(|(k, v)| (k, v.len())).collect::<Vec<_>>(),
            old.iter().map(|(k, v)| (k, v.len())).collect::<Vec<_>>(),
            new.iter().map(|(k, v)| (k, v.len())).collect::<Vec<_>>()
        );
        assert!(
            seen.is_none_or(|seen| seen == now),
            "changed by itself: cut {operations}, {again:?}, seed {seed}"
        );
        let mark = Step::Put(7, vec![start; 300]);
        let mut after = now;
        match apply(&mut log, &mark) {
            Ok(()) => apply_to_model(&mut after, &mark),
            Err(error) => assert_eq!(error, StoreError::Full),
        }
        (old, new) = (after.clone(), after.clone());
        seen = Some(after);
    }
    whole
}

/// Every cut of a run, and for every one of them some second cuts during the repair.
fn every_cut<const W: usize, const E: usize, const P: usize>(rounds: u32, per_round: usize, second: u32) {
    let (mut base, mut model) = (PowerCutFlash::<W, E, P>::new(), Model::new());
    for round in 0..rounds {
        base.correct_errors(round % 2 == 1);
        let steps = random_steps(per_round, 77 + round * 2);
        let mut operations = 0;
        while !cut_and_check(&base, &model, &steps, operations, None, u64::from(operations * 7 + round)) {
            for again in 0..second {
                let seed = u64::from(operations * 131 + again * 7 + round);
                cut_and_check(&base, &model, &steps, operations, Some(again), seed);
            }
            operations += 1;
        }
        let mut log = mount(&mut base).unwrap();
        for step in &steps {
            match apply(&mut log, step) {
                Ok(()) => apply_to_model(&mut model, step),
                Err(error) => assert_eq!(error, StoreError::Full),
            }
        }
        assert_eq!(contents(&mut log), model);
    }
}

#[test]
fn g26_every_cut_leaves_old_or_new_on_16_pages_written_by_bytes() {
    every_cut::<1, 4096, 16>(6, 24, 3);
}

#[test]
fn g26_every_cut_leaves_old_or_new_on_3_pages_written_by_words() {
    every_cut::<4, 4096, 3>(14, 24, 8);
}

#[test]
fn g26_every_cut_leaves_old_or_new_on_2_pages_written_by_double_words() {
    every_cut::<8, 4096, 2>(14, 24, 8);
}

#[test]
fn g26_every_cut_leaves_old_or_new_on_2_large_pages() {
    every_cut::<4, 131_072, 2>(2, 16, 1);
}
