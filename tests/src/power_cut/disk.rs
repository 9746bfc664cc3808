//! A disk whose power can be cut: an ext4 image on a loop device.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::process::Command;

/// Bytes of the image; it is sparse.
const SIZE: u64 = 4 << 30;
/// Shuts a file system down, and what it has not written is gone: `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`
/// (ext4(5), `fs/ext4/ext4.h`).
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";
/// How often a disk that is still busy is unmounted again.
const TRIES: usize = 50;

/// A mounted image; unmounted when it is dropped.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    mount: PathBuf,
    options: &'static str,
}

impl Disk {
    /// Makes an empty disk beside the folder `mount`, and mounts it there.
    pub async fn make(mount: &Path, options: &'static str) -> anyhow::Result<Self> {
        let image = mount.with_extension("ext4");
        fs::create_dir_all(mount).with_context(|| format!("creating {}", mount.display()))?;
        File::create(&image)?.set_len(SIZE).with_context(|| format!("making {}", image.display()))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image)).await?;
        let disk = Self { image, mount: mount.to_owned(), options };
        disk.attach().await?;
        // MinIO wants an empty drive.
        fs::remove_dir(mount.join("lost+found")).context("removing lost+found")?;
        disk.flush().await?;
        Ok(disk)
    }

    /// Makes everything durable that was written so far, as time does.
    pub async fn flush(&self) -> anyhow::Result<()> {
        run(Command::new("sync").arg("--file-system").arg(&self.mount)).await
    }

    /// Cuts the power: from now on nothing is written, and nothing that was not durable comes back.
    pub async fn cut(&self) -> anyhow::Result<()> {
        run(Command::new("python3").args(["-c", SHUTDOWN]).arg(&self.mount)).await
    }

    /// Gives the power back, once nobody uses the disk any more: the journal is replayed.
    pub async fn restore(&self) -> anyhow::Result<()> {
        for _ in 0..TRIES {
            if run(Command::new("umount").arg(&self.mount)).await.is_ok() {
                return self.attach().await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{} is still in use", self.mount.display())
    }

    async fn attach(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-t", "ext4", "-o", self.options]).arg(&self.image).arg(&self.mount)).await
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open lets go of it when the stack is dropped; the loop device goes with the last of them.
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.mount).stderr(Stdio::null()).status();
        let _ = fs::remove_file(&self.image);
    }
}

async fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().await.with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
