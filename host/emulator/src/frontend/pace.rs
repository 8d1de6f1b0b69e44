//! How fast reports may go to a host.

use std::time::{Duration, Instant};

/// Lets a burst through and then one report a millisecond, the interval of a key on a bus.
///
/// Linux keeps 64 reports for each program that has a hidraw device open and drops what comes beyond. A long message
/// is 129 reports; a bus would deliver them one a millisecond, while uhid and a USB/IP client in the same machine take them
/// all at once.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the burst will be whole again; each report puts it off by [`INTERVAL`].
    rested: Option<Instant>,
}

impl Pace {
    /// How long the next report has to wait.
    pub(crate) fn delay(&self, now: Instant) -> Duration {
        let debt = self.rested.map_or(Duration::ZERO, |rested| rested.saturating_duration_since(now));
        (debt + INTERVAL).saturating_sub(INTERVAL * BURST)
    }

    /// Counts a report that went.
    pub(crate) fn sent(&mut self, now: Instant) {
        self.rested = Some(self.rested.map_or(now, |rested| rested.max(now)) + INTERVAL);
    }
}

/// The polling interval of a full-speed device that asks for the shortest.
const INTERVAL: Duration = Duration::from_millis(1);
/// Reports that may go at once: half of what hidraw keeps.
const BURST: u32 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(pace: &mut Pace, now: Instant) -> u32 {
        (0..)
            .take_while(|_| {
                pace.delay(now).is_zero() && {
                    pace.sent(now);
                    true
                }
            })
            .last()
            .unwrap()
            + 1
    }

    #[test]
    fn a_burst_goes_at_once_and_the_next_report_waits_for_one_interval() {
        let mut pace = Pace::default();
        let now = Instant::now();
        assert_eq!(burst(&mut pace, now), BURST);
        assert_eq!(pace.delay(now), INTERVAL);
        assert_eq!(pace.delay(now + INTERVAL), Duration::ZERO);
    }

    #[test]
    fn after_a_burst_reports_go_at_the_interval() {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        burst(&mut pace, now);
        for _ in 0..100 {
            assert_eq!(pace.delay(now), INTERVAL);
            now += INTERVAL;
            pace.sent(now);
        }
    }

    #[test]
    fn a_rest_makes_the_burst_whole_again_but_not_longer() {
        let mut pace = Pace::default();
        let now = Instant::now();
        burst(&mut pace, now);
        assert_eq!(burst(&mut pace, now + Duration::from_secs(60)), BURST);
    }
}
