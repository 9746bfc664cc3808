use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::{Revocations, TlsState, WallTime, judge::Judge};
use crate::{
    clock::Clock,
    config::{ConfigError, TlsArgs},
};

/// The files' contents as they were read at one moment.
#[derive(PartialEq, Eq)]
pub(super) struct Files {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
    client_crl: Option<Vec<u8>>,
    revocations: Revocations,
}

impl Files {
    /// `revocations` come from elsewhere.
    pub(super) fn read(args: &TlsArgs, revocations: Revocations) -> Result<Self, ConfigError> {
        let optional = |option, path: &Option<PathBuf>| path.as_ref().map(|path| read(option, path)).transpose();
        Ok(Self {
            cert: read("--tls-cert", &args.tls_cert)?,
            key: read("--tls-key", &args.tls_key)?,
            client_ca: optional("--client-ca", &args.client_ca)?,
            client_crl: optional("--client-crl", &args.client_crl)?,
            revocations,
        })
    }

    /// Makes of the contents what connections are accepted with; with `optional`, those without a certificate as well.
    pub(super) fn state(&self, optional: bool, clock: &Clock) -> Result<TlsState, ConfigError> {
        let verifier = self.verifier(optional)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_details(provider, Arc::new(WallTime(clock.clone())))
            .with_safe_default_protocol_versions()
            .map_err(wrong("--tls-cert"))?;
        let builder = match &verifier {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(wrong("--tls-key"))?;
        // Fails, too, when certificate and key do not belong together.
        let mut config =
            builder.with_single_cert(certificates("--tls-cert", &self.cert)?, key).map_err(wrong("--tls-cert"))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A resumed session would skip the look at the client's certificate, and with it a revocation.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsState { config: Arc::new(config), verifier })
    }

    /// When each file's validity ends.
    pub(super) fn ends(&self) -> Vec<(&'static str, Timestamp)> {
        let own = items::<CertificateDer<'_>>(&self.cert).filter_map(|der| not_after(&der)).min();
        let file = self.client_crl.as_deref().unwrap_or_default();
        let lists = [file, self.revocations.lists.as_deref().unwrap_or_default().as_bytes()].into_iter();
        let lists = lists.flat_map(items::<CertificateRevocationListDer<'_>>).filter_map(|der| next_update(&der)).min();
        [("certificate", own), ("client_crl", lists)].into_iter().filter_map(|(file, end)| Some((file, end?))).collect()
    }

    fn verifier(&self, optional: bool) -> Result<Option<Arc<dyn ClientCertVerifier>>, ConfigError> {
        let Some(ca) = &self.client_ca else {
            return Ok(None);
        };
        let mut roots = RootCertStore::empty();
        for authority in certificates("--client-ca", ca)? {
            roots.add(authority).map_err(wrong("--client-ca"))?;
        }
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(aws_lc_rs::default_provider()));
        // The first list of an authority is the one that counts, so the file's cannot hide a fresher one.
        if let Some(crl) = &self.revocations.lists {
            builder =
                builder.with_crls(some::<CertificateRevocationListDer<'_>>("the revocation list", crl.as_bytes())?);
        }
        if optional {
            builder = builder.allow_unauthenticated();
        }
        if let Some(crl) = &self.client_crl {
            builder = builder.with_crls(some::<CertificateRevocationListDer<'_>>("--client-crl", crl)?);
        }
        let inner = builder.build().map_err(wrong("--client-crl"))?;
        Ok(Some(Arc::new(Judge { inner, shut_out: self.revocations.shut_out.clone() })))
    }
}

fn read(option: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::unreadable(option, path, &error))
}

fn certificates(option: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    some(option, pem)
}

/// All PEM items of one kind. None at all is an error: a revocation list without lists would revoke nobody in silence.
fn some<T: PemObject>(option: &'static str, pem: &[u8]) -> Result<Vec<T>, ConfigError> {
    let found: Vec<T> = T::pem_slice_iter(pem).collect::<Result<_, pem::Error>>().map_err(wrong(option))?;
    if found.is_empty() {
        return Err(ConfigError::new(option, "the file holds nothing of this kind in PEM; check which file it is"));
    }
    Ok(found)
}

fn items<T: PemObject>(pem: &[u8]) -> impl Iterator<Item = T> {
    T::pem_slice_iter(pem).filter_map(Result::ok)
}

fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

fn next_update(der: &[u8]) -> Option<Timestamp> {
    let (_, list) = CertificateRevocationList::from_der(der).ok()?;
    Timestamp::from_second(list.next_update()?.timestamp()).ok()
}

fn wrong<E: fmt::Display>(option: &'static str) -> impl Fn(E) -> ConfigError {
    move |error| ConfigError::new(option, error.to_string())
}

impl fmt::Debug for Files {
    /// Says nothing of the contents: one of them is a private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}
