//! The one stack on which all hazards are played, one after the other, and what they ask of it.

use std::{
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};
use custos_domain::{digest::Root, dsse::Envelope, keys, manifest::Manifest, receipt::Receipt};
use custos_local::{Part, StackConfig};
use custos_platform::vault::{Vault, multipart::Multipart};
use custos_tests::{
    eventually,
    proxy::Proxy,
    site::Site,
    store::{manifest, walk},
    tus::{Answer, Tus},
};
use serde_json::Value;
use tokio::runtime::Runtime;

pub(super) const MIB: usize = 1 << 20;
/// Bytes of a part.
pub(super) const PART: usize = 8 * MIB;
/// Longest wait for what must happen.
pub(super) const LIMIT: Duration = Duration::from_mins(2);

/// What runs: ingest with a proxy between it and the store, and hashing.
pub(super) struct Stage {
    pub(super) site: Site,
    /// Between ingest, all replicas of it, and the store.
    pub(super) store: Proxy,
    _janitor: ChildStdin,
}

/// A session as the intake bucket has it.
pub(super) struct Session {
    pub(super) key: String,
    pub(super) document: Value,
}

/// It outlives each test, and with it the proxy's tasks and everybody's connections.
static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(Runtime::new);
static STAGE: Mutex<Option<Arc<Stage>>> = Mutex::new(None);

/// Plays one hazard on the stage; starting a stack for each would take longer than the hazards. What an earlier one broke is mended
/// first.
pub(super) fn play(hazard: impl AsyncFnOnce(&Stage) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    RUNTIME.as_ref().context("starting a runtime")?.block_on(async {
        let stage = match &*stage {
            Some(stage) => Arc::clone(stage),
            None => Arc::clone(stage.insert(Arc::new(Stage::start().await?))),
        };
        stage.recover().await?;
        let played = hazard(&stage).await;
        played.with_context(|| format!("the stack's logs: {}", stage.site.stack.folders().root().display()))
    })
}

impl Stage {
    async fn start() -> anyhow::Result<Self> {
        let site = Site::with(StackConfig::test().with_services(&[Part::Hashing])).await?;
        let store = site.route(Part::Ingest, Part::Minio).await?;
        let janitor = janitor(&site)?;
        Ok(Self { site, store, _janitor: janitor })
    }

    /// No fault any more, and everything runs.
    async fn recover(&self) -> anyhow::Result<()> {
        self.store.clear();
        self.store.forget();
        for part in [Part::Minio, Part::Hashing, Part::Ingest] {
            self.site.stack.start_part(part).await?;
        }
        Ok(())
    }

    /// Kills ingest without warning, and starts it where nothing goes wrong any more.
    pub(super) async fn kill_ingest(&self) -> anyhow::Result<()> {
        self.site.stack.kill9(Part::Ingest)?;
        self.store.clear();
        self.site.stack.start_part(Part::Ingest).await
    }

    /// A station by hand.
    pub(super) fn tus(&self) -> anyhow::Result<Tus> {
        Tus::of(&self.site, "E")
    }

    /// Waits for the receipt of an upload; what it speaks of is in the store once, locked, and equal to `bytes`.
    pub(super) async fn deposited(&self, tus: &Tus, upload: &str, bytes: &[u8]) -> anyhow::Result<Manifest> {
        let answer = eventually("the receipt", LIMIT, || async {
            let answer = tus.get(upload, "receipt").await?;
            ensure!(answer.status == 200, "{answer:?}");
            Ok(answer)
        });
        let envelope: Envelope = serde_json::from_value(answer.await?.body)?;
        let trust: Value = serde_json::from_slice(&std::fs::read(self.site.stack.trust_file())?)?;
        let receipt: Receipt = envelope.open(&serde_json::from_value::<Vec<_>>(trust["receipt"].clone())?)?;
        self.stored(&receipt.code.to_string(), bytes).await
    }

    /// The item is in the store once, locked, and equal to `bytes`.
    pub(super) async fn stored(&self, code: &str, bytes: &[u8]) -> anyhow::Result<Manifest> {
        let vault = self.site.vault()?;
        let (manifest, object) = manifest(&vault, code).await?;
        ensure!((manifest.length, manifest.root) == (bytes.len() as u64, Root::of(bytes)), "{manifest:?}");
        for object in [&manifest.original, &object] {
            let found = vault.every_version(&object.bucket, &object.key).await?;
            ensure!(found.versions == [object.clone()] && found.delete_markers == 0, "{found:?}");
            let lock = vault.lock_of(object).await?;
            ensure!(lock >= Some(manifest.locked_until), "{} is locked until {lock:?}", object.key);
        }
        let stored = vault.read_range(&manifest.original, 0, manifest.length).await?;
        ensure!(stored == bytes, "the stored bytes are others");
        Ok(manifest)
    }

