//! The same thing handed in again.

use super::*;

#[tokio::test]
async fn the_same_words_and_the_same_bytes_are_one_deposit() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = plain(&site)?;
    for size in [3 * MIB, 17 * MIB] {
        let (bytes, name) = (noise(size, 6), format!("TWICE_{size}"));
        let first = create(&tus, size, &said(&name, &[])).await?.location()?;
        assert_eq!(tus.patch(&first, 0, bytes[..MIB].to_vec()).await?.status, 204);
        // Asked for again it is the same upload, where it stands; in whatever order the words come.
        let mut reordered = said(&name, &[]);
        reordered.reverse();
        let again = create(&tus, size, &reordered).await?;
        assert_eq!((again.status, again.location()?, again.offset()), (201, first.clone(), Some(MIB as u64)));
        // A creation that brings the file from its beginning goes on behind what is there.
        let request = tus.request(Method::POST, "/v1/uploads").header("Upload-Length", size);
        let request = request.header("Upload-Metadata", header(&said(&name, &[])));
        let request = request.header("Content-Type", "application/offset+octet-stream").body(bytes.clone());
        let whole = Answer::read(request.send().await?).await?;
        assert_eq!((whole.status, whole.offset()), (201, Some(size as u64)), "{whole:?}");
        let receipt = tus.get(&first, "receipt").await?;
        assert_eq!(receipt.status, 200, "{receipt:?}");
        let finished = create(&tus, size, &said(&name, &[])).await?;
        assert_eq!((finished.location()?, finished.offset()), (first.clone(), Some(size as u64)));
        assert!(finished.headers.contains_key("custos-receipt"));
        assert_eq!(tus.get(&first, "receipt").await?.body, receipt.body);

        // Other words for the same bytes of the same recording: no second object, the first one's receipt.
        let objects = stored(&site, "footage/").await?;
        let other = create(&tus, size, &said(&name, &[("filename", "renamed.mp4")])).await?.location()?;
        assert_ne!(other, first);
        assert_eq!(tus.patch(&other, 0, bytes.clone()).await?.status, 204);
        assert_eq!(tus.get(&other, "receipt").await?.body, receipt.body);
        assert_eq!(stored(&site, "footage/").await?, objects);
        // With the digest said beforehand not even the bytes are asked for.
        let root = Root::of(&bytes).to_hex();
        let known = create(&tus, size, &said(&name, &[("blake3", root.as_str())])).await?;
        assert_eq!((known.status, known.offset()), (201, Some(size as u64)), "{known:?}");

        // Other bytes for the same recording are kept beside it.
        let different = noise(size, 7);
        let variant = create(&tus, size, &said(&name, &[("filename", "other.mp4")])).await?.location()?;
        assert_eq!(tus.patch(&variant, 0, different.clone()).await?.status, 204);
        let (receipt, manifest) = receipted(&site, &tus, &variant).await?;
        assert!(receipt.code.key().variant.is_some() && manifest.root == Root::of(&different));
    }
    Ok(())
}
