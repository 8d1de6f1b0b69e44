//! Pictures as people have them: screenshots, dark pages, several codes, none.

use super::*;

const URI: &str = "otpauth://totp/Amazon%20Web%20Services:phone@123456789012?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Amazon%20Web%20Services";

/// A page with QR codes on it: colours, and boxes where text would be.
struct Page {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

impl Page {
    fn new(width: usize, height: usize, paper: [u8; 3]) -> Self {
        let [red, green, blue] = paper;
        Self { width, height, pixels: vec![[red, green, blue, 255]; width * height] }
    }

    fn fill(&mut self, (left, top): (usize, usize), (width, height): (usize, usize), colour: [u8; 4]) {
        for y in top..top + height {
            self.pixels[y * self.width + left..y * self.width + left + width].fill(colour);
        }
    }

    /// Lines of what looks like text.
    fn write(&mut self, (left, top): (usize, usize), lines: usize, ink: [u8; 4]) {
        for (line, number) in (0..lines).zip([3, 7, 5, 2, 9, 4].into_iter().cycle()) {
            for word in 0..12 {
                self.fill((left + word * 17, top + line * 16), (number + word % 5 + 2, 8), ink);
            }
        }
    }

    fn code(&mut self, text: &str, at: (usize, usize), scale: usize, [dark, light]: [[u8; 4]; 2]) {
        let code = QrCode::new(text).unwrap();
        let side = code.width();
        self.fill(at, ((side + 8) * scale, (side + 8) * scale), light);
        for (index, colour) in code.to_colors().into_iter().enumerate() {
            if colour == Color::Dark {
                let (x, y) = (index % side + 4, index / side + 4);
                self.fill((at.0 + x * scale, at.1 + y * scale), (scale, scale), dark);
            }
        }
    }

    fn png(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let [width, height] = [self.width, self.height].map(|side| u32::try_from(side).unwrap());
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(ColorType::Rgba);
        encoder.write_header().unwrap().write_image_data(self.pixels.as_flattened()).unwrap();
        out
    }
}

const BLACK: [u8; 4] = [0, 0, 0, 255];
const WHITE: [u8; 4] = [255, 255, 255, 255];

fn screenshot(scale: usize) -> Page {
    let mut page = Page::new(1280, 800, [242, 243, 243]);
    page.fill((0, 0), (1280, 48), [35, 47, 62, 255]);
    page.fill((40, 80), (1200, 680), WHITE);
    page.write((60, 100), 20, [22, 25, 31, 255]);
    page.fill((60, 700), (120, 32), [236, 114, 17, 255]);
    page.code(URI, (560, 120), scale, [[22, 25, 31, 255], WHITE]);
    page
}

#[test]
fn a_code_on_a_page_is_read() {
    for scale in [2, 3, 6, 8] {
        assert_eq!(read_picture(&screenshot(scale).png()).unwrap().as_str(), URI, "{scale} pixels a module");
    }
}

#[test]
fn a_screenshot_of_the_consoles_page_is_read() {
    // Chromium's, of the wizard of a local IAM that is gone; the stage `browser` takes such pictures anew.
    let uri = read_picture(include_bytes!("console.png")).unwrap();
    let account = crate::account::Account::from_uri(&uri, None).unwrap();
    assert_eq!(account.issuer(), Some("Amazon Web Services"));
    assert!(account.name().starts_with("phone@"), "{account:?}");
    // The page shows it as text, too.
    assert_eq!(account.base32().as_str(), "ONGKD2QUARBO72XI7IF6K7XSONL6HX3K7YCXQ7HX6DKNOF47AELWHRDOWJS46RTO");
}

#[test]
fn a_light_code_on_a_dark_page_is_read() {
    let mut page = Page::new(900, 700, [20, 22, 26]);
    page.write((40, 40), 10, [220, 220, 220, 255]);
    page.code(URI, (300, 40), 5, [WHITE, [20, 22, 26, 255]]);
    assert_eq!(read_picture(&page.png()).unwrap().as_str(), URI);
}

#[test]
fn what_is_transparent_is_white() {
    let mut page = Page::new(600, 600, [255, 255, 255]);
    page.code(URI, (20, 20), 6, [BLACK, [0, 0, 0, 0]]);
    assert_eq!(read_picture(&page.png()).unwrap().as_str(), URI);
}

#[test]
fn the_accounts_code_is_found_among_others_and_two_are_too_many() {
    let mut page = screenshot(4);
    page.code("https://example.org/app", (560, 520), 4, [BLACK, WHITE]);
    assert_eq!(read_picture(&page.png()).unwrap().as_str(), URI);
    page.code(&URI.replace("phone", "other"), (900, 420), 4, [BLACK, WHITE]);
    let error = read_picture(&page.png()).unwrap_err().to_string();
    assert!(error.contains("several"), "{error}");
}

#[test]
fn a_picture_without_an_accounts_code_is_told() {
    let mut page = Page::new(400, 300, [255, 255, 255]);
    page.write((20, 20), 10, BLACK);
    let error = read_picture(&page.png()).unwrap_err().to_string();
    assert!(error.contains("no QR code that can be read"), "{error}");
    page.code("https://example.org", (150, 60), 5, [BLACK, WHITE]);
    let error = read_picture(&page.png()).unwrap_err().to_string();
    assert!(error.contains("no account's"), "{error}");
}

#[test]
fn what_is_no_picture_is_refused_and_cannot_take_all_memory() {
    let good = screenshot(6).png();
    let mut bomb = good.clone();
    // The width and height of its header, and the checksum over them.
    bomb[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    for bytes in
        [&b""[..], b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", &good[..good.len() / 2], &bomb]
    {
        assert!(matches!(read_picture(bytes), Err(Error::Picture(_))));
    }
}

#[test]
fn what_is_drawn_is_read_again() {
    assert_eq!(read_picture(&png(URI).unwrap()).unwrap().as_str(), URI);
    assert!(png(&"a".repeat(4000)).is_err() && terminal(&"a".repeat(4000)).is_err());
}

#[test]
fn what_is_drawn_for_a_terminal_is_read_again() {
    let drawn = terminal(URI).unwrap();
    let lines: Vec<Vec<char>> = drawn
        .lines()
        .map(|line| line.trim_start_matches("\x1b[30;107m").trim_end_matches("\x1b[0m").chars().collect())
        .collect();
    let mut page = Page::new(lines[0].len() * 6, lines.len() * 12, [255, 255, 255]);
    for (y, line) in lines.iter().enumerate() {
        for (x, c) in line.iter().enumerate() {
            // The colour of the text is black, and a block is text.
            let (upper, lower) = match c {
                ' ' => (false, false),
                '▀' => (true, false),
                '▄' => (false, true),
                '█' => (true, true),
                c => panic!("{c}"),
            };
            for (dark, top) in [(upper, y * 12), (lower, y * 12 + 6)] {
                if dark {
                    page.fill((x * 6, top), (6, 6), BLACK);
                }
            }
        }
    }
    assert_eq!(read_picture(&page.png()).unwrap().as_str(), URI);
}
