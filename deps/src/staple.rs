//! River's reader of OCSP responses (river_revocation.h): whether one is a good word about a
//! certificate, by who may give it, and for how long (RFC 6960 §3.2, §4.2).

use crate::signed::{Signed, sequence};
use crate::{guarded, items};
use aws_lc_rs::digest::{self, digest};
use der::asn1::{Any, BitString, GeneralizedTime, Int, Null, ObjectIdentifier, OctetString};
use der::{Choice, Decode, Encode, Enumerated, Sequence};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use std::ffi::c_uint;
use webpki::EndEntityCert;
use x509_cert::ext::{Extensions, pkix::ExtendedKeyUsage};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoRef};

/// Numbers of river_revocation.h.
const GOOD: c_uint = 0;
const MALFORMED: c_uint = 1;
const NO_ANSWER: c_uint = 2;
const OTHER: c_uint = 3;
const NO_ISSUER: c_uint = 4;
const SIGNATURE: c_uint = 5;
const SIGNER: c_uint = 6;
const REVOKED: c_uint = 7;
const UNKNOWN: c_uint = 8;
const CRITICAL: c_uint = 9;
const BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const OCSP_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9");
/// How long a response counts that has no nextUpdate, from its thisUpdate.
const ENDLESS_S: u64 = 7 * 24 * 3600;

/* RFC 6960 §4.2.1; what is not looked at is Any. */

#[derive(Sequence)]
struct Response {
    status: Status,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    bytes: Option<ResponseBytes>,
}

#[derive(Clone, Copy, Enumerated, Eq, PartialEq)]
#[repr(u8)]
enum Status {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SigRequired = 5,
    Unauthorized = 6,
}

#[derive(Sequence)]
struct ResponseBytes {
    kind: ObjectIdentifier,
    response: OctetString,
}

#[derive(Sequence)]
struct Basic {
    data: Data,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    certs: Option<Vec<Any>>,
}

#[derive(Sequence)]
struct Data {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    version: Option<u8>,
    responder: Responder,
    produced: GeneralizedTime,
    responses: Vec<Single>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Choice)]
enum Responder {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", constructed = "true")]
    Name(Any),
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    Key(OctetString),
}

#[derive(Sequence)]
struct Single {
    id: CertId,
    status: CertStatus,
    this: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    next: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Sequence)]
struct CertId {
    hash: AlgorithmIdentifierOwned,
    issuer_name: OctetString,
    issuer_key: OctetString,
    serial: Int,
}

#[derive(Choice)]
enum CertStatus {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(Revoked),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

#[derive(Sequence)]
struct Revoked {
    at: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    reason: Option<Any>,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
#[rustfmt::skip]
pub struct RiverStaple { state: c_uint, detail: c_uint, from_s: u64, until_s: u64 }

fn hashed(algorithm: &AlgorithmIdentifierOwned, data: &[u8]) -> Option<digest::Digest> {
    let known = [
        ("1.3.14.3.2.26", &digest::SHA1_FOR_LEGACY_USE_ONLY),
        ("2.16.840.1.101.3.4.2.1", &digest::SHA256),
        ("2.16.840.1.101.3.4.2.2", &digest::SHA384),
        ("2.16.840.1.101.3.4.2.3", &digest::SHA512),
    ];
    let name = algorithm.oid.to_string();
    known.iter().find(|(oid, _)| *oid == name).map(|(_, algorithm)| digest(algorithm, data))
}

fn key_bits(key: &SubjectPublicKeyInfoDer<'_>) -> Vec<u8> {
    let parsed = SubjectPublicKeyInfoRef::try_from(key.as_ref());
    parsed.map_or(Vec::new(), |key| key.subject_public_key.raw_bytes().to_vec())
}

/// Whether the certificate is meant: its issuer's name and key, and its number (§4.1.1).
fn is_about(id: &CertId, cert: &EndEntityCert<'_>, issuer: &SubjectPublicKeyInfoDer<'_>) -> bool {
    let is = |hash: &OctetString, of: &[u8]| {
        hashed(&id.hash, of).is_some_and(|digest| digest.as_ref() == hash.as_bytes())
    };
    id.serial.as_bytes() == cert.serial()
        && is(&id.issuer_name, &sequence(cert.issuer()))
        && is(&id.issuer_key, &key_bits(issuer))
}

fn is_named(responder: &Responder, cert: &EndEntityCert<'_>) -> bool {
    match responder {
        Responder::Name(name) => name.value() == cert.subject(),
        Responder::Key(hash) => {
            let bits = key_bits(&cert.subject_public_key_info());
            digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &bits).as_ref() == hash.as_bytes()
        }
    }
}

/// When a responder's own certificate holds, if the authority has made it one (§4.2.2.2).
fn delegated(der: &[u8], issuer: &SubjectPublicKeyInfoDer<'_>) -> Option<(u64, u64)> {
    let parsed = x509_cert::Certificate::from_der(der).ok()?;
    let fields = parsed.tbs_certificate();
    let (_, usage) = fields.get_extension::<ExtendedKeyUsage>().ok()??;
    let may = usage.0.contains(&OCSP_SIGNING) && Signed::of(der)?.is_by(issuer);
    let validity = fields.validity();
    let seconds = |t: x509_cert::time::Time| t.to_unix_duration().as_secs();
    may.then(|| (seconds(validity.not_before), seconds(validity.not_after)))
}

fn is_critical(extensions: &Option<Extensions>) -> bool {
    extensions.iter().flatten().any(|extension| extension.critical)
}

/// Err: why it is not one, and details.
fn judge(chain: &[u8], der: &[u8]) -> Result<RiverStaple, (c_uint, c_uint)> {
    let malformed = |_| (MALFORMED, 0);
    let response = Response::from_der(der).map_err(malformed)?;
    if response.status != Status::Successful {
        return Err((NO_ANSWER, response.status as c_uint));
    }
    let bytes = response.bytes.filter(|b| b.kind == BASIC).ok_or((MALFORMED, 0))?;
    let basic = Basic::from_der(bytes.response.as_bytes()).map_err(malformed)?;
    let signed = Signed::of(bytes.response.as_bytes()).ok_or((MALFORMED, 0))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain).filter_map(Result::ok).collect();
    let inside: Vec<_> = basic.certs.iter().flatten().filter_map(|any| any.to_der().ok()).collect();
    let inside: Vec<_> = inside.into_iter().map(CertificateDer::from).collect();
    let own = chain.first().ok_or((OTHER, 0))?;
    let cert = EndEntityCert::try_from(own).map_err(|_| (OTHER, 0))?;
    let known = || inside.iter().chain(&chain);
    let parsed = || known().filter_map(|der| Some((der, EndEntityCert::try_from(der).ok()?)));

