//! Real TLS on loopback: who gets in, who is thrown out, and how a server stops.

use std::{future::pending, io, time::Instant};

use axum::routing::get;
use custos_domain::station::ShutOut;
use opentelemetry_sdk::Resource;
use tempfile::TempDir;

use super::*;
use crate::{
    clock::Clock,
    http::{
        dress,
        identity::StationIdentity,
        test_pki::{Client, Leaf, Pki, context},
        tls::Revocations,
    },
    lifecycle::{Drained, Lifecycle},
    telemetry::Metrics,
};

const STATION: &str = "custos://station/E/NJ/XW/S7";
const LIMIT: Duration = Duration::from_secs(15);
const LONG: Duration = Duration::from_hours(1);

/// A server that asks for client certificates, and all that belongs to it.
struct Bench {
    pki: Pki,
    files: TempDir,
    address: SocketAddr,
    lifecycle: Lifecycle,
    metrics: Metrics,
}

impl Bench {
    async fn new(clock: Clock) -> Self {
        Self::with(clock, Clients::default()).await
    }

    async fn with(clock: Clock, clients: Clients) -> Self {
        let (pki, files) = (Pki::new(), tempfile::tempdir().expect("dir"));
        write(&files, "ca.pem", &pki.ca.pem());
        write(&files, "crl.pem", &pki.crl(&[]));
        write_pair(&files, &pki.server());
        let metrics = Metrics::new(Resource::builder().build()).expect("metrics");
        let context = context(clock, &metrics);
        let lifecycle = context.lifecycle.clone();
        let server = Server::bind_for(&args(&files), clients, &context).await.expect("server");
        let address = server.address().expect("address");
        server.start(dress(routes(), &metrics.meter()));
        Self { pki, files, address, lifecycle, metrics }
    }

    async fn connect(&self, leaf: &Leaf) -> Client {
        self.pki.connect(self.address, Some(leaf)).await.expect("connected")
    }

    /// Tries to get an answer without being entitled to one.
    async fn intrude(&self, leaf: Option<&Leaf>) -> io::Result<(u16, String)> {
        self.pki.connect(self.address, leaf).await?.get("/who").await
    }

