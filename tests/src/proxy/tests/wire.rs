//! Servers of bytes, of NATS and of PostgreSQL, small enough to read.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::proxy::{Fault, Kind, Planned, Proxy, Rewrite, Rule, Side};

struct Bench {
    proxy: Proxy,
    /// What the server got.
    got: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Bench {
    async fn new(kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let target = listener.local_addr().expect("address").to_string();
        let (sender, got) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, kind, sender.clone()));
            }
        });
        Self { proxy: Proxy::start(&target, kind).await.expect("proxy"), got }
    }

    fn plan(&self, rule: Rule) -> Planned {
        self.proxy.plan(rule).expect("plan")
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.expect("connect")
    }

    /// Everything the server got until now.
    fn got(&mut self) -> String {
        let mut all = Vec::new();
        while let Ok(bytes) = self.got.try_recv() {
            all.extend(bytes);
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}

/// Echoes bytes; answers NATS publications at their reply subject and PING with PONG; answers PostgreSQL's Sync and Query.
async fn serve(mut stream: TcpStream, kind: Kind, got: mpsc::UnboundedSender<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let bytes = &buffer[..count];
        let _ = got.send(bytes.to_vec());
        let answer: Vec<u8> = match kind {
            Kind::Nats if bytes.starts_with(b"PUB a inbox") => b"MSG inbox 1 2\r\nok\r\n".to_vec(),
            Kind::Nats if bytes.ends_with(b"PING\r\n") => b"PONG\r\n".to_vec(),
            Kind::Postgres if bytes.ends_with(b"S\0\0\0\x04") => b"C\0\0\0\x04Z\0\0\0\x05I".to_vec(),
            Kind::Nats | Kind::Postgres => Vec::new(),
            Kind::Bytes | Kind::S3 => bytes.to_vec(),
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Sends, and reads `count` bytes or until the connection ends.
async fn ask(stream: &mut TcpStream, bytes: &[u8], count: usize) -> std::io::Result<String> {
    stream.write_all(bytes).await?;
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, read(stream, count)).await.unwrap_or_else(|_| panic!("no answer within {limit:?}"))
}

async fn read(stream: &mut TcpStream, count: usize) -> std::io::Result<String> {
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while answer.len() < count {
        match stream.read(&mut buffer).await? {
            0 => break,
            read => answer.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn bytes_are_cut_flipped_and_dripped_either_way() {
    let drip = Duration::from_millis(20);
    for (fault, answer) in [
        (Fault::Cut(Side::Request, 3), "abc"),
        (Fault::Cut(Side::Answer, 3), "abc"),
        (Fault::Flip(Side::Request, 3), "abceef"),
        (Fault::Flip(Side::Answer, 3), "abceef"),
        (Fault::Drip(Side::Request, 1, drip), "abcdef"),
        (Fault::Drip(Side::Answer, 1, drip), "abcdef"),
        (Fault::Stall(drip * 5), "abcdef"),
        (Fault::StallReply(drip * 5), "abcdef"),
    ] {
        let bench = Bench::new(Kind::Bytes).await;
        let planned = bench.plan(Rule::new(fault.clone()).nth(2));
        let mut first = bench.connect().await;
        assert_eq!(ask(&mut first, b"abcdef", 6).await.expect("first"), "abcdef");
        let started = Instant::now();
        let mut second = bench.connect().await;
        let found = ask(&mut second, b"abcdef", 6).await.unwrap_or_default();
        if fault == Fault::Cut(Side::Request, 3) {
            // The server's echo of the three bytes may be lost in the cut.
            assert!(answer.starts_with(&found), "{fault}: {found}");
        } else {
            assert_eq!(found, answer, "{fault}");
        }
        if !matches!(fault, Fault::Cut(..) | Fault::Flip(..)) {
            assert!(started.elapsed() >= drip * 5, "{fault}: {:?}", started.elapsed());
        }
        assert_eq!(planned.count(), 1, "{fault}");
    }
}

#[tokio::test]
async fn connections_are_refused_reset_or_lead_nowhere() {
    let mut bench = Bench::new(Kind::Bytes).await;
    let none = |found: std::io::Result<String>| found.is_ok_and(|text| text.is_empty());
    bench.plan(Rule::new(Fault::Refuse(0)).nth(1));
    bench.plan(Rule::new(Fault::Reset).nth(2));
    bench.plan(Rule::new(Fault::HalfOpen).nth(3));
    bench.plan(Rule::new(Fault::DropReply).nth(4));

    let mut refused = bench.connect().await;
    let mut buffer = [0; 8];
    assert!(refused.read(&mut buffer).await.is_ok_and(|count| count == 0), "closed in good order");
    let mut reset = bench.connect().await;
    let error = reset.read(&mut buffer).await.expect_err("reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    let mut nowhere = bench.connect().await;
    let silent = tokio::time::timeout(Duration::from_millis(50), ask(&mut nowhere, b"abc", 3)).await;
    assert!(silent.is_err(), "nobody answers, and the connection stands");
    assert_eq!(bench.got(), "");

    let mut unanswered = bench.connect().await;
    assert!(none(ask(&mut unanswered, b"abc", 3).await));
    assert_eq!(bench.got(), "abc");
}

#[tokio::test]
async fn the_third_publication_is_carried_out_and_its_answer_lost() {
    for (message, nudged) in [("PUB a inbox 2\r\nhi\r\n", ""), ("PUB a 2\r\nhi\r\n", "PING\r\n")] {
        let mut bench = Bench::new(Kind::Nats).await;
        let planned = bench.plan(Rule::new(Fault::DropReply).on("PUB").key("a").nth(3));
        let mut client = bench.connect().await;
        for _ in 0..2 {
            ask(&mut client, b"PUB a inbox 2\r\nhi\r\n", 19).await.expect("answered");
        }
        ask(&mut client, b"PING\r\n", 6).await.expect("answered");
        bench.got();
        assert_eq!(ask(&mut client, message.as_bytes(), 19).await.unwrap_or_default(), "");
        assert_eq!((bench.got(), planned.count()), (format!("{message}{nudged}"), 1));
        assert_eq!(bench.proxy.log().len(), 3);
    }
}

#[tokio::test]
async fn a_statement_is_refused_or_carried_out_unanswered() {
    const START: &[u8] = b"\0\0\0\x08\0\x03\0\0";
    const RUN: &[u8] = b"P\0\0\0\x0fs\0INSERT\0\0\0B\0\0\0\x0c\0s\0\0\0\0\0\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04";
    for (operation, fault, carried) in
        [("Execute", Fault::DropReply, true), ("Sync", Fault::DropReply, true), ("Execute", Fault::Refuse(0), false)]
    {
        let mut bench = Bench::new(Kind::Postgres).await;
        let planned = bench.plan(Rule::new(fault).on(operation).key("INSERT").nth(2));
        let mut client = bench.connect().await;
        assert_eq!(ask(&mut client, &[START, RUN].concat(), 11).await.expect("answer"), "C\0\0\0\x04Z\0\0\0\x05I");
        bench.got();
        assert_eq!(ask(&mut client, RUN, 11).await.unwrap_or_default(), "");
        assert_eq!((bench.got().ends_with("S\0\0\0\x04"), planned.count()), (carried, 1), "{operation}");
        let names: Vec<_> = bench.proxy.log().iter().map(|seen| seen.operation).take(3).collect();
        assert_eq!(names, ["Parse", "Execute", "Sync"]);
    }
}

#[tokio::test]
async fn what_a_protocol_has_no_place_for_is_not_planned() {
    let bench = Bench::new(Kind::Nats).await;
    for fault in [Fault::Strip("x".to_owned()), Fault::Rewrite(Rewrite::EmptyPage)] {
        bench.proxy.plan(Rule::new(fault)).expect_err("no place");
    }
}