    /// Versions under a prefix of the originals bucket.
    pub(super) async fn versions(&self, prefix: &str) -> anyhow::Result<usize> {
        let vault = self.site.vault()?;
        Ok(walk(&vault, &vault.buckets().originals, prefix).await?.len())
    }

    /// The session of an upload.
    pub(super) async fn session(&self, upload: &str) -> anyhow::Result<Session> {
        let (vault, id) = (self.site.vault()?, upload.rsplit('/').next().unwrap_or_default());
        let intake = &vault.buckets().intake;
        let mut after = None;
        loop {
            let (found, next) = vault.keys(intake, keys::SESSIONS, after).await?;
            if let Some(key) = found.into_iter().find(|key| key.contains(id)) {
                let document = vault.read_latest(intake, &key).await?.context("the session is gone")?;
                return Ok(Session { key, document: serde_json::from_slice(&document.bytes)? });
            }
            ensure!(next.is_some(), "no session of {upload}");
            after = next;
        }
    }

    /// The numbers of the parts of one upload that were sent since the proxy forgot, in order.
    pub(super) fn parts_sent(&self, session: &Session) -> Vec<u32> {
        let of = format!("{}?part=", session.text("original"));
        let sent = self.store.log().into_iter().filter(|seen| seen.operation == "UploadPart");
        sent.filter_map(|seen| seen.key.split_once(&of)?.1.parse().ok()).collect()
    }

    /// Whether anybody asked the store to make an original of its parts, or of one.
    pub(super) fn completed(&self, session: &Session) -> bool {
        let original = session.text("original");
        self.store.log().iter().any(|seen| seen.operation == "CompleteMultipartUpload" && seen.key.contains(original))
    }
}

impl Session {
    pub(super) fn text(&self, field: &str) -> &str {
        self.document[field].as_str().unwrap_or_default()
    }

    /// Where its parts are.
    pub(super) fn multipart<'a>(&'a self, vault: &'a Vault) -> Multipart<'a> {
        let (key, upload_id) = (self.text("original"), self.text("multipart"));
        Multipart { bucket: &vault.buckets().originals, key, upload_id }
    }

    /// Numbers of the parts that the store holds.
    pub(super) async fn listed(&self, vault: &Vault) -> anyhow::Result<Vec<i32>> {
        Ok(vault.parts(self.multipart(vault)).await?.iter().map(|part| part.number).collect())
    }
}

/// The upload was lost and says so to everybody; the same declaration begins another, which ends well.
pub(super) async fn lost_and_begun_anew(
    stage: &Stage,
    tus: &Tus,
    (recording, upload): (&str, &str),
    bytes: &[u8],
) -> anyhow::Result<()> {
    for answer in [
        tus.head(upload).await?,
        tus.get(upload, "receipt").await?,
        tus.patch(upload, bytes.len() as u64, Vec::new()).await?,
    ] {
        ensure!(answer.status == 410, "a lost upload is not told as lost: {answer:?}");
    }
    let anew = tus.begin(recording, bytes).await?;
    ensure!(anew != upload, "a lost upload gets a new id");
    let whole = tus.patch(&anew, 0, bytes.to_vec()).await?;
    ensure!(whole.status == 204, "{whole:?}");
    stage.deposited(tus, &anew, bytes).await.map(drop)
}

/// PATCH as a task of its own, while the test does something else.
pub(super) fn patching(
    tus: Tus,
    upload: &str,
    offset: usize,
    bytes: &[u8],
) -> tokio::task::JoinHandle<anyhow::Result<Answer>> {
    let (upload, bytes) = (upload.to_owned(), bytes.to_vec());
    tokio::spawn(async move { tus.patch(&upload, offset as u64, bytes).await })
}

/// Nothing drops what is static: when this process ends, a shell that waits for that removes what the servers stored. The logs stay
/// for an hour, as those of a failed test.
fn janitor(site: &Site) -> anyhow::Result<ChildStdin> {
    let data = site.stack.folders().root().join("data");
    let script = "cat >/dev/null; sleep 2; rm -rf \"$0\"";
    let mut shell = Command::new("setsid");
    shell.args(["sh", "-c", script]).arg(data).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().context("starting sh")?.stdin.take().context("no pipe")
}
