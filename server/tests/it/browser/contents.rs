//! Contents of files, and their hashes.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use otrace_wire::Sha256Digest;
use sha2::{Digest as _, Sha256};

/// The hash of some content, in hex.
pub(super) fn sha256(content: &str) -> String {
    Sha256Digest::new(Sha256::digest(content.as_bytes()).into()).hex()
}

/// A picture of a loss that falls: what a training script would plot.
pub(super) fn curve_png() -> Vec<u8> {
    const WIDTH: u32 = 360;
    const HEIGHT: u32 = 240;
    let mut rows: Vec<u8> = Vec::new();
    for y in 0..HEIGHT {
        rows.push(0);
        for x in 0..WIDTH {
            let curve = 210 - 180 * 50 / (50 + x);
            rows.extend_from_slice(match (x, y) {
                (30, _) | (_, 210) => &[90, 100, 110],
                _ if x > 30 && y.abs_diff(curve) < 2 => &[10, 103, 135],
                _ => &[255, 255, 255],
            });
        }
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&rows).unwrap();
    // Eight bits each of red, green and blue.
    let header = [&WIDTH.to_be_bytes()[..], &HEIGHT.to_be_bytes()[..], &[8, 2, 0, 0, 0]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", header), (b"IDAT", packed.finish().unwrap()), (b"IEND", Vec::new())] {
        let body = [kind.as_slice(), &data].concat();
        png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        png.extend(&body);
        png.extend(crc32fast::hash(&body).to_be_bytes());
    }
    png
}
