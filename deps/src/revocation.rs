//! River's lists of revoked certificates (river_revocation.h): which of those in a file count, and
//! what they say of a client's chain (RFC 5280 §6.3.3). webpki parses the lists, looks serial
//! numbers up and builds the chains; it would match a list by the issuer's name alone, and take the
//! first one.

use crate::certificate::RiverText;
use crate::signed::Signed;
use crate::{guarded, items};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::pki_types::{SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertRevocationListError, CertificateError, DigitallySignedStruct, DistinguishedName};
use rustls::{Error, RootCertStore, SignatureScheme, client::danger::HandshakeSignatureValid};
use rustls::{crypto::CryptoProvider, crypto::WebPkiSupportedAlgorithms};
use rustls_ffi::rustls_result;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::ffi::{c_uint, c_void};
use std::fmt::Write;
use std::{ptr, sync::Arc};
use webpki::{BorrowedCertRevocationList, Cert, CertRevocationList, EndEntityCert, VerifiedPath};
use x509_cert::Certificate;
use x509_cert::crl::CertificateList;
use x509_cert::der::{Decode, oid::AssociatedOid};
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, GeneralNames};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlDistributionPoints, CrlNumber};
use x509_cert::ext::pkix::{KeyUsage, SubjectKeyIdentifier};
use x509_cert::spki::SubjectPublicKeyInfoRef;

/// Numbers of river_revocation.h.
const COUNTS: c_uint = 0;
const OLDER: c_uint = 1;
const TWICE: c_uint = 2;
const SAME_NUMBER: c_uint = 3;
const DISAGREES: c_uint = 4;
const STRANGER: c_uint = 5;
/// id-ce-issuingDistributionPoint, for which x509-cert has another number.
const SCOPE: &str = "2.5.29.28";

/// One of those in `ca-path`.
struct Authority {
    subject: Vec<u8>,
    key: SubjectPublicKeyInfoDer<'static>,
    key_id: Vec<u8>,
}

impl Authority {
    fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let anchor = webpki::anchor_from_trusted_cert(der).ok()?;
        let key = webpki::spki_for_anchor(&anchor).into_owned();
        let parsed = Certificate::from_der(der).ok();
        let named = parsed.and_then(|c| {
            Some(c.tbs_certificate().get_extension::<SubjectKeyIdentifier>().ok()??.1)
        });
        let bits = SubjectPublicKeyInfoRef::try_from(key.as_ref()).ok()?;
        let usual = digest(&SHA1_FOR_LEGACY_USE_ONLY, bits.subject_public_key.raw_bytes());
        let key_id = named.map_or(usual.as_ref().to_vec(), |id| id.0.as_bytes().to_vec());
        Some(Authority { subject: anchor.subject.to_vec(), key, key_id })
    }
}

struct List {
    crl: CertRevocationList<'static>,
    der: Vec<u8>,
    /// Of the authority at hand that has signed it; none: its signature is verified once its issuer
    /// is known, which is in the handshake.
    key: Option<SubjectPublicKeyInfoDer<'static>>,
    key_id: Option<Vec<u8>>,
    number: Option<Vec<u8>>,
    this_s: u64,
    next_s: u64,
    issuer: String,
    scope: Option<IssuingDistributionPoint>,
    state: c_uint,
    counts: bool,
}

fn uris(name: &Option<DistributionPointName>) -> impl Iterator<Item = &str> {
    let names: Option<&GeneralNames> = match name {
        Some(DistributionPointName::FullName(names)) => Some(names),
        _ => None,
    };
    names.into_iter().flatten().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        _ => None,
    })
}

impl List {
    fn of(der: &[u8]) -> Result<Self, String> {
        let read = BorrowedCertRevocationList::from_der(der).and_then(|crl| crl.to_owned());
        let crl = CertRevocationList::Owned(read.map_err(|error| format!("{error:?}"))?);
        let parsed = <CertificateList>::from_der(der).map_err(|error| error.to_string())?;
        let fields = parsed.tbs_cert_list;
        let extensions = fields.crl_extensions.unwrap_or_default();
        let value = |oid: &str| {
            let found = extensions.iter().find(|e| e.extn_id.to_string() == oid);
            found.map(|e| e.extn_value.as_bytes())
        };
        let number = value(&CrlNumber::OID.to_string()).and_then(|v| CrlNumber::from_der(v).ok());
        let key_id = value(&AuthorityKeyIdentifier::OID.to_string())
            .and_then(|v| AuthorityKeyIdentifier::from_der(v).ok()?.key_identifier);
        let scope = match value(SCOPE) {
            Some(v) => Some(IssuingDistributionPoint::from_der(v).map_err(|e| e.to_string())?),
            None => None,
        };
        let next = fields.next_update.ok_or("it has no nextUpdate")?;
        Ok(List {
            crl,
            der: der.to_vec(),
            key: None,
            key_id: key_id.map(|id| id.as_bytes().to_vec()),
            number: number.map(|n| n.0.as_bytes().to_vec()),
            this_s: fields.this_update.to_unix_duration().as_secs(),
            next_s: next.to_unix_duration().as_secs(),
            issuer: fields.issuer.to_string(),
            scope,
            state: COUNTS,
            counts: true,
        })
    }