    /// Waits until the metrics show `line`.
    async fn measured(&self, line: &str) {
        let begin = Instant::now();
        while !self.metrics.render().expect("metrics").lines().any(|found| found == line) {
            assert!(begin.elapsed() < LIMIT, "no {line} in {}", self.metrics.render().expect("metrics"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn refused_as(&self, reason: &str) {
        self.measured(&format!("custos_tls_handshakes_total{{outcome=\"{reason}\"}} 1")).await;
    }
}

#[tokio::test]
async fn a_station_is_known_by_its_certificate() {
    let bench = Bench::new(Clock::system()).await;
    let mut client = bench.connect(&bench.pki.station(&[STATION])).await;
    assert_eq!(client.get("/who").await.expect("answer"), (200, STATION.to_owned()));
    assert_eq!(client.get("/who").await.expect("kept alive").0, 200);
}

#[tokio::test]
async fn a_certificate_that_names_no_station_gets_a_problem_that_says_so() {
    let bench = Bench::new(Clock::system()).await;
    let mut client = bench.connect(&bench.pki.station(&["custos://station/E/S7"])).await;
    let (status, body) = client.get("/who").await.expect("answer");
    assert_eq!(status, 403);
    assert!(body.contains("urn:custos:problem:not-a-station") && body.contains("<unit path>"), "{body}");
}

#[tokio::test]
async fn strangers_get_no_answer_and_are_counted() {
    let bench = Bench::new(Clock::system()).await;
    assert!(bench.intrude(None).await.is_err());
    bench.refused_as("no_certificate").await;
    assert!(bench.intrude(Some(&Pki::new().station(&[STATION]))).await.is_err());
    bench.refused_as("unknown_authority").await;
    assert!(bench.intrude(Some(&bench.pki.station_until(&[STATION], 2021))).await.is_err());
    bench.refused_as("expired").await;
    assert!(bench.intrude(Some(&bench.pki.server())).await.is_err(), "a server's certificate is no station's");
    bench.refused_as("bad_certificate").await;
}

#[tokio::test]
async fn a_revocation_cuts_idle_and_busy_connections_and_refuses_new_ones() {
    let bench = Bench::new(Clock::system()).await;
    let (revoked, other) = (bench.pki.station(&[STATION]), bench.pki.station(&["custos://station/E/NJ/S8"]));
    let (mut idle, mut busy) = (bench.connect(&revoked).await, bench.connect(&revoked).await);
    let mut innocent = bench.connect(&other).await;
    for client in [&mut idle, &mut busy, &mut innocent] {
        assert_eq!(client.get("/who").await.expect("answer").0, 200);
    }
    busy.send("/endless").await.expect("sent");

    write(&bench.files, "crl.pem", &bench.pki.crl(&[&revoked]));
    let cut = async { (busy.receive().await, idle.receive().await) };
    let (busy, idle) = tokio::time::timeout(LIMIT, cut).await.expect("cut in time");
    assert!(busy.is_err() && idle.is_err(), "{busy:?} {idle:?}");
    bench.measured("custos_tls_cut_connections_total{reason=\"revoked\"} 2").await;
    assert!(bench.intrude(Some(&revoked)).await.is_err());
    bench.refused_as("revoked").await;
    assert_eq!(innocent.get("/who").await.expect("others go on").0, 200);
}

#[tokio::test]
async fn a_list_from_elsewhere_acts_at_once_and_before_the_files() {
    let (lists, revocations) = tokio::sync::watch::channel(Revocations::default());
    let clients = Clients { revocations: Some(revocations), ..Clients::default() };
    let bench = Bench::with(Clock::system(), clients).await;
    let (revoked, other) = (bench.pki.station(&[STATION]), bench.pki.station(&["custos://station/E/NJ/S8"]));
    let (mut busy, mut innocent) = (bench.connect(&revoked).await, bench.connect(&other).await);
    assert_eq!(innocent.get("/who").await.expect("answer").0, 200);
    busy.send("/endless").await.expect("sent");
    bench.measured("http_server_active_requests 1").await;

    let list = |pem: String| Revocations { lists: Some(pem), ..Revocations::default() };
    lists.send_replace(list(bench.pki.crl(&[&revoked])));
    let cut = tokio::time::timeout(LIMIT, busy.receive()).await.expect("cut in time");
    assert!(cut.is_err(), "{cut:?}");
    assert!(bench.intrude(Some(&revoked)).await.is_err());
    bench.refused_as("revoked").await;
    assert_eq!(innocent.get("/who").await.expect("others go on").0, 200);

    lists.send_replace(list("nothing of use".to_owned()));
    bench.measured("custos_tls_reloads_total{outcome=\"refused\"} 1").await;
    assert!(bench.intrude(Some(&revoked)).await.is_err(), "a list that cannot be read does not undo a revocation");
}

#[tokio::test]
async fn a_station_that_is_shut_out_is_refused_with_every_certificate_from_before() {
    let (send, revocations) = tokio::sync::watch::channel(Revocations::default());
    let clients = Clients { revocations: Some(revocations), ..Clients::default() };
    let bench = Bench::with(Clock::system(), clients).await;
    let (station, other) = (bench.pki.station(&[STATION]), bench.pki.station(&["custos://station/D/NJ/XW/S7"]));
    let (mut busy, mut innocent) = (bench.connect(&station).await, bench.connect(&other).await);
    assert_eq!(innocent.get("/who").await.expect("answer").0, 200);
    busy.send("/endless").await.expect("sent");
    bench.measured("http_server_active_requests 1").await;

    // The certificates of these tests begin in 1975.
    let shut_out = |before: &str| {
        let (named, before) = (StationIdentity::parse(STATION).expect("station"), before.parse().expect("time"));
        let shut_out = vec![ShutOut { tenant: named.tenant, station: named.station, before }];
        Revocations { shut_out, ..Revocations::default() }
    };
    send.send_replace(shut_out("2026-01-01T00:00:00Z"));
    let cut = tokio::time::timeout(LIMIT, busy.receive()).await.expect("cut in time");
    assert!(cut.is_err(), "{cut:?}");
    assert!(bench.intrude(Some(&station)).await.is_err());
    bench.refused_as("revoked").await;
    assert_eq!(innocent.get("/who").await.expect("another agency's of the same name goes on").0, 200);

    send.send_replace(shut_out("1970-01-01T00:00:00Z"));
    bench.measured("custos_tls_reloads_total{outcome=\"taken\"} 2").await;
    assert_eq!(bench.intrude(Some(&station)).await.expect("one from afterwards is let in").0, 200);
}

#[tokio::test]
async fn where_certificates_are_optional_a_bad_one_is_refused_all_the_same() {
    let bench = Bench::with(Clock::system(), Clients { optional: true, ..Clients::default() }).await;
    let (status, body) = bench.intrude(None).await.expect("served");
    assert_eq!(status, 403);
    assert!(body.contains("certificate-needed"), "{body}");
    let mut known = bench.connect(&bench.pki.station(&[STATION])).await;
    assert_eq!(known.get("/who").await.expect("answer"), (200, STATION.to_owned()));
    assert!(bench.intrude(Some(&Pki::new().station(&[STATION]))).await.is_err());
    bench.refused_as("unknown_authority").await;
}

#[tokio::test]
async fn a_certificate_that_runs_out_ends_its_connection() {
    let clock = Clock::manual(Clock::system().now());
    let bench = Bench::new(clock.clone()).await;
    let mut client = bench.connect(&bench.pki.station_until(&[STATION], 2090)).await;
    assert_eq!(client.get("/who").await.expect("answer").0, 200);
    clock.advance(Duration::from_hours(90 * 366 * 24));
    let ended = tokio::time::timeout(LIMIT, client.receive()).await.expect("ended in time");
    assert!(ended.is_err());
    bench.measured("custos_tls_cut_connections_total{reason=\"expired\"} 1").await;
}

#[tokio::test]
async fn a_new_certificate_is_served_without_a_restart_and_a_broken_one_is_not() {
    let bench = Bench::new(Clock::system()).await;
    let station = bench.pki.station(&[STATION]);
    let mut before = bench.connect(&station).await;
    let renewed = bench.pki.server();
    write_pair(&bench.files, &renewed);
    bench.measured("custos_tls_reloads_total{outcome=\"taken\"} 1").await;
    let after = bench.connect(&station).await;
    assert_eq!(after.server_serial(), renewed.serial.to_bytes());
    assert_ne!(before.server_serial(), renewed.serial.to_bytes());
    assert_eq!(before.get("/who").await.expect("old connections go on").0, 200);

    write(&bench.files, "cert.pem", "not a certificate");
    let refused = async {
        while !bench.metrics.render().expect("metrics").contains("custos_tls_reloads_total{outcome=\"refused\"} 1") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, refused).await.expect("noticed");
    assert_eq!(bench.connect(&station).await.server_serial(), renewed.serial.to_bytes());
}

#[tokio::test]
async fn a_drain_finishes_running_requests_and_takes_no_new_ones() {
    let bench = Bench::new(Clock::system()).await;
    let station = bench.pki.station(&[STATION]);
    let (mut busy, mut idle) = (bench.connect(&station).await, bench.connect(&station).await);
    assert_eq!(idle.get("/who").await.expect("answer").0, 200);
    busy.send("/slow").await.expect("sent");
    bench.measured("http_server_active_requests 1").await;

    let drain = async { tokio::join!(bench.lifecycle.drain(LONG, pending()), busy.receive(), idle.receive()) };
    let (drained, busy, idle) = tokio::time::timeout(LIMIT, drain).await.expect("drained in time");
    assert_eq!(drained, Drained::Softly);
    assert_eq!(busy.expect("finished").0, 200);
    assert!(idle.is_err(), "idle connections are closed");
    assert!(bench.pki.connect(bench.address, Some(&station)).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn the_hard_stop_drops_running_requests() {
    let bench = Bench::new(Clock::system()).await;
    let mut client = bench.connect(&bench.pki.station(&[STATION])).await;
    client.send("/endless").await.expect("sent");
    bench.measured("http_server_active_requests 1").await;
    let drain = bench.lifecycle.drain(Duration::from_millis(100), pending());
    let (drained, answer) = tokio::join!(drain, client.receive());
    assert_eq!(drained, Drained::Hard);
    assert!(answer.is_err());
    bench.measured("http_server_active_requests 0").await;
}

#[tokio::test]
async fn files_that_cannot_work_are_refused_at_the_start_by_option() {
    let (pki, files) = (Pki::new(), tempfile::tempdir().expect("dir"));
    let complaint = |args: &TlsArgs| {
        let metrics = Metrics::new(Resource::builder().build()).expect("metrics");
        Reloader::load(args, Clients::default(), Clock::system(), &metrics.meter()).expect_err("refused").to_string()
    };
    let args = args(&files);
    assert!(complaint(&args).starts_with("--tls-cert: cannot read"));
    write_pair(&files, &pki.server());
    write(&files, "ca.pem", &pki.ca.pem());
    write(&files, "crl.pem", &pki.ca.pem());
    assert!(complaint(&args).starts_with("--client-crl: the file holds nothing of this kind"));
    write(&files, "crl.pem", &pki.crl(&[]));
    write(&files, "key.pem", &pki.server().key.serialize_pem());
    assert!(complaint(&args).starts_with("--tls-cert: "), "a key of another certificate");
}

fn args(files: &TempDir) -> TlsArgs {
    let path = |name| files.path().join(name);
    TlsArgs {
        listen: ([127, 0, 0, 1], 0).into(),
        tls_cert: path("cert.pem"),
        tls_key: path("key.pem"),
        client_ca: Some(path("ca.pem")),
        client_crl: Some(path("crl.pem")),
        tls_reload: Duration::from_millis(100),
        max_connections: 64.try_into().expect("not zero"),
    }
}

fn routes() -> Router {
    Router::new()
        .route("/who", get(async |station: StationIdentity| station.uri()))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(500)).await))
        .route("/endless", get(async || pending::<()>().await))
}

fn write_pair(files: &TempDir, server: &Leaf) {
    write(files, "cert.pem", &server.cert.pem());
    write(files, "key.pem", &server.key.serialize_pem());
}

fn write(files: &TempDir, name: &str, content: &str) {
    std::fs::write(files.path().join(name), content).expect("write");
}
