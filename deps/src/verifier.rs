//! River's adapter to rustls's verifier of an origin's certificate (river_tls.h): the causes that
//! rustls-ffi has no code for, a certificate that is trusted itself, and none that must be.

use crate::guarded;
use crate::sessions::Sessions;
use crate::tls::change;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_ffi::rustls_result;
use std::{cell::Cell, ffi::c_uint, sync::Arc};
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// Numbers of river_tls.h.
const CAUSE_VERSION: c_uint = 1;
const CAUSE_KEY_SIZE: c_uint = 2;
const CAUSE_AUTHORITY: c_uint = 3;
const RSA_BYTES_MIN: usize = 256;
const RSA: &str = "1.2.840.113549.1.1.1";

thread_local!(static CAUSE: Cell<c_uint> = const { Cell::new(0) });

fn has_short_key(der: &[u8]) -> Option<bool> {
    let certificate = Certificate::from_der(der).ok()?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    let short = key.subject_public_key.raw_bytes().len() < RSA_BYTES_MIN;
    Some(short && key.algorithm.oid.to_string() == RSA)
}

/// Remembers for this thread what the error does not say.
fn with_cause(der: &[u8], error: Error) -> Error {
    let text = error.to_string();
    CAUSE.set(if text.contains("UnsupportedCertVersion") {
        CAUSE_VERSION
    } else if text.contains("CaUsedAsEndEntity") {
        CAUSE_AUTHORITY
    } else if has_short_key(der) == Some(true) {
        CAUSE_KEY_SIZE
    } else {
        0
    });
    error
}

/// With no `inner` the operator wrote that any certificate will do.
#[derive(Debug)]
struct Verifier {
    inner: Option<Arc<WebPkiServerVerifier>>,
    roots: Arc<RootCertStore>,
    sessions: Arc<Sessions>,
    schemes: Vec<SignatureScheme>,
}

impl Verifier {
    /// Whether the certificate is one of those that are trusted: an authority's own, which its
    /// server shows. Its key has to sign the handshake; its name and time are judged here.
    fn is_trusted_itself(
        &self, end: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime,
    ) -> Result<bool, Error> {
        let mut own = RootCertStore::empty();
        let known =
            own.add(end.clone().into_owned()).is_ok() && self.roots.roots.contains(&own.roots[0]);
        let Ok(certificate) = Certificate::from_der(end) else { return Ok(false) };
        if !known {
            return Ok(false);
        }
        let period = certificate.tbs_certificate().validity();
        if now.as_secs() < period.not_before.to_unix_duration().as_secs() {
            return Err(rustls::CertificateError::NotValidYet.into());
        }
        if now.as_secs() > period.not_after.to_unix_duration().as_secs() {
            return Err(rustls::CertificateError::Expired.into());
        }
        verify_server_name(&ParsedCertificate::try_from(end)?, name)?;
        Ok(true)
    }

    fn judge(
        &self, end: &CertificateDer<'_>, others: &[CertificateDer<'_>], name: &ServerName<'_>,
        ocsp: &[u8], now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        CAUSE.set(0);
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        let error = match inner.verify_server_cert(end, others, name, ocsp, now) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        if error.to_string().contains("CaUsedAsEndEntity")
            && self.is_trusted_itself(end, name, now)?
        {
            return Ok(ServerCertVerified::assertion());
        }
        Err(with_cause(end, error))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self, end: &CertificateDer<'_>, others: &[CertificateDer<'_>], name: &ServerName<'_>,
        ocsp: &[u8], now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.judge(end, others, name, ocsp, now)?;
        self.sessions.verified(end, self.inner.is_some());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self, message: &[u8], end: &CertificateDer<'_>, signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(inner) = &self.inner else { return Ok(HandshakeSignatureValid::assertion()) };
        let result = inner.verify_tls12_signature(message, end, signature);
        result.map_err(|error| with_cause(end, error))
    }

    fn verify_tls13_signature(
        &self, message: &[u8], end: &CertificateDer<'_>, signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(inner) = &self.inner else { return Ok(HandshakeSignatureValid::assertion()) };
        let result = inner.verify_tls13_signature(message, end, signature);
        result.map_err(|error| with_cause(end, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_client_config_set_verifier(
    config: *mut *const ClientConfig, roots: *const RootCertStore,
) -> rustls_result {
    let change_to = |config: &mut ClientConfig| {
        let provider = config.crypto_provider().clone();
        let schemes = provider.signature_verification_algorithms.supported_schemes();
        let roots = if roots.is_null() {
            None
        } else {
            unsafe { Arc::increment_strong_count(roots) };
            Some(unsafe { Arc::from_raw(roots) })
        };
        let inner = roots.clone().and_then(|roots| {
            WebPkiServerVerifier::builder_with_provider(roots, provider).build().ok()
        });
        if roots.is_some() && inner.is_none() {
            return; /* the verifier that it has stays */
        }
        let roots = roots.unwrap_or_else(|| Arc::new(RootCertStore::empty()));
        let sessions = Arc::new(Sessions::new());
        config.resumption = Resumption::store(sessions.clone());
        let verifier = Arc::new(Verifier { inner, roots, sessions, schemes });
        config.dangerous().set_certificate_verifier(verifier);
    };
    unsafe { change(config, change_to) }
}

#[unsafe(no_mangle)]
pub extern "C" fn river_tls_take_cause() -> c_uint {
    guarded(0, || CAUSE.replace(0))
}
