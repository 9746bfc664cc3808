//! Digests given beforehand, and those of single requests.

use custos_domain::{digest::Sha256, fact::Fact};

use super::*;

#[tokio::test]
async fn bytes_that_are_not_the_announced_ones_become_no_item() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = plain(&site)?;
    let sha256 = |bytes: &[u8]| Sha256(sha256_of(bytes)).to_hex();
    for (name, size) in [("ONE", 4 * MIB), ("MANY", 17 * MIB)] {
        let (bytes, other) = (noise(size, 1), noise(size, 2));
        let (root, digest) = (Root::of(&bytes).to_hex(), sha256(&bytes));
        let base64 = STANDARD.encode(Root::of(&bytes).0);
        let given = [("blake3", root.as_str()), ("sha256", digest.as_str()), ("blake3", base64.as_str())];
        for (at, (key, value)) in given.into_iter().enumerate() {
            let recording = format!("{name}_{at}");
            let metadata = said(&recording, &[(key, value)]);
            let upload = create(&tus, size, &metadata).await?.location()?;
            let before = stored(&site, "manifests/").await?;
            let wrong = tus.patch(&upload, 0, other.clone()).await?;
            assert_eq!((wrong.status, wrong.problem()), (422, "digest-mismatch"), "{wrong:?}");
            assert!(
                wrong.body["detail"].as_str().is_some_and(|why| why.contains(value) || value == base64),
                "{wrong:?}"
            );
            assert_eq!(stored(&site, "manifests/").await?, before);
            assert_eq!(tus.head(&upload).await?.status, 410);
            let receipt = tus.get(&upload, "receipt").await?;
            assert_eq!((receipt.status, receipt.problem()), (410, "lost-session"));
            rejected(&site, &upload).await?;

            // The same words again begin anew, and the right bytes are taken in.
            let again = create(&tus, size, &metadata).await?.location()?;
            assert_ne!(again, upload);
            let right = tus.patch(&again, 0, bytes.clone()).await?;
            assert_eq!(right.status, 204, "{right:?}");
            let (receipt, manifest) = receipted(&site, &tus, &again).await?;
            assert_eq!(receipt.root, Root::of(&bytes));
            let kept = statement(&manifest)?;
            assert!(kept.blake3.is_some() != kept.sha256.is_some());
            permitted(&tus, &again).await?;
        }
    }
    // A wrong BLAKE3 is known before an object is made, as is any digest of one part. SHA-256 of several parts is not.
    assert_eq!(stored(&site, "footage/").await?, 2 * 3 + 1);
    Ok(())
}

/// The rejection is in a locked document and in a fact.
async fn rejected(site: &Site, upload: &str) -> anyhow::Result<()> {
    let vault = site.vault()?;
    let id = upload.rsplit('/').next().context("id")?;
    let documents = walk(&vault, &vault.buckets().originals, "rejected/").await?;
    let document = documents.iter().find(|object| object.key.contains(id)).context("no rejection")?;
    assert!(vault.head_version(document).await?.locked_until.is_some());
    let facts = walk(&vault, &vault.buckets().log, &format!("facts/uploads/E/{id}/")).await?;
    let fact: Fact = serde_json::from_slice(&vault.read_document(facts.first().context("no fact")?).await?.bytes)?;
    assert_eq!(fact.act.name(), "deposit_rejected");
    Ok(())
}

#[tokio::test]
async fn a_chunk_that_is_not_what_its_checksum_says_never_was() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = plain(&site)?;
    let (bytes, bad) = (noise(26 * MIB + 5, 3), noise(26 * MIB + 5, 4));
    let upload = create(&tus, bytes.len(), &said("CHECKED_1", &[])).await?.location()?;
    for (algorithm, digest) in [
        ("sha1", STANDARD.encode(sha1(&bytes[..20 * MIB]))),
        ("sha256", STANDARD.encode(sha256_of(&bytes[..20 * MIB]))),
        ("blake3", STANDARD.encode(Root::of(&bytes[..20 * MIB]).0)),
    ] {
        let header = format!("{algorithm} {digest}");
        let wrong = patch(&tus, &upload, 0, &bad[..20 * MIB], &header).await?;
        assert_eq!((wrong.status, wrong.problem()), (460, "chunk-checksum"), "{wrong:?}");
        assert_eq!(tus.head(&upload).await?.offset(), Some(0), "nothing of it counts");
    }
    for header in ["md5 AAAA", "sha1", "crc32 AAAA"] {
        let unknown = patch(&tus, &upload, 0, &bytes[..10], header).await?;
        assert_eq!((unknown.status, unknown.problem()), (400, "tus-header"), "{unknown:?}");
    }
    // Over the dropped parts in the store come the good ones, once with and once without a checksum, once ending in a part.
    let header = format!("sha1 {}", STANDARD.encode(sha1(&bytes[..10 * MIB])));
    let right = patch(&tus, &upload, 0, &bytes[..10 * MIB], &header).await?;
    assert_eq!((right.status, right.offset()), (204, Some(10 * MIB as u64)), "{right:?}");
    let wrong = patch(&tus, &upload, 10 * MIB as u64, &bad[10 * MIB..], &header).await?;
    assert_eq!((wrong.status, tus.head(&upload).await?.offset()), (460, Some(10 * MIB as u64)));
    let right = tus.patch(&upload, 10 * MIB as u64, bytes[10 * MIB..17 * MIB].to_vec()).await?;
    assert_eq!((right.status, right.offset()), (204, Some(17 * MIB as u64)), "{right:?}");
    let header = format!("blake3 {}", STANDARD.encode(Root::of(&bytes[17 * MIB..]).0));
    let right = patch(&tus, &upload, 17 * MIB as u64, &bytes[17 * MIB..], &header).await?;
    assert_eq!(right.status, 204, "{right:?}");
    assert_eq!(receipted(&site, &tus, &upload).await?.0.root, Root::of(&bytes));
    permitted(&tus, &upload).await
}

async fn patch(tus: &Tus, upload: &str, offset: u64, bytes: &[u8], checksum: &str) -> anyhow::Result<Answer> {
    let request = tus.request(Method::PATCH, upload).header("Upload-Offset", offset);
    let request = request.header("Content-Type", "application/offset+octet-stream").header("Upload-Checksum", checksum);
    Answer::read(request.body(bytes.to_vec()).send().await?).await
}

fn sha256_of(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    use sha1::Digest;
    sha1::Sha1::digest(bytes).into()
}
