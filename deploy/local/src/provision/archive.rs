//! A ZIP archive in memory: the form in which MinIO takes users and policies in one go instead of in twenty.

use crc_fast::CrcAlgorithm;

/// Packs files without compressing them (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16).
pub(super) fn zip(files: &[(&str, Vec<u8>)]) -> anyhow::Result<Vec<u8>> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let offset = u32::try_from(archive.len())?;
        let entry = entry(name, content)?;
        archive.extend(*b"PK\x03\x04");
        archive.extend(&entry);
        archive.extend(name.as_bytes());
        archive.extend(content);

        directory.extend(*b"PK\x01\x02");
        directory.extend(VERSION);
        directory.extend(&entry);
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length, count) =
        (u32::try_from(archive.len())?, u32::try_from(directory.len())?, u16::try_from(files.len())?);
    archive.extend(directory);
    archive.extend(*b"PK\x05\x06");
    archive.extend([0; 4]);
    archive.extend(count.to_le_bytes());
    archive.extend(count.to_le_bytes());
    archive.extend(length.to_le_bytes());
    archive.extend(start.to_le_bytes());
    archive.extend([0; 2]);
    Ok(archive)
}

/// 2.0, the oldest that every reader knows.
const VERSION: [u8; 2] = 20_u16.to_le_bytes();

/// 1 January 1980, 00:00, the first moment there is in a ZIP archive.
const TIME: [u8; 4] = [0, 0, 0x21, 0];

/// What a file's own header and the directory say about it alike.
fn entry(name: &str, content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let crc = u32::try_from(crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, content))?;
    let length = u32::try_from(content.len())?.to_le_bytes();
    let name_length = u16::try_from(name.len())?.to_le_bytes();
    // No flags, method 0 (stored); no extra field.
    Ok([&VERSION[..], &[0; 4], &TIME, &crc.to_le_bytes(), &length, &length, &name_length, &[0; 2]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte for byte what Python's zipfile writes for the same two files, but for the file modes it adds.
    #[test]
    fn an_archive_is_as_others_write_it() {
        let files = [("a/one.json", b"{}".to_vec()), ("two", Vec::new())];
        let expected = concat!(
            "504b03041400000000000000210043bfa6a302000000020000000a000000612f6f6e652e6a736f6e7b7d",
            "504b0304140000000000000021000000000000000000000000000300000074776f",
            "504b010214001400000000000000210043bfa6a302000000020000000a0000000000000000000000000000000000",
            "612f6f6e652e6a736f6e",
            "504b0102140014000000000000002100000000000000000000000000030000000000000000000000000",
            "02a00000074776f",
            "504b05060000000002000200690000004b0000000000",
        );
        assert_eq!(hex::encode(zip(&files).expect("archive")), expected);
    }
}