    /// The number in decimal, or in hexadecimal when it is very large.
    fn number_text(&self) -> String {
        let bytes = self.number.as_deref().unwrap_or_default();
        if bytes.len() <= 8 && !bytes.is_empty() {
            return bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)).to_string();
        }
        bytes.iter().fold(String::new(), |text, b| text + &format!("{b:02x}"))
    }

    /// Finds whose it is. Err: no authority of its name that is at hand has signed it, and it does
    /// not say that it is of another key (§6.3.3 (f), (g)).
    fn find_key(&mut self, authorities: &[Authority]) -> Result<(), String> {
        let named = || authorities.iter().filter(|a| a.subject == self.crl.issuer());
        let signed = Signed::of(&self.der).ok_or("it is malformed")?;
        self.key = named().find(|a| signed.is_by(&a.key)).map(|a| a.key.clone());
        let named_key = |a: &Authority| self.key_id.as_ref().is_none_or(|id| *id == a.key_id);
        if self.key.is_none() && named().any(named_key) {
            return Err(format!(
                "the signature of the list of `{}` (number {}) is not of the authority's key",
                self.issuer,
                self.number_text()
            ));
        }
        self.state = if self.key.is_none() { STRANGER } else { COUNTS };
        if self.key.is_some() {
            self.der = Vec::new(); /* it may be large */
        }
        Ok(())
    }

    /// Whether both are of one key and of one scope, so that the newer one stands for both. Without
    /// a key identifier that is not known of two lists whose authority is not at hand.
    fn is_of_same(&self, other: &List) -> bool {
        let same_key = match (&self.key, &other.key) {
            (Some(one), Some(two)) => one == two,
            (None, None) => self.key_id.is_some() && self.key_id == other.key_id,
            _ => false,
        };
        same_key && self.crl.issuer() == other.crl.issuer() && self.scope == other.scope
    }

    fn compare_numbers(&self, other: &List) -> Option<Ordering> {
        let (one, two) = (self.number.as_ref()?, other.number.as_ref()?);
        Some(one.len().cmp(&two.len()).then_with(|| one.cmp(two)))
    }

    /// Whether the list is about certificates like this one (webpki's rules for scopes).
    fn is_about(&self, cert: &Cert<'_>, is_authority: bool) -> bool {
        if self.crl.issuer() != cert.issuer() {
            return false;
        }
        let Some(scope) = &self.scope else { return true };
        if scope.only_contains_attribute_certs
            || (scope.only_contains_ca_certs && !is_authority)
            || (scope.only_contains_user_certs && is_authority)
        {
            return false;
        }
        let Ok(parsed) = Certificate::from_der(&cert.der()) else { return false };
        let Ok(points) = parsed.tbs_certificate().get_extension::<CrlDistributionPoints>() else {
            return false;
        };
        let Some((_, points)) = points else { return true };
        let whole = points.0.iter().filter(|p| p.crl_issuer.is_none() && p.reasons.is_none());
        whole
            .flat_map(|p| uris(&p.distribution_point))
            .any(|uri| uris(&scope.distribution_point).any(|other| other == uri))
    }

    /// Whether this key has signed it.
    fn is_by(&self, key: &SubjectPublicKeyInfoDer<'_>) -> bool {
        match &self.key {
            Some(own) => own == key,
            None => Signed::of(&self.der).is_some_and(|signed| signed.is_by(key)),
        }
    }
}

/// All lists of a file, in its order.
pub struct RiverCrls {
    lists: Vec<List>,
}

