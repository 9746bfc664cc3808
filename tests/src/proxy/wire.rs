//! Connections whose bytes are passed on as they come: of any protocol, or cut into the client's messages.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{
    Fault, Kind, Side,
    lane::{Lane, Step},
    nats::NatsMessages,
    plan::{Shared, Strike},
    postgres::PostgresMessages,
};

/// Bytes of the client, and what they are.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// Set for what is counted.
    pub(super) message: Option<Message>,
}

/// Something counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) operation: &'static str,
    pub(super) key: String,
    /// To be sent after it when its answer is to be lost: makes the server say that it is done.
    pub(super) nudge: &'static str,
    /// What the server's answer to it contains when it is complete; empty for any answer.
    pub(super) answer: Vec<u8>,
}

/// How a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Close,
    Reset,
    HalfOpen,
}

/// What is done to the server's bytes.
enum Down {
    Pass(Lane),
    Delay(Strike),
    Swallow { strike: Strike, until: Vec<u8>, swallowed: Vec<u8> },
}

enum Splitter {
    Raw,
    Nats(NatsMessages),
    Postgres(PostgresMessages),
}

/// Passes on one connection until it ends.
pub(super) async fn serve(client: TcpStream, target: &str, kind: Kind, shared: &Shared) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = server.set_nodelay(true);
    let (client_in, mut client_out) = client.into_split();
    let (server_in, mut server_out) = server.into_split();
    let down = Mutex::new(Down::Pass(Lane::default()));
    let mut up = Up { client_in, server_out: &mut server_out, down: &down, shared, lane: Lane::default() };
    let end = tokio::select! {
        end = up.run(kind) => end,
        end = pass_down(server_in, &mut client_out, &down, shared) => end,
    };
    let client_in = up.client_in;
    match end {
        End::Close => {}
        End::Reset => {
            if let Ok(client) = client_in.reunite(client_out) {
                let _ = client.set_zero_linger();
            }
        }
        End::HalfOpen => {
            drop(server_out);
            hold(client_in, shared).await;
        }
    }
}

/// The client's direction.
struct Up<'a> {
    client_in: OwnedReadHalf,
    server_out: &'a mut OwnedWriteHalf,
    down: &'a Mutex<Down>,
    shared: &'a Shared,
    lane: Lane,
}

impl Up<'_> {
    async fn run(&mut self, kind: Kind) -> End {
        let mut splitter = Splitter::of(kind);
        if kind == Kind::Bytes {
            let strike = self.shared.see("Connection", String::new());
            let all = Message { operation: "Connection", key: String::new(), nudge: "", answer: Vec::new() };
            if let Err(end) = self.strike(strike, Bytes::new(), &all).await {
                return end;
            }
        }
        let mut buffer = vec![0; 64 << 10];
        while let Ok(count @ 1..) = self.client_in.read(&mut buffer).await {
            for piece in splitter.push(&buffer[..count]) {
                if let Err(end) = self.piece(piece).await {
                    return end;
                }
            }
        }
        // The client has said everything; the server may still answer.
        let _ = self.server_out.shutdown().await;
        std::future::pending().await
    }

    async fn piece(&mut self, Piece { bytes, message }: Piece) -> Result<(), End> {
        let Some(message) = message else { return self.send(bytes).await };
        let strike = self.shared.see(message.operation, message.key.clone());
        self.strike(strike, bytes, &message).await
    }

    /// Does what is planned for a message.
    async fn strike(&mut self, strike: Strike, bytes: Bytes, message: &Message) -> Result<(), End> {
        let Some(fault) = strike.fault.clone() else { return self.send(bytes).await };
        if !matches!(fault, Fault::DropReply | Fault::HoldReply | Fault::StallReply(_) | Fault::Tell) {
            strike.hit();
        }
        match fault {
            Fault::Refuse(_) => return Err(End::Close),
            Fault::Reset => return Err(End::Reset),
            Fault::HalfOpen => return Err(End::HalfOpen),
            Fault::Stall(by) => tokio::select! {
                () = tokio::time::sleep(by) => {}
                () = self.shared.released() => {}
            },
            Fault::Cut(..) | Fault::Flip(..) | Fault::Drip(..) => {
                self.lane = Lane::of(Some(&fault), Side::Request);
                self.answer(Down::Pass(Lane::of(Some(&fault), Side::Answer)));
            }
            Fault::StallReply(_) => self.answer(Down::Delay(strike)),
            Fault::DropReply | Fault::HoldReply => {
                self.answer(Down::Swallow { strike, until: message.answer.clone(), swallowed: Vec::new() });
                self.send(bytes).await?;
                return self.send(Bytes::from_static(message.nudge.as_bytes())).await;
            }
            Fault::Tell => {
                self.send(bytes).await?;
                strike.hit();
                return Ok(());
            }
            Fault::Strip(_) | Fault::Rewrite(_) => {}
        }
        self.send(bytes).await
    }

    fn answer(&self, down: Down) {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = down;
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), End> {
        carry_out(self.lane.steps(bytes), self.server_out).await
    }
}

