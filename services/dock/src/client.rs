//! Ingest's HTTP API as seen by a dock: one function a request. Retrying is not done here (see [`crate::retry`]).

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use custos_domain::{
    declaration::ClockOffset,
    dsse::Envelope,
    fact::{DeviceFile, LeftFile},
    ids::{DeviceId, DockingId, OfficerId, UploadId},
    item::UnifiedCode,
    outboard::Outboard,
};
use reqwest::{
    Body, Method, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER},
    redirect::Policy,
};
use serde::{Deserialize, Serialize};

use crate::{
    flow::Flow,
    identity::Credentials,
    sys, telemetry,
    trouble::{Problem, Trouble},
};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection that rested this long is not used again: ingest closes its own after 30 s, and a request on its way then is lost.
const IDLE: Duration = Duration::from_secs(20);
/// Longest wait for anything but the bytes of an item.
const SMALL: Duration = Duration::from_mins(1);
/// Longest outboard sent in a header, in bytes: of an item of some 90 MiB. A header of more than 8 KiB is refused by many a proxy.
const SHORT_OUTBOARD: u64 = 3 << 10;
/// Largest answer taken into memory: receipts and permits are a few KiB.
const LARGEST_ANSWER: usize = 1 << 20;

/// `POST /v1/dockings`.
#[derive(Debug, Clone, Serialize)]
pub struct Opening {
    /// Chosen by the dock; the same again means the same docking.
    pub docking: DockingId,
    /// The recorder.
    pub device: DeviceId,
    /// The wearer, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub officer: Option<OfficerId>,
    /// Every recording file found.
    pub files: Vec<DeviceFile>,
    /// The recorder's clock, when it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockOffset>,
    /// What the recorder says it made.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
}

/// `POST /v1/dockings/{docking}/close`.
#[derive(Debug, Clone, Serialize)]
pub struct Closing {
    /// The recorder.
    pub device: DeviceId,
    /// Items with a receipt.
    pub deposited: Vec<UnifiedCode>,
    /// Files of the opening's list that came with them, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arrived: Vec<String>,
    /// Files without one.
    pub left: Vec<LeftFile>,
    /// Files erased under a permit.
    pub erased: u32,
}

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// First byte ingest does not have.
    pub offset: u64,
    /// Whether ingest has the outboard.
    pub outboard: bool,
}

/// An answer that may not be there yet.
#[derive(Debug)]
pub enum Answer {
    /// Here it is.
    Ready(Envelope),
    /// Ask again.
    Wait {
        /// When.
        after: Option<Duration>,
        /// What it waits for, such as `awaiting_seal`.
        state: String,
    },
}

/// The connection to ingest; cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest {
    http: reqwest::Client,
    base: Url,
}

impl Ingest {
    /// A client that shows `credentials` and accepts only the authorities in them. Nothing is connected yet.
    ///
    /// HTTP/1.1 on purpose: each upload has a connection of its own, so that an ingest which stops reading one of them for want
    /// of memory does not stop the others, and a cut is the end of one upload only.
    pub fn new(base: &Url, credentials: &Credentials) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder();
        // An ingest short of memory stops reading for a while: `Flow::stalled` decides how long is too long, and the kernel's
        // limit is only for bytes it has taken over already.
        let http = sys::connection(http, 2 * SMALL)
            .tls_certs_only(credentials.authorities.clone())
            .identity(credentials.tls.clone())
            .https_only(true)
            .http1_only()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("custos-dock/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, base: base.clone() })
    }

    /// Tells ingest that a recorder was connected and what is on it. Idempotent.
    pub async fn open_docking(&self, opening: &Opening) -> Result<(), Trouble> {
        let request = self.request(Method::POST, "v1/dockings").timeout(SMALL).json(opening);
        nothing_here(answered(request).await).map(drop)
    }

    /// Tells ingest what became of a docking. Idempotent.
    pub async fn close_docking(&self, docking: &DockingId, closing: &Closing) -> Result<(), Trouble> {
        let path = format!("v1/dockings/{docking}/close");
        answered(self.request(Method::POST, &path).timeout(SMALL).json(closing)).await.map(drop)
    }

    /// Declares an item of `length` bytes, with its outboard where that is at hand and short. The same item again answers with the
    /// same upload and where it stands.
    pub async fn create(
        &self,
        declaration: &Envelope,
        length: u64,
        outboard: Option<&Outboard>,
    ) -> Result<(UploadId, Standing), Trouble> {
        let json = serde_json::to_vec(declaration).map_err(|e| Trouble::Protocol(e.to_string()))?;
        let mut metadata = format!("declaration {}", STANDARD.encode(json));
        if let Some(short) = outboard.filter(|outboard| Outboard::encoded_len(outboard.len()) <= SHORT_OUTBOARD) {
            metadata = format!("{metadata},outboard {}", STANDARD.encode(short.encode()));
        }
        let request = self
            .request(Method::POST, "v1/uploads")
            .timeout(SMALL)
            .header("Upload-Length", length)
            .header("Upload-Metadata", metadata);
        let answer = nothing_here(answered(request).await)?;
        let location = header(answer.headers(), LOCATION.as_str())?;
        // Only the id is taken from the answer: an upload is never sent to another host.
        let id = location.rsplit('/').next().unwrap_or_default();
        let upload = UploadId::parse(id).map_err(|e| Trouble::Protocol(format!("location: {e}")))?;
        Ok((upload, standing(answer.headers())?))
    }