impl RiverCrls {
    fn of(pem: &[u8], roots: &[u8]) -> Result<Self, String> {
        let authorities: Vec<_> = CertificateDer::pem_slice_iter(roots)
            .filter_map(|der| Authority::of(&der.ok()?))
            .collect();
        let (mut lists, mut seen) = (Vec::new(), Vec::new());
        for (at, der) in CertificateRevocationListDer::pem_slice_iter(pem).enumerate() {
            let place = |why| format!("the {}. list cannot be read: {why}", at + 1);
            let der = der.map_err(|error| place(error.to_string()))?;
            let mut list = List::of(&der).map_err(place)?;
            list.find_key(&authorities)?;
            list.counts = !seen.contains(&der);
            list.state = if list.counts { list.state } else { TWICE };
            lists.push(list);
            seen.push(der);
        }
        if lists.is_empty() {
            return Err("no list in PEM form stands there".to_string());
        }
        for at in 0..lists.len() {
            Self::compare(&mut lists, at);
        }
        Ok(RiverCrls { lists })
    }

    /// What a list is beside those that stand before it (§5.2.3): the newer one counts by number
    /// and by date. Where these disagree, or two lists of one number and date do, both count.
    fn compare(lists: &mut [List], at: usize) {
        let (before, rest) = lists.split_at_mut(at);
        let here = &mut rest[0];
        for there in before.iter_mut().filter(|l| l.counts) {
            if !here.counts || !there.is_of_same(here) {
                continue;
            }
            let dates = there.this_s.cmp(&here.this_s);
            let numbers = there.compare_numbers(here);
            let order = numbers.unwrap_or(dates);
            let state = if numbers == Some(Ordering::Equal) { SAME_NUMBER } else { OLDER };
            match (order, dates) {
                (Ordering::Less, Ordering::Greater) | (Ordering::Greater, Ordering::Less) => {
                    here.state = DISAGREES;
                }
                (Ordering::Equal, Ordering::Equal) => here.state = SAME_NUMBER,
                (Ordering::Less, _) | (_, Ordering::Less) => {
                    (there.state, there.counts) = (state, false);
                }
                _ => (here.state, here.counts) = (state, false),
            }
        }
    }

    /// A certificate and its issuer's key (§6.3.3): there must be a list, and it must not be in it.
    fn judge(
        &self, cert: &Cert<'_>, is_authority: bool, issuer: Option<&Cert<'_>>,
        key: &SubjectPublicKeyInfoDer<'_>, expired_before_s: u64,
    ) -> Result<(), webpki::Error> {
        let mut known = false;
        let about = |l: &&List| l.counts && l.is_about(cert, is_authority) && l.is_by(key);
        for list in self.lists.iter().filter(about) {
            if !issuer.is_none_or(may_sign_lists) {
                return Err(webpki::Error::IssuerNotCrlSigner);
            }
            if list.crl.find_serial(cert.serial())?.is_some() {
                return Err(webpki::Error::CertRevoked);
            }
            if list.next_s <= expired_before_s {
                let at = |s| UnixTime::since_unix_epoch(std::time::Duration::from_secs(s));
                let (time, next_update) = (at(expired_before_s), at(list.next_s));
                return Err(webpki::Error::CrlExpired { time, next_update });
            }
            known = true;
        }
        if known { Ok(()) } else { Err(webpki::Error::UnknownRevocationStatus) }
    }

    fn judge_path(&self, path: &VerifiedPath<'_>, expired_s: u64) -> Result<(), webpki::Error> {
        let mut cert: &Cert<'_> = path.end_entity();
        let mut is_authority = false;
        for issuer in path.intermediate_certificates() {
            let key = issuer.subject_public_key_info();
            self.judge(cert, is_authority, Some(issuer), &key, expired_s)?;
            (cert, is_authority) = (issuer, true);
        }
        self.judge(cert, is_authority, None, &webpki::spki_for_anchor(path.anchor()), expired_s)
    }
}

/// By its own certificate (§4.2.1.3), which a trust anchor does not need.
fn may_sign_lists(issuer: &Cert<'_>) -> bool {
    let Ok(parsed) = Certificate::from_der(&issuer.der()) else { return false };
    match parsed.tbs_certificate().get_extension::<KeyUsage>() {
        Ok(usage) => usage.is_none_or(|(_, usage)| usage.crl_sign()),
        Err(_) => false,
    }
}

/// rustls's verifier of clients, with these lists.
#[derive(Debug)]
struct Clients {
    inner: Arc<dyn ClientCertVerifier>,
    roots: Arc<RootCertStore>,
    crls: Arc<RiverCrls>,
    refuse_expired: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl std::fmt::Debug for RiverCrls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} lists", self.lists.len())
    }
}

