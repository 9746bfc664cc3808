//! tus 1.0 to the letter, and honest words for whatever is wrong.

use futures::stream;

use super::*;

#[tokio::test]
async fn what_is_served_is_said_and_what_is_wrong_is_explained() -> anyhow::Result<()> {
    let site = intake().await?;
    let tus = plain(&site)?;
    let header = |answer: &Answer, name: &str| {
        answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let options =
        Answer::read(tus.client.request(Method::OPTIONS, format!("{}/v1/uploads", tus.url)).send().await?).await?;
    assert_eq!((options.status, header(&options, "tus-version")), (204, "1.0.0".to_owned()));
    assert_eq!(header(&options, "tus-extension"), "creation,creation-with-upload,checksum,expiration,termination");
    assert_eq!(header(&options, "tus-checksum-algorithm"), "sha1,sha256,blake3");
    assert_eq!(header(&options, "tus-max-size"), (80_000 * MIB).to_string());

    let old = tus.client.post(format!("{}/v1/uploads", tus.url)).header("Tus-Resumable", "0.2.2").send().await?;
    let old = Answer::read(old).await?;
    assert_eq!((old.status, header(&old, "tus-version")), (412, "1.0.0".to_owned()), "{old:?}");
    assert_eq!(header(&old, "tus-resumable"), "1.0.0", "also when it is refused");

    for (name, value, word) in
        [("Upload-Defer-Length", "1", "Upload-Length"), ("Upload-Concat", "partial", "one upload")]
    {
        let request = tus.request(Method::POST, "/v1/uploads").header("Upload-Length", 5).header(name, value);
        let refused =
            Answer::read(request.header("Upload-Metadata", super::header(&said("R", &[]))).send().await?).await?;
        assert_eq!((refused.status, refused.problem()), (400, "tus-header"), "{refused:?}");
        assert!(refused.body["detail"].as_str().is_some_and(|why| why.contains(word)), "{refused:?}");
    }
    for (pairs, status, problem, word) in [
        (vec![], 422, "metadata-refused", "`device` is missing: send"),
        (said("R", &[("device", "lower case")]), 422, "metadata-refused", "`device`"),
        (said("R", &[("started_at", "soon")]), 422, "metadata-refused", "ISO 8601"),
        (said("R", &[("filename", "noextension")]), 422, "metadata-refused", "`kind`"),
        (said("R", &[("sha256", "short")]), 422, "metadata-refused", "32 bytes"),
    ] {
        let pairs = if pairs.is_empty() { vec![("nothing", "x")] } else { pairs };
        let refused = create(&tus, 5, &pairs).await?;
        assert_eq!((refused.status, refused.problem()), (status, problem), "{refused:?}");
        assert!(refused.body["detail"].as_str().is_some_and(|why| why.contains(word)), "{refused:?}");
    }
    let none = tus.request(Method::POST, "/v1/uploads").header("Upload-Length", 5).send().await?;
    let none = Answer::read(none).await?;
    assert_eq!((none.status, none.problem()), (400, "tus-header"), "{none:?}");
    assert!(none.body["detail"].as_str().is_some_and(|why| why.contains("started_at")), "{none:?}");
    let empty = create(&tus, 0, &said("R", &[])).await?;
    assert_eq!((empty.status, empty.problem()), (422, "metadata-refused"), "{empty:?}");
    let huge = create(&tus, 80_001 * MIB, &said("R", &[])).await?;
    assert_eq!((huge.status, huge.problem()), (413, "too-large"), "{huge:?}");

    let upload = create(&tus, 10, &said("LETTER_1", &[])).await?;
    assert!(!header(&upload, "upload-expires").is_empty());
    let upload = upload.location()?;
    let head = tus.head(&upload).await?;
    assert_eq!((head.offset(), header(&head, "upload-length")), (Some(0), "10".to_owned()));
    assert_eq!(header(&head, "upload-metadata"), super::header(&said("LETTER_1", &[])), "as the client gave it");
    let request = tus.request(Method::PATCH, &upload).header("Upload-Offset", 0).header("Content-Type", "text/plain");
    assert_eq!(request.body("12345").send().await?.status(), 415);
    let request =
        tus.request(Method::POST, &upload).header("X-HTTP-Method-Override", "PATCH").header("Upload-Offset", 0);
    let request = request.header("Content-Type", "application/offset+octet-stream").body("12345");
    assert_eq!(Answer::read(request.send().await?).await?.offset(), Some(5));
    let request = tus.request(Method::POST, &upload).header("X-HTTP-Method-Override", "DELETE");
    assert_eq!(request.send().await?.status(), 204);
    assert_eq!(tus.head(&upload).await?.status, 410);
    Ok(())
}

#[tokio::test]
async fn a_byte_too_many_commits_nothing() -> anyhow::Result<()> {
    let site = intake().await?;
    let (unsigned, signed) = (plain(&site)?, Tus::of(&site, "E")?);
    for size in [5 * MIB, 8 * MIB, 17 * MIB] {
        let bytes = noise(size, 9);
        let name = format!("TOO_LONG_{size}");
        let plain_upload = create(&unsigned, size, &said(&format!("{name}_P"), &[])).await?.location()?;
        for (tus, upload) in [(&unsigned, plain_upload), (&signed, signed.begin(&name, &bytes).await?)] {
            let too_long = [&bytes[..], b"x"].concat();
            let before = stored(&site, "footage/").await?;
            let refused = tus.patch(&upload, 0, too_long.clone()).await?;
            assert_eq!((refused.status, refused.problem()), (413, "too-long"), "{refused:?}");
            assert_eq!(tus.head(&upload).await?.offset(), Some(0), "refused by its length, nothing of it kept");
            // Without a length the last byte tells.
            let frames: Vec<Result<Vec<u8>, std::io::Error>> =
                too_long.chunks(100_000).map(|c| Ok(c.to_vec())).collect();
            let request = tus.request(Method::PATCH, &upload).header("Upload-Offset", 0);
            let request = request.header("Content-Type", "application/offset+octet-stream");
            let refused =
                Answer::read(request.body(reqwest::Body::wrap_stream(stream::iter(frames))).send().await?).await?;
            assert_eq!((refused.status, refused.problem()), (413, "too-long"), "{refused:?}");
            let offset = tus.head(&upload).await?.offset().context("offset")?;
            assert!(offset < size as u64, "{offset}");
            // The reconciler finishes whatever has all its bytes.
            two_rounds(&site, "ingest.reconcile").await?;
            assert_eq!(stored(&site, "footage/").await?, before);
            let at = usize::try_from(offset)?;
            let right = tus.patch(&upload, offset, bytes[at..].to_vec()).await?;
            assert_eq!(right.status, 204, "{right:?}");
            assert_eq!(receipted(&site, tus, &upload).await?.0.root, Root::of(&bytes));
        }
    }
    Ok(())
}
