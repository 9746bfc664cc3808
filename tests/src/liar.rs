//! A store that lies: a forwarder before MinIO that loses the lock headers of `CreateMultipartUpload` and answers 200, as Ceph RGW
//! 16.2 does. The request is signed again without them, or MinIO would notice.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, bail, ensure};
use custos_local::{Owner, Part, Stack};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// The forwarder; it ends with the test.
#[derive(Debug)]
pub struct Liar {
    address: SocketAddr,
    lies: Arc<AtomicUsize>,
}

impl Liar {
    /// Before the store of a stack, for what its services send.
    pub async fn before(stack: &Stack) -> anyhow::Result<Self> {
        let mut secrets = HashMap::new();
        for service in Part::SERVICES {
            let (key, secret) = stack.s3_credential(Owner::Service(service))?;
            secrets.insert(key, secret);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, lies) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
        let (store, secrets, counter) = (stack.address(Part::Minio), Arc::new(secrets), Arc::clone(&lies));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (store, secrets, counter) = (store.clone(), Arc::clone(&secrets), Arc::clone(&counter));
                // A connection that breaks is the client's to notice.
                tokio::spawn(async move { forward(client, &store, &secrets, &counter).await });
            }
        });
        Ok(Self { address, lies })
    }

    /// Where it listens, as services are told.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How often it lied.
    pub fn lies(&self) -> usize {
        self.lies.load(Ordering::Relaxed)
    }
}

async fn forward(
    client: TcpStream,
    store: &str,
    secrets: &HashMap<String, String>,
    lies: &AtomicUsize,
) -> anyhow::Result<()> {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_store, mut to_store) = TcpStream::connect(store).await?.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_store, &mut to_client).await });
    let mut from_client = BufReader::new(from_client);
    while let Some(mut request) = Request::read(&mut from_client).await? {
        if request.creates_multipart() {
            lies.fetch_add(1, Ordering::Relaxed);
            request.headers.retain(|(name, _)| !name.to_lowercase().starts_with("x-amz-object-lock-"));
            request.sign(secrets)?;
        }
        let length = request.header("content-length").map_or(Ok(0), str::parse)?;
        to_store.write_all(request.encode().as_bytes()).await?;
        tokio::io::copy(&mut (&mut from_client).take(length), &mut to_store).await?;
    }
    to_store.shutdown().await?;
    answers.await??;
    Ok(())
}

/// The head of an HTTP/1.1 request.
struct Request {
    line: String,
    headers: Vec<(String, String)>,
}

impl Request {
    async fn read(from: &mut (impl AsyncBufReadExt + Unpin)) -> anyhow::Result<Option<Self>> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if from.read_line(&mut line).await? == 0 {
                ensure!(lines.is_empty(), "a request was cut off in its head");
                return Ok(None);
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let mut lines = lines.into_iter();
        let line = lines.next().context("a request without a first line")?;
        let header =
            |line: String| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        Ok(Some(Self { line, headers: lines.filter_map(header).collect() }))
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
    }

    /// Method, path and query.
    fn target(&self) -> (&str, &str, &str) {
        let mut words = self.line.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        (method, path, query)
    }

    fn creates_multipart(&self) -> bool {
        let (method, _, query) = self.target();
        method == "POST" && query.split('&').any(|word| word == "uploads" || word == "uploads=")
    }

    /// Signs the headers that are left (AWS Signature Version 4) in the name of whoever signed the request.
    fn sign(&mut self, secrets: &HashMap<String, String>) -> anyhow::Result<()> {
        let old = self.header("authorization").context("an unsigned request")?.to_owned();
        let field = |name: &str| old.split([' ', ',']).find_map(|word| word.strip_prefix(name)).map(str::to_owned);
        let credential = field("Credential=").context("no credential")?;
        let (key, scope) = credential.split_once('/').context("no scope")?;
        let secret = secrets.get(key).context("somebody else's request")?;
        let signed = field("SignedHeaders=").context("no signed headers")?;
        let signed: Vec<&str> = signed.split(';').filter(|name| self.header(name).is_some()).collect();

        let (method, path, query) = self.target();
        let mut query: Vec<String> = query
            .split('&')
            .map(|word| if word.contains('=') { word.to_owned() } else { format!("{word}=") })
            .collect();
        query.sort();
        let headers: Vec<String> =
            signed.iter().map(|name| format!("{name}:{}\n", self.header(name).unwrap_or_default())).collect();
        let payload = self.header("x-amz-content-sha256").context("no payload hash")?;
        let (query, headers, names) = (query.join("&"), headers.concat(), signed.join(";"));
        let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{payload}");
        let date = self.header("x-amz-date").context("no date")?;
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let derived =
            scope.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, word| hmac(&key, word.as_bytes()));
        let signature = hex::encode(hmac(&derived, text.as_bytes()));
        let new = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}");
        match self.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            Some((_, value)) => *value = new,
            None => bail!("an unsigned request"),
        }
        Ok(())
    }

    fn encode(&self) -> String {
        let headers: Vec<String> = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{}\r\n", self.line, headers.concat())
    }
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn hmac_is_that_of_the_rfc() {
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(hmac(b"Jefe", b"what do ya want for nothing?")), known);
        let known = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        assert_eq!(hex::encode(hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First")), known);
    }
}
