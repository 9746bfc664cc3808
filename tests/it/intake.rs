//! Ingest by hand: what goes well, and what bad input comes to.

use custos_local::{Part, StackConfig};
use custos_tests::{recorder::noise, site::Site, tus::Tus};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn bytes_sent_in_pieces_end_in_one_receipt() -> anyhow::Result<()> {
    let site = Site::with(StackConfig::test().with_services(&[Part::Ingest, Part::Hashing, Part::Transcode])).await?;
    let tus = Tus::of(&site, "E")?;
    for (name, len) in [("SMALL_1", 1000), ("ONE_PART_1", 8 * MIB), ("THREE_PARTS_1", 19 * MIB + 7)] {
        let bytes = noise(len, 7);
        let upload = tus.begin(name, &bytes).await?;
        let mut offset = 0;
        while offset < len {
            let end = (offset + 5 * MIB + 333).min(len);
            let answer = tus.patch(&upload, offset as u64, bytes[offset..end].to_vec()).await?;
            assert_eq!((answer.status, answer.offset()), (204, Some(end as u64)), "{answer:?}");
            assert_eq!(tus.head(&upload).await?.offset(), Some(end as u64));
            offset = end;
        }
        let receipt = tus.get(&upload, "receipt").await?;
        assert_eq!(receipt.status, 200, "{receipt:?}");
    }
    Ok(())
}
