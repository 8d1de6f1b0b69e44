//! QR codes: read from a picture, such as a screenshot, and drawn.

use png::{BitDepth, ColorType, Transformations};
use qrcode::render::unicode::Dense1x2;
use qrcode::{Color, QrCode};
use rqrr::PreparedImage;
use zeroize::Zeroizing;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::error::Error;
use crate::uri;

/// The URI in the QR code that a PNG or JPEG picture shows, wherever in it and whatever else it shows.
///
/// # Errors
/// [`Error::Picture`] if it is no such picture, or shows no such code, or several.
pub fn read_picture(bytes: &[u8]) -> Result<Zeroizing<String>, Error> {
    let picture = if bytes.starts_with(b"\x89PNG") { decode_png(bytes) } else { decode_jpeg(bytes) };
    let picture = picture.ok_or(Error::Picture(
        "is neither PNG nor JPEG, or is cut short, or has more than 64 million pixels: save the screenshot as PNG",
    ))?;
    // As it is; dark pages show light codes; small codes are found when they are larger.
    let tries = [(1, false), (1, true), (2, false), (3, false)];
    let mut is_any_found = false;
    for (scale, is_inverted) in tries {
        let mut found = picture.codes(scale, is_inverted);
        is_any_found |= !found.is_empty();
        found.retain(|text| uri::is_uri(text) && text.to_ascii_lowercase().starts_with("otpauth"));
        found.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        found.dedup();
        if found.len() > 1 {
            return Err(Error::Picture("shows the QR codes of several accounts: cut out one"));
        }
        if let Some(text) = found.pop() {
            return Ok(text);
        }
    }
    Err(Error::Picture(if is_any_found {
        "shows a QR code that is no account's: it begins with otpauth:"
    } else {
        "shows no QR code that can be read: cut it out with a white margin, larger and straight"
    }))
}

/// The QR code of a text as a PNG picture: black on white, six pixels a module, four modules of margin.
///
/// # Errors
/// [`Error::Picture`] if the text is too long for a QR code.
pub fn png(text: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = || Error::Picture("cannot be drawn: the account's name is too long for a QR code");
    let code = QrCode::new(text).map_err(|_| failed())?;
    let modules = code.width();
    let side = (modules + 2 * MARGIN) * SCALE;
    let colors = code.to_colors();
    let is_dark = |x: usize, y: usize| {
        let (x, y) = ((x / SCALE).checked_sub(MARGIN)?, (y / SCALE).checked_sub(MARGIN)?);
        (x < modules).then(|| colors.get(y * modules + x) == Some(&Color::Dark))
    };
    let pixels = (0..side * side).map(|at| if is_dark(at % side, at / side) == Some(true) { 0 } else { 255 });
    let pixels = Zeroizing::new(pixels.collect::<Vec<u8>>());
    let width = u32::try_from(side).map_err(|_| failed())?;
    let mut out = Zeroizing::new(Vec::with_capacity(side * side));
    let mut encoder = png::Encoder::new(&mut *out, width, width);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(|_| failed())?;
    Ok(out)
}

/// The QR code of a text for a terminal: black on white whatever its colours are, two modules a character.
///
/// # Errors
/// [`Error::Picture`] if the text is too long for a QR code.
pub fn terminal(text: &str) -> Result<Zeroizing<String>, Error> {
    let code = QrCode::new(text)
        .map_err(|_| Error::Picture("cannot be drawn: the account's name is too long for a QR code"))?;
    let drawn = Zeroizing::new(code.render::<Dense1x2>().build());
    let mut lines = Zeroizing::new(String::with_capacity(drawn.len() + 32 * drawn.lines().count()));
    for line in drawn.lines() {
        lines.extend(["\x1b[30;107m", line, "\x1b[0m\n"]);
    }
    Ok(lines)
}

/// A picture in shades of grey.
struct Picture {
    width: usize,
    height: usize,
    pixels: Zeroizing<Vec<u8>>,
}

impl Picture {
    /// The texts of the QR codes in it.
    fn codes(&self, scale: usize, is_inverted: bool) -> Vec<Zeroizing<String>> {
        let (width, height) = (self.width * scale, self.height * scale);
        if width.saturating_mul(height) > MOST_PIXELS {
            return Vec::new();
        }
        let pixel = |x: usize, y: usize| {
            let shade = self.pixels.get(y / scale * self.width + x / scale).copied().unwrap_or(255);
            if is_inverted { 255 - shade } else { shade }
        };
        let mut prepared = PreparedImage::prepare_from_greyscale(width, height, pixel);
        let grids = prepared.detect_grids();
        grids.iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| Zeroizing::new(text)).collect()
    }
}

fn decode_png(bytes: &[u8]) -> Option<Picture> {
    let limits = png::Limits { bytes: 4 * MOST_PIXELS };
    let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().ok()?;
    let size = reader.output_buffer_size().filter(|size| *size <= 4 * MOST_PIXELS)?;
    let mut pixels = Zeroizing::new(vec![0; size]);
    let info = reader.next_frame(&mut pixels).ok()?;
    let shades = pixels.chunks_exact(info.color_type.samples()).map(|pixel| match *pixel {
        [shade] => shade,
        [shade, alpha] => over_white(shade, alpha),
        [red, green, blue] => luma(red, green, blue),
        [red, green, blue, alpha] => over_white(luma(red, green, blue), alpha),
        _ => 255,
    });
    picture(info.width.try_into().ok()?, info.height.try_into().ok()?, shades.collect())
}

fn decode_jpeg(bytes: &[u8]) -> Option<Picture> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::Luma);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().ok()?;
    let (width, height) = decoder.dimensions()?;
    if width.saturating_mul(height) > MOST_PIXELS {
        return None;
    }
    picture(width, height, decoder.decode().ok()?)
}

fn picture(width: usize, height: usize, pixels: Vec<u8>) -> Option<Picture> {
    let is_whole = width.checked_mul(height) == Some(pixels.len()) && !pixels.is_empty();
    is_whole.then(|| Picture { width, height, pixels: Zeroizing::new(pixels) })
}

fn luma(red: u8, green: u8, blue: u8) -> u8 {
    // Rec. 601; the weights are of 256.
    let sum = 77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue);
    u8::try_from(sum >> 8).unwrap_or(255)
}

/// What is transparent is shown on white.
fn over_white(shade: u8, alpha: u8) -> u8 {
    let (shade, alpha) = (u32::from(shade), u32::from(alpha));
    u8::try_from((shade * alpha + 255 * (255 - alpha)) / 255).unwrap_or(255)
}

const SCALE: usize = 6;
const MARGIN: usize = 4;
/// A screenshot of two large screens has 30 million.
const MOST_PIXELS: usize = 64_000_000;

#[cfg(test)]
mod tests;
