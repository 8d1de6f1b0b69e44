//! A person at a terminal, which `script` makes.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::harness::{KEYWRIGHT, Key};

/// A command at a terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    pub(crate) shown: String,
}

impl Terminal {
    pub(crate) fn new(words: &[&str]) -> Self {
        let quoted: Vec<_> = [KEYWRIGHT].iter().chain(words).map(|word| format!("'{word}'")).collect();
        // A shell that stays would be interrupted too, and some end with a code of their own then.
        Self::shell(&format!("exec {}", quoted.join(" ")), &[])
    }

    /// What a shell runs at a terminal, with environment variables.
    pub(crate) fn shell(command: &str, variables: &[(&str, String)]) -> Self {
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command", command, "/dev/null"])
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keyboard, screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, keyboard, screen, shown: String::new() }
    }

    /// Waits until the screen shows something new that ends so, and types.
    pub(crate) fn answer(&mut self, prompt: &str, text: &str) {
        let begun = self.shown.len();
        while !self.shown[begun..].ends_with(prompt) {
            let mut byte = [0];
            assert_eq!(self.screen.read(&mut byte).unwrap(), 1, "no {prompt} in {}", self.shown);
            self.shown.push(byte[0].into());
        }
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Everything that was shown, and the exit code.
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).unwrap();
        self.shown.push_str(&String::from_utf8_lossy(&rest));
        drop(self.keyboard);
        (self.shown, self.child.wait().unwrap().code())
    }
}

#[test]
fn pins_are_asked_for_without_being_shown_and_again_when_they_are_wrong() {
    let key = Key::new();
    let device = key.device();
    let mut terminal = Terminal::new(&["pin", "set", "--device", &device]);
    terminal.answer("characters: ", "2468\r");
    terminal.answer("again: ", "2468\r");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("The PIN is set.") && !shown.contains('8'), "{shown}");

    let mut terminal = Terminal::new(&["credentials", "list", "--device", &device]);
    terminal.answer("PIN: ", "13579\r");
    terminal.answer("7 tries are left. PIN: ", "2468\r");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("2468") && !shown.contains("13579"), "{shown}");
}

#[test]
fn two_pins_that_differ_are_not_set() {
    let key = Key::new();
    let mut terminal = Terminal::new(&["pin", "set", "--device", &key.device()]);
    terminal.answer("characters: ", "2468\r");
    terminal.answer("again: ", "2469\r");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(5), "{shown}");
    assert_eq!(key.run(&["pin", "retries"]).ok()["pin_set"], false);
}

#[test]
fn no_pin_and_ctrl_c_end_the_command_and_cost_no_try() {
    let key = Key::with_pin();
    for typed in ["\r", "\u{3}", "12\u{3}"] {
        let mut terminal = Terminal::new(&["credentials", "list", "--device", &key.device()]);
        terminal.answer("PIN: ", typed);
        let (shown, code) = terminal.end();
        assert_eq!(code, Some(4), "{shown}");
    }
    assert_eq!(key.run(&["pin", "retries"]).ok()["retries"], 8);
}

#[test]
fn only_a_yes_resets_and_deletes() {
    let key = Key::new();
    key.register("cred.json", &[]).ok();
    let file = key.folder.text("cred.json");
    for (typed, expected) in [("n\r", 4), ("\r", 4), ("yess\r", 4), ("\u{4}", 4)] {
        let mut terminal = Terminal::new(&["reset", "--device", &key.device()]);
        terminal.answer("[y/N] ", typed);
        let (shown, code) = terminal.end();
        assert_eq!(code, Some(expected), "{shown}");
        assert!(shown.contains("deletes for good") && shown.contains("within 10 seconds"), "{shown}");
    }
    key.run(&["authenticate", &file]).ok();
    key.hand("power-cycle");
    let mut terminal = Terminal::new(&["reset", "--device", &key.device()]);
    terminal.answer("[y/N] ", "y\r");
    assert_eq!(terminal.end().1, Some(0));
    key.run(&["authenticate", &file]).failed(7, "no_credential");
}

#[test]
fn a_wish_for_a_touch_is_shown_and_taken_away_again() {
    let key = Key::touched_by("manual");
    let mut terminal = Terminal::new(&["select", "--device", &key.device()]);
    terminal.answer("Touch the key.", "");
    key.wait_for_wish();
    key.hand("touch");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0));
    assert!(shown.trim_end().ends_with(&key.device()), "{shown}");
}

#[test]
fn the_virtual_key_asks_its_own_user() {
    for (typed, expected) in [("\r", 0), ("n\r", 4)] {
        let mut terminal = Terminal::new(&["emulate", "--udp", "127.0.0.1:0", "--ephemeral"]);
        terminal.answer("Ctrl-C ends it.", "");
        let device =
            terminal.shown.split_whitespace().find(|word| word.starts_with("udp:")).unwrap().to_owned();
        let child = crate::harness::begin(&["select", "--json", "--device", device.trim_end_matches(':')]);
        terminal.answer("decline.", typed);
        assert_eq!(crate::harness::finish(child).code, Some(expected));
        terminal.answer("", "\u{3}");
        assert_eq!(terminal.end().1, Some(0));
    }
}
