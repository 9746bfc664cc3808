use std::time::Instant;
use custos_local::{Part, Stack, StackConfig};

#[tokio::test]
async fn one() {
    let s = Instant::now();
    let stack = Stack::start(StackConfig::test().with_services(&[])).await.expect("start");
    eprintln!("started {:?} {:?}", s.elapsed(), stack.folders().root());
    for part in Part::SERVERS {
        let s = Instant::now(); stack.kill9(part).expect("kill"); eprintln!("kill9 {part} {:?}", s.elapsed());
        assert!(!stack.is_running(part).unwrap());
        let s = Instant::now(); stack.start_part(part).await.expect("start"); eprintln!("start {part} {:?}", s.elapsed());
        let s = Instant::now(); assert!(stack.stop_part(part).await.expect("stop")); eprintln!("stop {part} {:?}", s.elapsed());
        stack.start_part(part).await.expect("start");
        assert!(stack.is_running(part).unwrap());
    }
    let s = Instant::now(); stack.wipe_bus().await.expect("wipe"); eprintln!("wipe {:?}", s.elapsed());
    let s = Instant::now(); stack.reset_schema(Part::Records).await.expect("reset"); eprintln!("reset {:?}", s.elapsed());
    let root = stack.folders().root().to_owned();
    let s = Instant::now(); drop(stack); eprintln!("drop {:?}", s.elapsed());
    assert!(!root.exists());
}
#[tokio::test]
async fn two() {
    let a = Stack::start(StackConfig::test().with_services(&[])).await.expect("start");
    assert!(a.is_running(Part::Minio).unwrap());
}
#[tokio::test]
#[ignore]
async fn hang() {
    let a = Stack::start(StackConfig::test().with_services(&[])).await.expect("start");
    eprintln!("hanging {:?}", a.folders().root());
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
}
#[tokio::test]
#[ignore]
async fn fails() {
    let a = Stack::start(StackConfig::test().with_services(&[Part::Ingest])).await;
    eprintln!("{:#}", a.err().unwrap());
    let _a = Stack::start(StackConfig::test().with_services(&[])).await.expect("start");
    panic!("on purpose");
}
#[tokio::test]
#[ignore]
async fn pipeline() {
    use custos_local::{sample, seeds};
    use std::process::Command;
    let s = Instant::now();
    let stack = Stack::start(StackConfig::test().with_services(&[Part::Ingest, Part::Hashing, Part::Transcode])).await.expect("start");
    eprintln!("started {:?} {:?}", s.elapsed(), stack.folders().root());
    let station = seeds::station("E").unwrap();
    let rec = sample::recorder(&StackConfig::test().samples, "E", "2026-11-23T10:00:00Z".parse().unwrap()).await.unwrap();
    let s = Instant::now();
    match stack.push(&station, &rec).await { Ok(f) => for f in f { eprintln!("{f:?}"); }, Err(e) => eprintln!("PUSH: {e:#}") }
    eprintln!("pushed {:?}", s.elapsed());
    for _ in 0..3 {
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let (k, sec) = stack.s3_credential(custos_local::Owner::Admin).unwrap();
    for b in ["custos-originals", "custos-log", "custos-derived", "custos-intake"] {
        let o = Command::new("aws").args(["s3", "ls", "--recursive", "--endpoint-url", &stack.s3_endpoint(), &format!("s3://{b}/")]).env("AWS_ACCESS_KEY_ID", &k).env("AWS_SECRET_ACCESS_KEY", &sec).env("AWS_REGION", "us-east-1").output().unwrap();
        eprintln!("== {b}\n{}", String::from_utf8_lossy(&o.stdout));
    }}
    for p in [Part::Ingest, Part::Hashing, Part::Transcode] { eprintln!("== {p}\n{}", std::fs::read_to_string(stack.folders().log(p)).unwrap().lines().take(40).collect::<Vec<_>>().join("\n")); }
}
