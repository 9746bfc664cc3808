//! temporary
#![allow(warnings, clippy::all)]
use std::sync::Arc;
use bytes::Bytes;
use clap::Parser;
use custos_domain::{*, fact::*, ids::*, item::*, manifest::*, declaration::*, digest::*, seal::*, hold::*, policy::*};
use custos_platform::{bus::*, clock::Clock, facts::*, lifecycle::Lifecycle, signer::*, vault::*};
use jiff::{Timestamp, ToSpan};
#[derive(clap::Parser)]
struct Args { #[command(flatten)] store: StoreArgs, #[command(flatten)] bus: BusArgs, #[command(flatten)] facts: FactArgs, #[command(flatten)] sign: SigningArgs,
  what: String, #[arg(default_value_t=0)] from: usize, #[arg(default_value_t=0)] n: usize, #[arg(long)] announce: bool, #[arg(long, default_value="E")] tenant: String, #[arg(long, default_value="NANJING/XUANWU")] unit: String }
fn id<T: std::str::FromStr>(t: &str) -> T where T::Err: std::fmt::Debug { t.parse().unwrap() }
#[tokio::main]
async fn main() {
    let _ = rustls_install();
    tracing_subscriber_init();
    let a = Args::parse();
    let vault = Vault::new(&a.store).unwrap();
    let bus = Bus::connect(&a.bus, "custos-provisioner").await.unwrap();
    if a.what == "provision" { bus.provision(1).await.unwrap(); return; }
    let life = Lifecycle::new();
    let log = FactLog::new(&a.facts, vault.clone(), bus.clone(), Clock::system(), life.clone());
    let signer = Signer::load(&a.sign).unwrap();
    let now = Timestamp::now();
    let t0 = std::time::Instant::now();
    for i in a.from..a.from + a.n {
        let root = Root::of(format!("item {i}").as_bytes());
        let key = ItemKey { tenant: id(&a.tenant), device: id(&format!("DSJ{:05}", i % 7)), recording: id(&format!("20261123{i:06}")), segment: Segment(0), variant: None };
        let code = UnifiedCode::of(key.clone());
        let started = jiff::civil::date(2026, 11, 23).at(9, 0, 0, 0);
        let obj = |k: &str| StoredObject { bucket: "custos-originals".into(), key: k.into(), version: "v".into() };
        let d = Declaration { tenant: key.tenant.clone(), unit: id(&a.unit), station: id("S01"), docking: id("018f-d"), kind: ItemKind::Video, device: key.device.clone(), officer: Some(id("P000345")), recording: key.recording.clone(), segment: Segment(0), file_name: format!("V/{i}.MP4"), naming_rule: (i % 3 != 0).then(|| "r".into()), key_file: i % 5 == 0, length: 10, root, crc: Crc64(1), started_at_device: Some(started), clock: Some(ClockOffset{offset_ms: 1000, uncertainty_ms: 1}), declared_at: now };
        let until = now + jiff::SignedDuration::from_hours(24*30);
        let ingested = now - jiff::SignedDuration::from_secs(600) + jiff::SignedDuration::from_millis(i as i64);
        let m = Manifest { code: code.clone(), kind: ItemKind::Video, unit: id(&a.unit), station: id("S01"), officer: Some(id("P000345")), original: obj(&format!("footage/{i}")), length: 10, root, crc: Crc64(1), outboard: obj(&format!("outboards/{i}")), declaration: signer.sign(&d).unwrap(), station_certificate: "".into(), ingested_at: ingested, locked_until: until, upload: id("018f-b"), trace: None };
        let mb = Bytes::from(serde_json::to_vec_pretty(&m).unwrap());
        let created = vault.create_locked("custos-originals", &keys::manifest(&key), mb.clone(), "application/json", until).await.unwrap();
        let m: Manifest = match &created { documents::Created::Now(_) => m, documents::Created::Before(d) => serde_json::from_slice(&d.bytes).unwrap() };
        let ingested = m.ingested_at;
        let mo = created.object().clone();
        let subject = Subject::item(&code, ingested);
        let fact = |act: Act, disc: &str, at: Timestamp, actor: Actor| Fact { id: fact_id(act.name(), &subject, disc), at, tenant: key.tenant.clone(), unit: Some(id(&a.unit)), actor, cause: None, subject: subject.clone(), act, trace: None };
        let svc = |n: &str| Actor::Service { name: n.into(), version: "0.1.0".into() };
        let mut facts = vec![fact(Act::Deposited { item_kind: ItemKind::Video, manifest: mo.clone() }, "", ingested, svc("ingest"))];
        if a.what != "deposit" {
            let s = Seal { code: code.clone(), original: m.original.clone(), manifest: mo.clone(), manifest_root: root, length: 10, root, sha256: Sha256([3; 32]), sm3: Sm3([4; 32]), crc: Crc64(1), sealed_at: ingested };
            let env = signer.sign(&s).unwrap();
            let so = vault.create_locked("custos-originals", &keys::seal(&key), Bytes::from(serde_json::to_vec_pretty(&env).unwrap()), "application/json", until).await.unwrap().object().clone();
            facts.push(fact(Act::Sealed { seal: so }, "hashing", ingested + 1.seconds(), svc("hashing")));
            facts.push(fact(Act::Derived { outcome: "playable".into(), detail: None, derivation: obj("x"), duration_ms: Some(5000) }, "1", ingested + 2.seconds(), svc("transcode")));
            let ob = Obligation::dated(ingested, calendar::Period::parse("P3M").unwrap(), Cite::parse("E-13.1").unwrap(), "保存期限不少於3個月".into(), Origin::Text);
            facts.push(fact(Act::LockExtended { until: ob.lock_until().unwrap(), obligation: ob, policy_version: 1, objects: vec![] }, "1", ingested + 3.seconds(), svc("retention")));
            facts.push(fact(Act::PermitIssued { permit: obj("p") }, "", ingested + 4.seconds(), svc("ingest")));
            if i % 10 == 0 {
                let h: HoldId = id("018f-1");
                facts.push(fact(Act::HoldPlaced { hold: h.clone(), reason: HoldReason { cite: Cite::parse("E-14.1").unwrap(), text: "有異議".into() }, permanence: Permanence::Open }, "h", ingested + 5.seconds(), Actor::Person { person: id("e-legal"), unit: id("NANJING") }));
                facts.push(fact(Act::HoldApplied { on: true, settled: true, objects: vec![] }, "a", ingested + 6.seconds(), svc("legal-hold")));
                facts.push(fact(Act::IncidentOpened { class: IncidentClass::LockDrift, detail: "drift".into() }, "i", ingested + 7.seconds(), svc("retention")));
            }
        }
        for f in facts { if a.announce { log.state_and_announce(&f).await.unwrap(); } else { log.state(&f).await.unwrap(); } }
    }
    println!("{} items in {:?}", a.n, t0.elapsed());
}
fn rustls_install() {}
fn tracing_subscriber_init() {}
