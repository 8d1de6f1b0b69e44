//! Guessing is slowed down: five wrong answers are free, then each costs a longer wait.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::refusal::{Code, Refusal};

/// Wrong answers by what was guessed, such as a user's password. Kept in memory.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<HashMap<String, Guesses>>);

struct Guesses {
    wrong: u32,
    last: i64,
}

impl Throttle {
    /// Counts a guess before it is checked, so that guesses in parallel do not get past the limit.
    pub(crate) fn charge(&self, key: &str, now: i64) -> Result<(), Refusal> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.retain(|_, row| now.saturating_sub(row.last) < FORGOTTEN);
        if rows.len() >= MOST_ROWS && !rows.contains_key(key) {
            forget_oldest(&mut rows);
        }
        let row = rows.entry(key.into()).or_insert(Guesses { wrong: 0, last: now });
        // A clock that was set back must not lock anyone out for the difference.
        row.last = row.last.min(now);
        let left = row.last.saturating_add(wait(row.wrong)).saturating_sub(now);
        if left > 0 {
            return Err(Refusal::new(
                Code::Throttling,
                format!("Too many wrong answers. Try again in {left} seconds."),
            ));
        }
        row.wrong = row.wrong.saturating_add(1);
        row.last = now;
        Ok(())
    }

    /// The guess was right.
    pub(crate) fn clear(&self, key: &str) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.remove(key);
    }
}

fn forget_oldest(rows: &mut HashMap<String, Guesses>) {
    let oldest = rows.iter().min_by_key(|(_, row)| row.last);
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        rows.remove(&key);
    }
}

/// Seconds to wait after so many wrong answers.
fn wait(wrong: u32) -> i64 {
    match wrong.checked_sub(FREE) {
        None => 0,
        Some(beyond) => (30_i64 << beyond.min(5)).min(LONGEST_WAIT),
    }
}

const FREE: u32 = 5;
const LONGEST_WAIT: i64 = 900;
const FORGOTTEN: i64 = 24 * 3600;
const MOST_ROWS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_guess_waits_and_the_wait_grows_to_a_quarter_of_an_hour() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            throttle.charge("k", 100).unwrap();
        }
        assert_eq!(throttle.charge("k", 129).unwrap_err().code, Code::Throttling);
        throttle.charge("k", 130).unwrap();
        assert!(throttle.charge("k", 189).is_err());
        throttle.charge("k", 190).unwrap();
        assert_eq!(wait(50), 900);
    }

    #[test]
    fn guesses_at_one_key_do_not_slow_another() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            throttle.charge("a", 0).unwrap();
        }
        assert!(throttle.charge("a", 0).is_err());
        assert!(throttle.charge("b", 0).is_ok());
    }

    #[test]
    fn a_right_answer_forgets_the_wrong_ones() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            throttle.charge("a", 0).unwrap();
        }
        throttle.clear("a");
        assert!(throttle.charge("a", 0).is_ok());
    }

    #[test]
    fn a_clock_set_back_does_not_lock_out_for_the_difference() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            throttle.charge("a", 1_000_000).unwrap();
        }
        assert!(throttle.charge("a", 10).is_err());
        assert!(throttle.charge("a", 40).is_ok());
    }

    #[test]
    fn the_table_of_guesses_does_not_grow_without_end() {
        let throttle = Throttle::default();
        for n in 0..MOST_ROWS + 10 {
            let now = i64::try_from(n).unwrap() / 1000;
            throttle.charge(&n.to_string(), now).unwrap();
        }
        assert_eq!(throttle.0.lock().unwrap().len(), MOST_ROWS);
    }
}
