//! The Keywright security key on a PC.
