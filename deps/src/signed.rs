//! What certificates, lists of revoked ones and OCSP responses have in common: data, an algorithm
//! and a signature (RFC 5280 §4.1.1), which webpki verifies.

use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use webpki::RawPublicKeyEntity;
use x509_cert::der::asn1::{AnyRef, BitStringRef};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader, Tag};

pub fn algorithms() -> WebPkiSupportedAlgorithms {
    aws_lc_rs::default_provider().signature_verification_algorithms
}

/// The content of a SEQUENCE with its head, as webpki leaves it out.
pub fn sequence(content: &[u8]) -> Vec<u8> {
    let any = AnyRef::new(Tag::Sequence, content);
    any.and_then(|any| any.to_der()).unwrap_or_default()
}

pub struct Signed<'a> {
    data: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// What may stand behind the signature (certificates, in a response) is left alone.
    pub fn of(whole: &'a [u8]) -> Option<Self> {
        let parts = |reader: &mut SliceReader<'a>| -> der::Result<Self> {
            let data = reader.tlv_bytes()?;
            let algorithm = AnyRef::decode(reader)?.value();
            let signature = BitStringRef::decode(reader)?;
            while !reader.is_finished() {
                reader.tlv_bytes()?;
            }
            let signature = signature.as_bytes().ok_or(der::ErrorKind::Failed)?;
            Ok(Signed { data, algorithm, signature })
        };
        SliceReader::new(whole).ok()?.sequence(parts).ok()
    }

    pub fn is_by(&self, key: &SubjectPublicKeyInfoDer<'_>) -> bool {
        let Ok(entity) = RawPublicKeyEntity::try_from(key) else { return false };
        let named = algorithms().all.iter().filter(|a| *a.signature_alg_id() == *self.algorithm);
        named.map(|a| entity.verify_signature(*a, self.data, self.signature)).any(|r| r.is_ok())
    }
}