    /* The certificate tells whose key has signed it: so its issuer may be known from anywhere. */
    let signed_own = Signed::of(own).ok_or((OTHER, 0))?;
    let issuer = parsed()
        .filter(|(_, other)| other.subject() == cert.issuer())
        .map(|(_, other)| other.subject_public_key_info())
        .find(|key| signed_own.is_by(key));
    let named = |s: &&Single| s.id.serial.as_bytes() == cert.serial();
    if basic.data.responses.iter().find(named).is_none() {
        return Err((OTHER, 0));
    }
    let issuer = issuer.ok_or((NO_ISSUER, 0))?;
    let single = basic.data.responses.iter().find(|s| is_about(&s.id, &cert, &issuer));
    let single = single.ok_or((OTHER, 0))?;
    if is_critical(&basic.data.extensions) || is_critical(&single.extensions) {
        return Err((CRITICAL, 0));
    }

    let (mut from_s, mut until_s) = (0, u64::MAX);
    let named = |c: &EndEntityCert<'_>| is_named(&basic.data.responder, c);
    let signers: Vec<_> = parsed().filter(|(_, c)| named(c)).collect();
    let by = |c: &EndEntityCert<'_>| signed.is_by(&c.subject_public_key_info());
    let (signer, parsed_signer) = match signers.iter().find(|(_, c)| by(c)) {
        Some(found) => found,
        None if signers.is_empty() => return Err((SIGNER, 0)),
        None => return Err((SIGNATURE, 0)),
    };
    if parsed_signer.subject_public_key_info() != issuer {
        (from_s, until_s) = delegated(signer, &issuer).ok_or((SIGNER, 0))?;
    }
    match single.status {
        CertStatus::Good(_) => {}
        CertStatus::Revoked(_) => return Err((REVOKED, 0)),
        CertStatus::Unknown(_) => return Err((UNKNOWN, 0)),
    }
    let this_s = single.this.to_unix_duration().as_secs();
    let next_s = single.next.map_or(this_s + ENDLESS_S, |t| t.to_unix_duration().as_secs());
    let (from_s, until_s) = (from_s.max(this_s), until_s.min(next_s));
    Ok(RiverStaple { state: GOOD, detail: 0, from_s, until_s })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_staple_judge(
    chain: *const u8, chain_bytes: usize, response: *const u8, response_bytes: usize,
    ret: *mut RiverStaple,
) {
    let (chain, response) = unsafe { (items(chain, chain_bytes), items(response, response_bytes)) };
    let failed = |(state, detail)| RiverStaple { state, detail, ..Default::default() };
    let result = guarded(Err((MALFORMED, 0)), || judge(chain, response)).unwrap_or_else(failed);
    if let Some(ret) = unsafe { ret.as_mut() } {
        *ret = result;
    }
}
