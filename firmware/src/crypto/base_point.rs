//! Multiples of P-256's base point, from a table: making a key or a nonce's point is this and little else.
//!
//! A comb over signed digits (Hamburg, "Fast and compact elliptic-curve cryptography", §3.3). With k' = (k + 2^256 - 1) / 2
//! modulo the order, k is the sum of ±2^i over all 256 bits of k', where a set bit means plus: no digit is zero, and the
//! same is done for every scalar. The bits are read in 32 columns of 8; two columns 16 apart share their doublings.
//! The table is constant and lies in flash, so that no start pays for it.

use core::ops::Neg;

use p256::elliptic_curve::ff::PrimeField;
use p256::elliptic_curve::group::Group;
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{AffinePoint, ProjectivePoint, Scalar};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroize;

/// `scalar` times the base point, in a time that does not depend on the scalar.
pub(super) fn multiply(scalar: &Scalar) -> AffinePoint {
    let all_bits = Scalar::from_repr(ALL_BITS.into()).unwrap_or(Scalar::ZERO);
    let mut digits: [u8; 32] = ((*scalar + all_bits) * Scalar::TWO_INV).to_bytes().into();
    let mut sum = ProjectivePoint::IDENTITY;
    for column in (0..DOUBLINGS).rev() {
        sum = sum.double();
        sum += entry(&TABLES[0], column_of(&digits, column));
        sum += entry(&TABLES[1], column_of(&digits, column.wrapping_add(DOUBLINGS)));
    }
    digits.zeroize();
    sum.to_affine()
}

/// The bits of a column: one in each 32, the highest last.
fn column_of(digits: &[u8; 32], column: usize) -> u8 {
    // Bit 8 b of column c is bit 32 b + c of the number; the first byte is the highest.
    let byte = column.wrapping_shr(3);
    let words = digits.rchunks_exact(4);
    words.enumerate().fold(0, |bits, (tooth, word)| {
        let byte = word.iter().rev().nth(byte).copied().unwrap_or_default();
        bits | (byte.wrapping_shr(u32::try_from(column % 8).unwrap_or_default()) & 1) << tooth
    })
}

/// The sum that a column stands for. The table has those whose highest tooth is plus; the others are their negatives.
fn entry(table: &[[u32; 16]; ENTRIES], column: u8) -> AffinePoint {
    let is_negative = Choice::from(column.wrapping_shr(7) ^ 1);
    let index = u8::conditional_select(&column, &!column, is_negative) & 0x7f;
    let mut words = [0; 16];
    // Every entry is read, and one is kept.
    for (number, candidate) in (0..).zip(table) {
        let mask = u32::conditional_select(&0, &u32::MAX, index.ct_eq(&number));
        words.iter_mut().zip(candidate).for_each(|(word, other)| *word |= other & mask);
    }
    let mut bytes = words.iter().flat_map(|word| word.to_be_bytes());
    let mut coordinate = || core::array::from_fn::<u8, 32, _>(|_| bytes.next().unwrap_or_default());
    let (x, y) = (coordinate(), coordinate());
    // Every entry is on the curve.
    let point = AffinePoint::from_coordinates(&x.into(), &y.into()).unwrap_or(AffinePoint::IDENTITY);
    AffinePoint::conditional_select(&point, &point.neg(), is_negative)
}

/// 2^256 - 1 modulo the order of the base point.
const ALL_BITS: [u8; 32] = [
    0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x43,
    0x19, 0x05, 0x52, 0x58, 0xe8, 0x61, 0x7b, 0x0c, 0x46, 0x35, 0x3d, 0x03, 0x9c, 0xda, 0xae,
];
const DOUBLINGS: usize = 16;
const ENTRIES: usize = 128;

/// Entry `e` of table `h`: the sum over `t` of ±2^(32 t + 16 h) times the base point, plus for t = 7, and for the others
/// where bit `t` of `e` is set. Both coordinates as words, the highest first.
static TABLES: [[[u32; 16]; ENTRIES]; 2] = include!("base_point_table.in");

#[cfg(test)]
mod tests {
    use super::*;

    fn library(scalar: &Scalar) -> AffinePoint {
        (ProjectivePoint::GENERATOR * scalar).to_affine()
    }

    #[test]
    fn every_entry_of_the_table_is_the_sum_that_it_stands_for() {
        let two = Scalar::from(2_u64);
        for (half, table) in TABLES.iter().enumerate() {
            let powers: [ProjectivePoint; 8] = core::array::from_fn(|tooth| {
                ProjectivePoint::GENERATOR
                    * two.pow_vartime(&p256::U256::from_u64(32 * tooth as u64 + 16 * half as u64))
            });
            for index in 0..128_u8 {
                let sum = (0..7).fold(powers[7], |sum, tooth| {
                    if index >> tooth & 1 == 1 { sum + powers[tooth] } else { sum - powers[tooth] }
                });
                assert_eq!(entry(table, index | 0x80), sum.to_affine(), "{half} {index}");
                assert_eq!(entry(table, !(index | 0x80)), (-sum).to_affine(), "{half} {index}");
            }
        }
    }

    #[test]
    fn small_and_large_scalars_and_the_neighbours_of_both_ends_agree_with_the_library() {
        let mut scalars: std::vec::Vec<_> = (0..40_u64).map(Scalar::from).collect();
        scalars.extend((1..40_u64).map(|n| -Scalar::from(n)));
        // Powers of two, and one less and one more.
        let mut power = Scalar::ONE;
        for _ in 0..256 {
            scalars.extend([power - Scalar::ONE, power, power + Scalar::ONE]);
            power = power.double();
        }
        for scalar in scalars {
            assert_eq!(multiply(&scalar), library(&scalar), "{scalar:?}");
        }
    }

    #[test]
    fn a_thousand_scalars_agree_with_the_library() {
        let mut scalar = Scalar::from(0x9e37_79b9_7f4a_7c15_u64);
        for _ in 0..1000 {
            scalar = scalar * scalar + Scalar::from(7_u64);
            assert_eq!(multiply(&scalar), library(&scalar), "{scalar:?}");
        }
    }
}
