//! What is played, in which order, and what the user is told of it.

use std::time::{Duration, Instant};

use keywright_host::ClientError;

use crate::rig::{Touch, test_pins};
use crate::scenarios::{RESET_AFTER, RESET_BEFORE, TABLE};
use crate::{Effect, Offer, Played, Report, Rig, Scenario, Stop, Verdict};

/// What is to be played.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Subjects (`pin`) and names (`pin/wrong`); empty: all.
    pub names: Vec<String>,
    /// The user agrees to lose what is on the key.
    pub may_wipe: bool,
    /// Also those that wait for longer than ten seconds.
    pub with_slow: bool,
}

impl Selection {
    /// Whether a scenario is asked for by its name.
    pub fn names(&self, scenario: &Scenario) -> bool {
        let subject = scenario.name.split('/').next();
        self.names.is_empty()
            || self.names.iter().any(|name| name == scenario.name || Some(&**name) == subject)
    }

    /// Why a scenario is not played with a key that offers `offer`.
    fn leaves_out(&self, scenario: &Scenario, offer: &Offer) -> Option<String> {
        if scenario.effect == Effect::Wipes && !self.may_wipe {
            return Some("it changes what is on the key: --wipe, if that may be lost".to_owned());
        }
        if scenario.is_slow && !self.with_slow {
            return Some("it takes its time: --slow".to_owned());
        }
        scenario.needs.iter().find_map(|need| need.lacking(offer))
    }
}

/// The scenarios that are asked for, each with the reason why it is not played.
pub fn plan(selection: &Selection, offer: &Offer) -> Vec<(&'static Scenario, Option<String>)> {
    let named = TABLE.iter().filter(|scenario| selection.names(scenario));
    named.map(|scenario| (scenario, selection.leaves_out(scenario, offer))).collect()
}

/// Asks the key what it offers and plays what was selected. A key that is to be wiped is reset before the first and after the
/// last scenario.
///
/// # Errors
/// [`ClientError`] if the key does not say what it offers.
pub fn run(rig: &mut Rig, selection: &Selection) -> Result<Report, ClientError> {
    let offer = rig.offer()?;
    let plan = plan(selection, &offer);
    let is_wiped = plan.iter().any(|(scenario, why)| why.is_none() && scenario.effect == Effect::Wipes);
    let mut report = Report::default();
    let can_wipe = is_wiped && play(rig, &mut report, &RESET_BEFORE, None);
    for (scenario, why) in plan {
        let why = why.or_else(|| {
            let needs_wipe = scenario.effect == Effect::Wipes && !can_wipe;
            needs_wipe.then(|| "the key could not be reset before".to_owned())
        });
        play(rig, &mut report, scenario, why);
    }
    let is_empty = can_wipe && play(rig, &mut report, &RESET_AFTER, None);
    report.is_interrupted = rig.is_stopped();
    report.left = match (is_wiped, can_wipe, is_empty) {
        (true, false, _) => Some("The key may have been reset, and holds nothing of the tests.".to_owned()),
        (true, true, false) => Some(left(&offer)),
        _ => None,
    };
    Ok(report)
}

/// What a key may hold that was not reset at the end.
fn left(offer: &Offer) -> String {
    let [old, new] = offer.info.as_ref().map_or([String::new(), String::new()], test_pins);
    format!(
        "The key works, and may hold credentials of the tests and the PIN `{old}` (`{new}` if it was being changed). To empty it, \
         plug it in again and run `keywright reset` within ten seconds."
    )
}

/// Plays one scenario unless there is a reason not to; true if it passed.
fn play(rig: &mut Rig, report: &mut Report, scenario: &'static Scenario, why: Option<String>) -> bool {
    if rig.is_stopped() {
        return false;
    }
    let start = Instant::now();
    let outcome = why.map_or_else(
        || {
            rig.user.will(Touch::Give);
            (scenario.play)(rig)
        },
        |why| Err(Stop::Skipped(why)),
    );
    // What it was doing when the user ended the run says nothing of the key.
    if rig.is_stopped() {
        return false;
    }
    let is_played = !matches!(outcome, Err(Stop::Skipped(_)));
    let took = if is_played { start.elapsed() } else { Duration::ZERO };
    let played = Played { scenario, verdict: Verdict::from(outcome), remarks: rig.take_remarks(), took };
    rig.say(&played.line());
    let has_passed = played.verdict == Verdict::Passed;
    report.played.push(played);
    has_passed
}