/// The server's direction.
async fn pass_down(mut from: OwnedReadHalf, to: &mut OwnedWriteHalf, down: &Mutex<Down>, shared: &Shared) -> End {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return End::Close };
        let steps = down.lock().unwrap_or_else(PoisonError::into_inner).steps(&buffer[..count]);
        match steps {
            Ok(steps) => {
                if let Err(end) = carry_out(steps, to).await {
                    return end;
                }
            }
            Err(Fault::HoldReply) => {
                shared.released().await;
                return End::Close;
            }
            Err(_) => return End::Close,
        }
    }
}

impl Down {
    /// What to do with the server's next bytes, or the fault that ends the link now.
    fn steps(&mut self, bytes: &[u8]) -> Result<Vec<Step>, Fault> {
        let received = Bytes::copy_from_slice(bytes);
        match self {
            Self::Pass(lane) => Ok(lane.steps(received)),
            Self::Delay(strike) => {
                let Some(Fault::StallReply(by)) = strike.fault else { return Ok(vec![Step::Send(received)]) };
                strike.hit();
                *self = Self::Pass(Lane::default());
                Ok(vec![Step::Sleep(by), Step::Send(received)])
            }
            Self::Swallow { strike, until, swallowed } => {
                swallowed.extend_from_slice(bytes);
                let complete = until.is_empty() || swallowed.windows(until.len()).any(|window| window == *until);
                match strike.fault.clone() {
                    Some(fault) if complete => {
                        strike.hit();
                        Err(fault)
                    }
                    _ => Ok(Vec::new()),
                }
            }
        }
    }
}

async fn carry_out(steps: Vec<Step>, to: &mut OwnedWriteHalf) -> Result<(), End> {
    for step in steps {
        match step {
            Step::Send(bytes) => to.write_all(&bytes).await.map_err(|_| End::Close)?,
            Step::Sleep(by) => tokio::time::sleep(by).await,
            Step::Cut => return Err(End::Close),
        }
    }
    Ok(())
}

/// Keeps a connection that leads nowhere open, until the client has had enough of it.
async fn hold(mut client_in: OwnedReadHalf, shared: &Shared) {
    let mut buffer = vec![0; 64 << 10];
    let swallow = async { while let Ok(1..) = client_in.read(&mut buffer).await {} };
    tokio::select! {
        () = swallow => {}
        () = shared.released() => {}
    }
}

impl Splitter {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Nats => Self::Nats(NatsMessages::default()),
            Kind::Postgres => Self::Postgres(PostgresMessages::default()),
            Kind::Bytes | Kind::S3 => Self::Raw,
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        match self {
            Self::Raw => vec![Piece { bytes: Bytes::copy_from_slice(bytes), message: None }],
            Self::Nats(messages) => messages.push(bytes),
            Self::Postgres(messages) => messages.push(bytes),
        }
    }
}
