//! UF2, the blocks that a BOOTSEL drive takes (github.com/microsoft/uf2): 256 bytes of flash in 512 bytes of file.

/// The family of the RP2040.
pub(super) const RP2040: u32 = 0xe48b_ff56;

/// The blocks for `image`, which lies at `start`. The last page is filled up with blanks.
pub(super) fn encode(start: u32, image: &[u8], family: u32) -> Vec<u8> {
    let pages = image.chunks(PAGE);
    let count = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    (0_u32..).zip(pages).zip((start..).step_by(PAGE)).fold(Vec::new(), |mut file, ((number, page), at)| {
        let head = [MAGIC_START_0, MAGIC_START_1, FAMILY_ID_PRESENT, at, 256, number, count, family];
        file.extend(head.iter().flat_map(|word| word.to_le_bytes()));
        file.extend(page);
        file.resize(file.len() + PAGE - page.len(), 0xff);
        file.resize(file.len() + 512 - 32 - 4 - PAGE, 0);
        file.extend(MAGIC_END.to_le_bytes());
        file
    })
}

const PAGE: usize = 256;
const MAGIC_START_0: u32 = 0x0a32_4655;
const MAGIC_START_1: u32 = 0x9e5d_5157;
const MAGIC_END: u32 = 0x0ab1_6f30;
const FAMILY_ID_PRESENT: u32 = 0x2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_becomes_numbered_blocks_that_follow_each_other() {
        let image: Vec<u8> = (0..600_u32).map(|at| at.to_le_bytes()[0]).collect();
        let file = encode(0x1000_0000, &image, RP2040);
        assert_eq!(file.len(), 3 * 512);
        for (number, block) in (0_u32..).zip(file.chunks(512)) {
            let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
            assert_eq!((word(0), word(4), word(508)), (0x0a32_4655, 0x9e5d_5157, 0x0ab1_6f30));
            assert_eq!((word(8), word(28)), (0x2000, 0xe48b_ff56));
            assert_eq!((word(12), word(16)), (0x1000_0000 + 256 * number, 256));
            assert_eq!((word(20), word(24)), (number, 3));
        }
        assert_eq!(&file[2 * 512 + 32..2 * 512 + 32 + 88], &image[512..]);
        assert!(file[2 * 512 + 32 + 88..2 * 512 + 32 + 256].iter().all(|byte| *byte == 0xff));
    }

    #[test]
    fn nothing_becomes_no_block() {
        assert!(encode(0, &[], RP2040).is_empty());
    }
}