    /// Where an upload stands.
    pub async fn standing(&self, upload: &UploadId) -> Result<Standing, Trouble> {
        let answer = answered(self.request(Method::HEAD, &format!("v1/uploads/{upload}")).timeout(SMALL)).await?;
        standing(answer.headers())
    }

    /// Hands in the outboard.
    pub async fn put_outboard(&self, upload: &UploadId, encoded: Vec<u8>) -> Result<(), Trouble> {
        let request = self.request(Method::PUT, &format!("v1/uploads/{upload}/outboard"));
        answered(request.timeout(2 * SMALL).header(CONTENT_TYPE, "application/octet-stream").body(encoded))
            .await
            .map(drop)
    }

    /// Sends the bytes of `flow`, whose stream is `body`; answers the first byte ingest does not have.
    ///
    /// There is no limit on the whole, but on standing still: see [`Flow::stalled`].
    pub async fn send(&self, upload: &UploadId, flow: &Flow, body: Body) -> Result<u64, Trouble> {
        let request = self
            .request(Method::PATCH, &format!("v1/uploads/{upload}"))
            .header("Upload-Offset", flow.start())
            .header(CONTENT_TYPE, "application/offset+octet-stream")
            .header(CONTENT_LENGTH, flow.length())
            .body(body);
        let outcome = tokio::select! {
            answer = answered(request) => answer,
            silence = flow.stalled() => Err(Trouble::Unreachable(silence)),
        };
        match (outcome, flow.take_fault()) {
            (Ok(answer), _) => number(answer.headers(), "upload-offset"),
            (Err(_), Some(fault)) => Err(Trouble::Recorder(fault)),
            (Err(trouble), None) => Err(trouble),
        }
    }

    /// The receipt of a finished upload.
    pub async fn receipt(&self, upload: &UploadId) -> Result<Answer, Trouble> {
        self.document(&format!("v1/uploads/{upload}/receipt")).await
    }

    /// The erase permit of a receipted upload.
    pub async fn permit(&self, upload: &UploadId) -> Result<Answer, Trouble> {
        self.document(&format!("v1/uploads/{upload}/permit")).await
    }

    async fn document(&self, path: &str) -> Result<Answer, Trouble> {
        let answer = answered(self.request(Method::GET, path).timeout(SMALL)).await?;
        let (status, after) = (answer.status(), retry_after(answer.headers()));
        let body = body(answer).await?;
        if status == StatusCode::ACCEPTED {
            let state = serde_json::from_slice::<State>(&body).unwrap_or_default().state;
            return Ok(Answer::Wait { after, state });
        }
        serde_json::from_slice(&body).map(Answer::Ready).map_err(|e| Trouble::Protocol(e.to_string()))
    }

    /// A request under the configured address, in the current trace. The address may have a path of its own.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{path}", self.base.path().trim_end_matches('/')));
        let request = self.http.request(method, url).header("Tus-Resumable", "1.0.0");
        match telemetry::traceparent() {
            Some(traceparent) => request.header("traceparent", traceparent),
            None => request,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    state: String,
}

/// Sends, and turns every answer but a success into trouble.
async fn answered(request: RequestBuilder) -> Result<Response, Trouble> {
    let answer = request.send().await.map_err(|e| Trouble::of_failure(&e))?;
    let (status, after) = (answer.status(), retry_after(answer.headers()));
    if status.is_success() {
        return Ok(answer);
    }
    let problem = body(answer).await.ok().and_then(|body| serde_json::from_slice::<Problem>(&body).ok());
    Err(Trouble::of_answer(status.as_u16(), &problem.unwrap_or_default(), after))
}

/// An address where things are created is never "lost": it is the wrong address.
fn nothing_here(outcome: Result<Response, Trouble>) -> Result<Response, Trouble> {
    match outcome {
        Err(Trouble::Lost) => {
            Err(Trouble::Protocol("there is no ingest at this address: check --ingest-url".to_owned()))
        }
        other => other,
    }
}

/// The answer's body, as long as it is of a sane size.
async fn body(mut answer: Response) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| Trouble::of_failure(&e))? {
        if bytes.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Trouble::Protocol(format!("an answer of more than {LARGEST_ANSWER} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Trouble> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| Trouble::Protocol(format!("no {name} header")))
}

fn number(headers: &HeaderMap, name: &str) -> Result<u64, Trouble> {
    header(headers, name)?.parse().map_err(|_| Trouble::Protocol(format!("{name} is not a number")))
}

/// What every answer about an upload tells.
fn standing(headers: &HeaderMap) -> Result<Standing, Trouble> {
    let outboard = headers.get("custos-outboard").is_none_or(|value| value != "required");
    Ok(Standing { offset: number(headers, "upload-offset")?, outboard })
}

/// Seconds only; the date form is not used by ingest.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}
