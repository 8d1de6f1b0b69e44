//! AES-256 in CBC mode without padding (NIST SP 800-38A §6.2): what both PIN/UV auth protocols encrypt with.
//!
//! It authenticates nothing. Whoever decrypts has checked a MAC, or compares what comes out.

use aes::Aes256;
use aes::cipher::{Block, BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use cbc::{Decryptor, Encryptor};

use super::Secret;

/// A key of AES-256-CBC.
pub(crate) struct AesCbc<'k>(pub(crate) &'k Secret<32>);

/// The data are not whole blocks of 16 bytes; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWholeBlocks;

impl AesCbc<'_> {
    /// Encrypts in place.
    pub(crate) fn encrypt(&self, iv: &[u8; 16], data: &mut [u8]) -> Result<(), NotWholeBlocks> {
        let blocks = blocks(data)?;
        Encryptor::<Aes256>::new(self.0.expose().into(), iv.into()).encrypt_blocks(blocks);
        Ok(())
    }

    /// Decrypts in place.
    pub(crate) fn decrypt(&self, iv: &[u8; 16], data: &mut [u8]) -> Result<(), NotWholeBlocks> {
        let blocks = blocks(data)?;
        Decryptor::<Aes256>::new(self.0.expose().into(), iv.into()).decrypt_blocks(blocks);
        Ok(())
    }
}

fn blocks(data: &mut [u8]) -> Result<&mut [Block<Aes256>], NotWholeBlocks> {
    match Block::<Aes256>::slice_as_chunks_mut(data) {
        (blocks, []) => Ok(blocks),
        _ => Err(NotWholeBlocks),
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::hex;
    use super::*;

    /// NIST SP 800-38A, F.2.5 and F.2.6.
    const KEY: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";
    const IV: &str = "000102030405060708090a0b0c0d0e0f";
    const PLAINTEXT: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
    const CIPHERTEXT: &str = "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d";

    #[test]
    fn the_vectors_of_nist_hold_in_both_directions() {
        let key = Secret::new(hex(KEY));
        let mut data: [u8; 32] = hex(PLAINTEXT);
        AesCbc(&key).encrypt(&hex(IV), &mut data).unwrap();
        assert_eq!(data, hex(CIPHERTEXT));
        AesCbc(&key).decrypt(&hex(IV), &mut data).unwrap();
        assert_eq!(data, hex(PLAINTEXT));
    }

    #[test]
    fn data_that_are_not_whole_blocks_are_left_alone() {
        let key = Secret::new([1; 32]);
        for length in [1, 15, 17, 31] {
            let mut data = std::vec![7; length];
            assert_eq!(AesCbc(&key).encrypt(&[0; 16], &mut data), Err(NotWholeBlocks));
            assert_eq!(AesCbc(&key).decrypt(&[0; 16], &mut data), Err(NotWholeBlocks));
            assert_eq!(data, std::vec![7; length]);
        }
    }
}
