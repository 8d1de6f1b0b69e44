//! x
mod addresses;
mod crc;
mod error;
mod log;
mod media;
mod record;
mod superblock;
pub use error::StoreError;
pub use superblock::DeviceSecret;
