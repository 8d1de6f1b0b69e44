//! A touch is an edge, never a level: a button that is held, or stuck, agrees to nothing.

/// A button that is looked at every [`SAMPLE_MILLIS`].
#[derive(Debug)]
pub struct Button {
    is_pressed: bool,
    /// Samples in a row that said otherwise.
    changed: u8,
}

impl Button {
    /// A button that must be seen released before it counts.
    pub const fn new() -> Self {
        Self { is_pressed: true, changed: 0 }
    }

    /// Takes a sample; whether the button was pressed just now.
    pub const fn sample(&mut self, is_down: bool) -> bool {
        if is_down == self.is_pressed {
            self.changed = 0;
            return false;
        }
        self.changed = self.changed.saturating_add(1);
        if self.changed < SETTLED {
            return false;
        }
        self.is_pressed = is_down;
        self.changed = 0;
        is_down
    }
}

impl Default for Button {
    fn default() -> Self {
        Self::new()
    }
}

/// Between two samples.
pub const SAMPLE_MILLIS: u64 = 10;
/// Samples that must agree: contacts bounce for a few milliseconds.
const SETTLED: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn presses(samples: &str) -> usize {
        let mut button = Button::new();
        samples.bytes().filter(|sample| button.sample(*sample == b'1')).count()
    }

    #[test]
    fn a_press_counts_once_however_long_it_is_held() {
        assert_eq!(presses("0001111111111111111"), 1);
        assert_eq!(presses("00110011"), 2);
    }

    #[test]
    fn a_button_that_is_held_from_the_start_is_no_touch() {
        assert_eq!(presses("1111111111"), 0);
        assert_eq!(presses("1111001111"), 1);
    }

    #[test]
    fn contacts_that_bounce_are_one_press() {
        assert_eq!(presses("00010101101110000"), 1);
        assert_eq!(presses("0010010100"), 0);
    }
}
