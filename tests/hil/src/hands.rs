//! Whoever touches the key and plugs it in.

use keywright_host::transport::Transport;

/// Whoever touches the key and plugs it in: a person who is asked to, or a machine that does it.
pub trait Hands {
    /// The key waits for a touch now.
    fn touch(&mut self);

    /// Takes the key out, plugs it in again, and opens it anew: it has just powered up then.
    ///
    /// # Errors
    /// Why it could not be done, with what to do next.
    fn replug(&mut self) -> Result<Box<dyn Transport>, String>;

    /// The key must not be touched until further notice, which ends with the next [`Hands::touch`]; false if it is touched
    /// whatever is said, as an emulated key with `--touch auto` is.
    fn withhold(&mut self) -> bool {
        true
    }

    /// Something to be told to a person.
    fn say(&mut self, _text: &str) {}

    /// Whether the run is to end.
    fn is_stopped(&mut self) -> bool {
        false
    }
}
