//! The original into a scratch file, every MiB checked against the outboard: what FFmpeg sees is what was deposited.

use std::path::Path;

use custos_domain::{
    manifest::Manifest,
    outboard::{GROUP, Outboard, OutboardError, PART},
};
use custos_platform::vault::{StoreError, Vault};
use tokio::{fs::File, io::AsyncWriteExt};

/// Why an original could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The scratch folder.
    #[error("cannot write the scratch file: {0}")]
    Scratch(#[from] std::io::Error),
    /// The stored outboard is no outboard.
    #[error("the stored outboard is unreadable: {0}")]
    Outboard(#[from] OutboardError),
    /// A MiB of the original does not fit the outboard.
    #[error("MiB {mib} of the stored original does not match its outboard")]
    Damaged {
        /// Which, counted from zero.
        mib: usize,
    },
}

/// Fetches the original of `manifest` into `path`. `progress` is called after each 8 MiB.
pub async fn fetch(
    vault: &Vault,
    manifest: &Manifest,
    path: &Path,
    progress: &(impl Fn() + Sync),
) -> Result<(), FetchError> {
    let outboard = Outboard::decode(&vault.read_document(&manifest.outboard).await?.bytes)?;
    let mut file = File::create(path).await?;
    let mut mib = 0;
    for part in 0..outboard.parts() {
        let bytes = vault.read_range(&manifest.original, part as u64 * PART, outboard.part_len(part)).await?;
        for group in bytes.chunks(usize::try_from(GROUP).unwrap_or(usize::MAX)) {
            if !outboard.group_matches(mib, group) {
                return Err(FetchError::Damaged { mib });
            }
            mib += 1;
        }
        file.write_all(&bytes).await?;
        progress();
    }
    file.flush().await?;
    Ok(())
}
