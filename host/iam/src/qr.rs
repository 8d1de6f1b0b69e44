//! QR codes as PNG pictures: black on white, six pixels a module, four modules of margin.

use qrcode::{Color, QrCode};

use crate::refusal::Refusal;

/// The picture of a text, such as an `otpauth:` URI.
pub(crate) fn png(text: &str) -> Result<Vec<u8>, Refusal> {
    let code = QrCode::new(text).map_err(Refusal::failure)?;
    let modules = code.width();
    let side = (modules + 2 * MARGIN) * SCALE;
    let colors = code.to_colors();
    let is_dark = |x: usize, y: usize| {
        let (x, y) = (x.checked_sub(MARGIN)?, y.checked_sub(MARGIN)?);
        (x < modules).then(|| colors.get(y * modules + x).copied())?.map(|color| color == Color::Dark)
    };
    // One bit a pixel, the leftmost in the highest; each row begins with a byte of its own.
    let row = |y: usize| {
        let pixel = move |x: usize| x >= side || !is_dark(x / SCALE, y / SCALE).unwrap_or(false);
        let byte = move |at: usize| (0..8).fold(0_u8, |byte, bit| byte << 1 | u8::from(pixel(at * 8 + bit)));
        (0..side.div_ceil(8)).map(byte)
    };
    let pixels: Vec<u8> = (0..side).flat_map(row).collect();
    let width = u32::try_from(side).map_err(Refusal::failure)?;
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, width);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(Refusal::failure)?;
    Ok(out)
}

const SCALE: usize = 6;
const MARGIN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_the_modules_of_the_code_within_a_white_margin() {
        let text = "otpauth://totp/Amazon%20Web%20Services:a@123456789012?secret=ABCDEFGH";
        let picture = png(text).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(picture));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let code = QrCode::new(text).unwrap();
        let side = (code.width() + 8) * SCALE;
        assert_eq!((info.width as usize, info.height as usize), (side, side));
        for (at, pixel) in pixels.iter().take(side * side).enumerate() {
            let (x, y) = (at % side / SCALE, at / side / SCALE);
            let inside = (4..4 + code.width()).contains(&x) && (4..4 + code.width()).contains(&y);
            let dark = inside && code[(x - 4, y - 4)] == Color::Dark;
            assert_eq!(*pixel, if dark { 0 } else { 255 }, "{x} {y}");
        }
    }

    #[test]
    fn the_longest_device_name_still_fits() {
        png(&"%2B".repeat(226)).unwrap();
    }
}