/// What the lists have said; None: it was something else that is wrong.
fn said_by_lists(error: &webpki::Error) -> Option<Error> {
    match error {
        webpki::Error::CertRevoked => Some(CertificateError::Revoked.into()),
        webpki::Error::UnknownRevocationStatus => {
            Some(CertificateError::UnknownRevocationStatus.into())
        }
        webpki::Error::CrlExpired { .. } => Some(CertificateError::ExpiredRevocationList.into()),
        webpki::Error::IssuerNotCrlSigner => {
            Some(CertRevocationListError::IssuerInvalidForCrl.into())
        }
        _ => None,
    }
}

impl ClientCertVerifier for Clients {
    fn verify_client_cert(
        &self, end: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let expired_s = if self.refuse_expired { now.as_secs() } else { 0 };
        let refused = RefCell::new(None);
        let judge = |path: &VerifiedPath<'_>| {
            let result = self.crls.judge_path(path, expired_s);
            result.inspect_err(|error| *refused.borrow_mut() = Some(error.clone()))
        };
        let error = match EndEntityCert::try_from(end).and_then(|cert| {
            let usage = webpki::KeyUsage::client_auth();
            let (known, roots) = (self.algorithms.all, &self.roots.roots);
            cert.verify_for_usage(known, roots, others, now, usage, None, Some(&judge)).map(|_| ())
        }) {
            Ok(()) => return Ok(ClientCertVerified::assertion()),
            Err(error) => error,
        };
        if let Some(said) = said_by_lists(&refused.take().unwrap_or(error)) {
            return Err(said);
        }
        /* rustls has the words for the rest; nothing that was refused here gets in by it */
        let otherwise = CertificateError::UnknownRevocationStatus.into();
        Err(self.inner.verify_client_cert(end, others, now).err().unwrap_or(otherwise))
    }

    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self, message: &[u8], end: &CertificateDer<'_>, signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, end, signature)
    }

    fn verify_tls13_signature(
        &self, message: &[u8], end: &CertificateDer<'_>, signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, end, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

#[repr(C)]
#[rustfmt::skip]
pub struct RiverCrl {
    state: c_uint, counts: bool, this_update_s: u64, next_update_s: u64,
    issuer: RiverText, number: RiverText,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_crls_new(
    pem: *const u8, pem_bytes: usize, roots: *const u8, roots_bytes: usize, why: *mut RiverText,
) -> *const RiverCrls {
    let (pem, roots) = unsafe { (items(pem, pem_bytes), items(roots, roots_bytes)) };
    guarded(ptr::null(), || match RiverCrls::of(pem, roots) {
        Ok(crls) => Arc::into_raw(Arc::new(crls)),
        Err(text) => {
            if let Some(why) = unsafe { why.as_mut() } {
                let _ = why.write_str(&text);
            }
            ptr::null()
        }
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_crls_free(crls: *const RiverCrls) {
    if !crls.is_null() {
        guarded((), || drop(unsafe { Arc::from_raw(crls) }));
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_crls_describe(
    crls: *const RiverCrls, at: usize, ret: *mut RiverCrl,
) -> bool {
    let (Some(crls), Some(ret)) = (unsafe { crls.as_ref() }, unsafe { ret.as_mut() }) else {
        return false;
    };
    let Some(list) = crls.lists.get(at) else { return false };
    (ret.state, ret.counts) = (list.state, list.counts);
    (ret.this_update_s, ret.next_update_s) = (list.this_s, list.next_s);
    guarded(false, || {
        ret.issuer.write_str(&list.issuer).is_ok()
            && ret.number.write_str(&list.number_text()).is_ok()
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_crls_verifier(
    crls: *const RiverCrls, provider: *const CryptoProvider, roots: *const RootCertStore,
    required: bool, refuse_expired: bool, ret: *mut *mut c_void,
) -> rustls_result {
    if crls.is_null() || provider.is_null() || roots.is_null() || ret.is_null() {
        return rustls_result::NullParameter;
    }
    /* The caller keeps its references. */
    unsafe {
        Arc::increment_strong_count(crls);
        Arc::increment_strong_count(provider);
        Arc::increment_strong_count(roots);
    }
    let (crls, provider, roots) =
        unsafe { (Arc::from_raw(crls), Arc::from_raw(provider), Arc::from_raw(roots)) };
    guarded(rustls_result::Panic, || {
        let algorithms = provider.signature_verification_algorithms;
        let builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider);
        let builder = if required { builder } else { builder.allow_unauthenticated() };
        let Ok(inner) = builder.build() else {
            return rustls_result::ClientCertVerifierBuilderNoRootAnchors;
        };
        let made: Arc<dyn ClientCertVerifier> =
            Arc::new(Clients { inner, roots, crls, refuse_expired, algorithms });
        unsafe { *ret = Box::into_raw(Box::new(made)).cast() };
        rustls_result::Ok
    })
}
