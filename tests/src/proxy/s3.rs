//! The store's requests and answers, as whole HTTP exchanges. Bodies stream through; each of the client's connections has one
//! of its own to the store, so that whoever goes away takes its request along, as without a proxy.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures::{SinkExt, StreamExt, channel::mpsc};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::http1 as client,
    server::conn::http1 as server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Mutex};

use super::{
    Fault, Side,
    lane::{Lane, Step},
    operation,
    plan::{Shared, Strike},
    rewrite::rewrite,
};

type Payload = UnsyncBoxBody<Bytes, anyhow::Error>;
type Exchange = Pin<Box<dyn Future<Output = anyhow::Result<Response<Payload>>> + Send>>;

/// Answers the requests of one connection until it ends.
pub(super) async fn serve(client: TcpStream, target: &str, shared: &Arc<Shared>) {
    let link = Arc::new(Link {
        target: target.to_owned(),
        shared: Arc::clone(shared),
        store: Mutex::default(),
        reset: AtomicBool::new(false),
    });
    let each = Arc::clone(&link);
    let service = service_fn(move |request| -> Exchange { Box::pin(Arc::clone(&each).exchange(request)) });
    let mut connection = server::Builder::new().serve_connection(TokioIo::new(client), service);
    // An error is a connection closed, by the client or by a fault of ours.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let client = connection.into_parts().io.into_inner();
    if link.reset.load(Ordering::Relaxed) {
        let _ = client.set_zero_linger();
    }
}

/// One connection of the client, with its own to the store.
struct Link {
    target: String,
    shared: Arc<Shared>,
    store: Mutex<Option<client::SendRequest<Payload>>>,
    reset: AtomicBool,
}

impl Link {
    /// One request and its answer; an error closes the connection.
    async fn exchange(self: Arc<Self>, mut request: Request<Incoming>) -> anyhow::Result<Response<Payload>> {
        let (name, key) = operation::of(request.method(), request.uri(), request.headers());
        let strike = Arc::new(self.shared.see(name, key));
        let Some(fault) = strike.fault.clone() else { return self.forward(request, &strike).await };
        match &fault {
            Fault::Refuse(status) => {
                // Read first: a client that is still sending would meet a closed connection and not the answer.
                request.body_mut().collect().await?;
                strike.hit();
                return refusal(*status);
            }
            Fault::Reset => {
                strike.hit();
                self.reset.store(true, Ordering::Relaxed);
                bail!("reset");
            }
            Fault::HalfOpen => {
                strike.hit();
                self.shared.released().await;
                bail!("released");
            }
            Fault::Stall(by) => {
                strike.hit();
                self.pause(*by).await;
            }
            Fault::Strip(header) => {
                strike.hit();
                request.headers_mut().remove(header.as_str());
            }
            Fault::Cut(..) | Fault::Flip(..) | Fault::Drip(..) => strike.hit(),
            Fault::Tell | Fault::DropReply | Fault::HoldReply | Fault::StallReply(_) | Fault::Rewrite(_) => {}
        }
        let answer = Arc::clone(&self).forward(request, &strike).await?;
        self.answer(answer, &fault, &strike).await
    }

    /// What comes after the store has answered.
    async fn answer(
        &self,
        answer: Response<Payload>,
        fault: &Fault,
        strike: &Strike,
    ) -> anyhow::Result<Response<Payload>> {
        match fault {
            Fault::DropReply | Fault::HoldReply => {
                collect(answer).await?;
                strike.hit();
                if *fault == Fault::HoldReply {
                    self.shared.released().await;
                }
                bail!("the reply is lost")
            }
            Fault::StallReply(by) => {
                let answer = collect(answer).await?;
                strike.hit();
                self.pause(*by).await;
                Ok(answer.map(full))
            }
            Fault::Rewrite(how) => {
                let answer = rewrite(collect(answer).await?, how);
                strike.hit();
                Ok(answer.map(full))
            }
            _ => Ok(answer),
        }
    }

    /// Has the store carry the request out.
    async fn forward(
        self: Arc<Self>,
        request: Request<Incoming>,
        strike: &Arc<Strike>,
    ) -> anyhow::Result<Response<Payload>> {
        let told = matches!(strike.fault, Some(Fault::Tell)).then(|| Arc::clone(strike));
        let lane = Lane::of(strike.fault.as_ref(), Side::Request);
        let request = request.map(|body| through(body, lane, told));
        let answer = {
            let mut store = self.store.lock().await;
            let mut sender = match store.take() {
                Some(sender) if sender.is_ready() => sender,
                _ => connect(&self.target).await?,
            };
            let answer = sender.send_request(request).await?;
            *store = Some(sender);
            answer
        };
        self.shared.answered(strike.number, answer.status().as_u16());
        let lane = Lane::of(strike.fault.as_ref(), Side::Answer);
        Ok(answer.map(|body| through(body, lane, None)))
    }

    async fn pause(&self, by: Duration) {
        tokio::select! {
            () = tokio::time::sleep(by) => {}
            () = self.shared.released() => {}
        }
    }
}

async fn connect(target: &str) -> anyhow::Result<client::SendRequest<Payload>> {
    let stream = TcpStream::connect(target).await.context("connecting to the store")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = client::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender, or with a body that is given up.
    tokio::spawn(connection);
    Ok(sender)
}

/// A body behind what `lane` makes of it. `told` hears when all of it was passed on.
fn through(mut body: Incoming, mut lane: Lane, told: Option<Arc<Strike>>) -> Payload {
    let tell = move || told.iter().for_each(|strike| strike.hit());
    if body.is_end_stream() {
        tell();
        return Empty::new().map_err(Into::into).boxed_unsync();
    }
    let (mut sink, stream) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            let bytes = match frame.map(Frame::into_data) {
                Ok(Ok(bytes)) => bytes,
                // S3 uses no HTTP trailers.
                Ok(Err(_)) => continue,
                Err(error) => return drop(sink.send(Err(error.into())).await),
            };
            for step in lane.steps(bytes) {
                let sent = match step {
                    Step::Send(bytes) => sink.send(Ok(Frame::data(bytes))).await,
                    Step::Sleep(by) => {
                        tokio::time::sleep(by).await;
                        Ok(())
                    }
                    Step::Cut => return drop(sink.send(Err(anyhow::anyhow!("cut"))).await),
                };
                if sent.is_err() {
                    return;
                }
            }
        }
        tell();
    });
    StreamBody::new(stream.boxed()).boxed_unsync()
}

async fn collect(answer: Response<Payload>) -> anyhow::Result<Response<Bytes>> {
    let (head, body) = answer.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}

fn full(bytes: Bytes) -> Payload {
    Full::new(bytes).map_err(Into::into).boxed_unsync()
}

/// An error as S3 words it.
fn refusal(status: u16) -> anyhow::Result<Response<Payload>> {
    let code = if status == 503 { "SlowDown" } else { "InternalError" };
    let text = format!("<Error><Code>{code}</Code><Message>refused by the proxy</Message></Error>");
    Ok(Response::builder().status(status).header(header::CONTENT_TYPE, "application/xml").body(full(text.into()))?)
}
