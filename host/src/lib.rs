//! A driver for FIDO2 and U2F security keys of any vendor.
