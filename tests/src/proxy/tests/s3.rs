//! A server that remembers each request it carried out and answers with the request's own body.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reqwest::Client;
use tokio::net::TcpListener;

use crate::proxy::{Fault, Kind, Proxy, Rewrite, Rule, Side};

const LISTING: &str = "<R><Part><N>1</N></Part><Part><N>2</N></Part></R>";

type Carried = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

struct Bench {
    proxy: Proxy,
    client: Client,
    carried: Carried,
}

impl Bench {
    async fn with(fault: Fault) -> (Self, crate::proxy::Planned) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let target = listener.local_addr().expect("address").to_string();
        let carried = Carried::default();
        tokio::spawn(serve(listener, Arc::clone(&carried)));
        let proxy = Proxy::start(&target, Kind::S3).await.expect("proxy");
        // The second of its name: the first shows that nothing happens too early.
        let planned = proxy.plan(Rule::new(fault).on("PutObject").key("b/k").nth(2)).expect("plan");
        let bench = Self { proxy, client: Client::builder().no_proxy().build().expect("client"), carried };
        assert_eq!(bench.put("b/k", "first").await.expect("first"), (200, "first".to_owned()));
        assert_eq!(bench.put("b/other", "other").await.expect("other"), (200, "other".to_owned()));
        (bench, planned)
    }

    async fn put(&self, key: &str, body: &str) -> reqwest::Result<(u16, String)> {
        let request = self.client.put(format!("{}/{key}", self.proxy.url())).header("x-amz-lock", "on");
        let answer = request.body(body.to_owned()).send().await?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await?))
    }

    async fn list(&self, how: Rewrite) -> (u16, String) {
        self.proxy.clear();
        self.proxy.plan(Rule::new(Fault::Rewrite(how)).on("ListParts")).expect("plan");
        let url = format!("{}/b/k?uploadId=1", self.proxy.url());
        let answer = self.client.get(url).body(LISTING).send().await.expect("answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// Bodies carried out beyond the first two.
    fn carried(&self) -> Vec<String> {
        let carried = self.carried.lock().expect("lock");
        carried.iter().skip(2).map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect()
    }
}

async fn serve(listener: TcpListener, carried: Carried) {
    while let Ok((stream, _)) = listener.accept().await {
        let carried = Arc::clone(&carried);
        let service = service_fn(move |request: Request<Incoming>| {
            let carried = Arc::clone(&carried);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                carried.lock().expect("lock").push((head.headers, body.clone()));
                Ok::<_, hyper::Error>(Response::new(Full::new(body)))
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

#[tokio::test]
async fn refused_and_reset_requests_never_reach_the_server() {
    for (fault, status) in [(Fault::Refuse(503), Some(503)), (Fault::Refuse(500), Some(500)), (Fault::Reset, None)] {
        let (bench, planned) = Bench::with(fault.clone()).await;
        assert_eq!(planned.count(), 0);
        let answer = bench.put("b/k", "second").await.ok().map(|(status, _)| status);
        assert_eq!((answer, planned.count()), (status, 1), "{fault}");
        assert!(bench.carried().is_empty(), "{fault}");
        assert_eq!(bench.put("b/k", "third").await.expect("third").0, 200, "only the second is struck");
    }
}

#[tokio::test]
async fn a_dropped_reply_comes_after_the_work_was_done() {
    let (bench, planned) = Bench::with(Fault::DropReply).await;
    assert!(bench.put("b/k", "second").await.is_err());
    assert_eq!((bench.carried(), planned.count()), (vec!["second".to_owned()], 1));
    let log = bench.proxy.log();
    let told: Vec<_> = log.iter().map(|seen| (seen.number, seen.operation, seen.key.as_str(), seen.status)).collect();
    let put = |number, key| (number, "PutObject", key, Some(200));
    assert_eq!(told, [put(1, "b/k"), put(2, "b/other"), put(3, "b/k")]);
    assert_eq!(log[2].fault, Some(Fault::DropReply));
}

#[tokio::test]
async fn held_back_connections_stay_open_until_they_are_released() {
    for (fault, carried) in [(Fault::HalfOpen, 0), (Fault::HoldReply, 1)] {
        let (bench, planned) = Bench::with(fault.clone()).await;
        let put = bench.put("b/k", "second");
        tokio::pin!(put);
        tokio::select! {
            _ = &mut put => panic!("{fault}: answered"),
            () = planned.fired() => {}
        }
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut put).await.is_err(), "{fault}: answered");
        assert_eq!(bench.carried().len(), carried, "{fault}");
        bench.proxy.clear();
        assert!(put.await.is_err(), "{fault}");
    }
}

#[tokio::test]
async fn stalled_requests_and_replies_come_late_and_whole() {
    let by = Duration::from_millis(120);
    for fault in [Fault::Stall(by), Fault::StallReply(by), Fault::Drip(Side::Request, 2, by / 3)] {
        let (bench, _) = Bench::with(fault.clone()).await;
        let started = Instant::now();
        assert_eq!(bench.put("b/k", "second").await.expect("late"), (200, "second".to_owned()));
        assert!(started.elapsed() >= by, "{fault}: {:?}", started.elapsed());
        assert_eq!(bench.carried(), ["second"], "{fault}");
    }
}

#[tokio::test]
async fn bodies_are_cut_and_flipped_either_way() {
    let (bench, _) = Bench::with(Fault::Cut(Side::Request, 3)).await;
    assert!(bench.put("b/k", "second").await.is_err());
    assert!(bench.carried().is_empty());

    let (bench, _) = Bench::with(Fault::Cut(Side::Answer, 3)).await;
    assert!(bench.put("b/k", "second").await.is_err());
    assert_eq!(bench.carried(), ["second"]);

    let (bench, _) = Bench::with(Fault::Flip(Side::Request, 1)).await;
    assert_eq!(bench.put("b/k", "second").await.expect("flipped").1, "sdcond");
    assert_eq!(bench.carried(), ["sdcond"]);

    let (bench, _) = Bench::with(Fault::Flip(Side::Answer, 1)).await;
    assert_eq!(bench.put("b/k", "second").await.expect("flipped").1, "sdcond");
    assert_eq!(bench.carried(), ["second"]);
}

#[tokio::test]
async fn a_stripped_header_is_gone_and_no_other() {
    let (bench, _) = Bench::with(Fault::Strip("X-Amz-Lock".to_owned())).await;
    assert_eq!(bench.put("b/k", "second").await.expect("put").0, 200);
    let carried = bench.carried.lock().expect("lock");
    let locks: Vec<bool> = carried.iter().map(|(headers, _)| headers.contains_key("x-amz-lock")).collect();
    assert_eq!(locks, [true, true, false]);
    assert!(carried.iter().all(|(headers, _)| headers.contains_key("content-length")));
}

#[tokio::test]
async fn a_listing_lies_and_a_head_finds_nothing() {
    let (bench, _) = Bench::with(Fault::Tell).await;
    let part = "<Part><N>2</N></Part>";
    assert_eq!(bench.list(Rewrite::Omit("<N>1<".to_owned())).await, (200, format!("<R>{part}</R>")));
    let twice = LISTING.replace(part, &part.repeat(2));
    assert_eq!(bench.list(Rewrite::Repeat("<N>2<".to_owned())).await, (200, twice));
    assert_eq!(bench.list(Rewrite::EmptyPage).await, (200, "<R></R>".to_owned()));

    bench.proxy.plan(Rule::new(Fault::Rewrite(Rewrite::NotFound)).on("HeadObject")).expect("plan");
    let head = bench.client.head(format!("{}/b/k", bench.proxy.url())).send().await.expect("head");
    assert_eq!(head.status(), 404);
}

#[tokio::test]
async fn large_bodies_pass_unchanged_and_memory_is_not_their_size() {
    let (bench, planned) = Bench::with(Fault::Tell).await;
    let body = "x".repeat(9 << 20);
    assert_eq!(bench.put("b/k", &body).await.expect("large").1.len(), body.len());
    assert_eq!((bench.carried(), planned.count()), (vec![body], 1));
}

#[tokio::test]
async fn connections_are_cut_and_new_ones_taken() {
    let (bench, planned) = Bench::with(Fault::HoldReply).await;
    let cut = async {
        planned.fired().await;
        bench.proxy.cut_all();
    };
    let (answer, ()) = tokio::join!(bench.put("b/k", "second"), cut);
    assert!(answer.is_err());
    assert_eq!(bench.put("b/k", "third").await.expect("third").0, 200);
}
