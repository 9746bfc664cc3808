//! Judges client certificates by more than authorities and lists: a station that was shut out is refused with every certificate from
//! before, also where another authority signed it, whose list the register cannot write.

use std::sync::Arc;

use custos_domain::station::ShutOut;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use crate::http::identity::PeerCertificate;

/// What the one inside accepts, unless its station was shut out.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) inner: Arc<dyn ClientCertVerifier>,
    pub(super) shut_out: Vec<ShutOut>,
}

impl Judge {
    fn is_shut_out(&self, certificate: &CertificateDer<'_>) -> bool {
        let Some(peer) = PeerCertificate::parse(certificate) else { return false };
        // One that names no station gets no further than that either.
        let Ok(named) = peer.station() else { return false };
        let meant = |out: &ShutOut| out.is_of(&named.tenant, &named.station) && peer.not_before < out.before;
        self.shut_out.iter().any(meant)
    }
}

impl ClientCertVerifier for Judge {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        if self.is_shut_out(end_entity) {
            return Err(CertificateError::Revoked.into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
