//! River's adapter to x509-cert (river_certificate.h): what a certificate says, for people.

use crate::{guarded, items};
use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::fmt::{self, Write};
use std::net::IpAddr;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{SubjectAltName, name::GeneralName};

#[repr(C)]
#[rustfmt::skip]
pub struct RiverText { at: *mut u8, room: usize, bytes: usize, truncated: bool }

impl Write for RiverText {
    /// Adds whole characters while there is room.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars().map(|c| if c.is_control() { '?' } else { c }) {
            let mut room = [0; 4];
            let c = c.encode_utf8(&mut room);
            self.truncated |= self.room - self.bytes < c.len();
            if self.truncated {
                break;
            }
            let to = unsafe { self.at.add(self.bytes) };
            unsafe { to.copy_from_nonoverlapping(c.as_ptr(), c.len()) };
            self.bytes += c.len();
        }
        Ok(())
    }
}

#[repr(C)]
#[rustfmt::skip]
pub struct RiverCertificate {
    not_before_s: u64, not_after_s: u64,
    subject: RiverText, issuer: RiverText, serial: RiverText, dns_names: RiverText,
    alt_names: RiverText,
}

/// A name of the subject alternative name with its kind before it, as OpenSSL calls that; other
/// kinds have none. Bytes that would end it are written as RFC 4514 does.
fn write_alt_name(out: &mut RiverText, name: &GeneralName) -> fmt::Result {
    let before = if out.bytes > 0 { "," } else { "" };
    let (kind, text) = match name {
        GeneralName::DnsName(text) => ("DNS", text.as_str()),
        GeneralName::Rfc822Name(text) => ("email", text.as_str()),
        GeneralName::UniformResourceIdentifier(text) => ("URI", text.as_str()),
        GeneralName::IpAddress(bytes) => {
            let four = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from);
            let ip = four.or_else(|_| <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from));
            return ip.map_or(Ok(()), |ip| write!(out, "{before}IP:{ip}"));
        }
        _ => return Ok(()),
    };
    write!(out, "{before}{kind}:")?;
    text.bytes().try_for_each(|byte| match byte {
        b',' | b'\\' => write!(out, "\\{byte:02x}"),
        _ if byte.is_ascii_graphic() => out.write_char(char::from(byte)),
        _ => write!(out, "\\{byte:02x}"),
    })
}

fn describe(der: &[u8], ret: &mut RiverCertificate) -> Option<()> {
    let certificate = Certificate::from_der(der).ok()?;
    let fields = certificate.tbs_certificate();
    let texts = [&mut ret.subject, &mut ret.issuer, &mut ret.serial, &mut ret.dns_names];
    for text in texts.into_iter().chain([&mut ret.alt_names]) {
        (text.bytes, text.truncated) = (0, false);
    }
    ret.not_before_s = fields.validity().not_before.to_unix_duration().as_secs();
    ret.not_after_s = fields.validity().not_after.to_unix_duration().as_secs();
    write!(ret.subject, "{}", fields.subject()).ok()?;
    write!(ret.issuer, "{}", fields.issuer()).ok()?;
    for byte in fields.serial_number().as_bytes() {
        write!(ret.serial, "{byte:02x}").ok()?;
    }
    let Ok(Some((_, names))) = fields.get_extension::<SubjectAltName>() else { return Some(()) };
    if ret.alt_names.room > 0 {
        names.0.iter().try_for_each(|name| write_alt_name(&mut ret.alt_names, name)).ok()?;
    }
    let is_plain = |name: &&str| name.bytes().all(|b| b.is_ascii_graphic() && b != b',');
    let dns_names = names.0.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str()),
        _ => None,
    });
    for name in dns_names.filter(is_plain) {
        let separator = if ret.dns_names.bytes > 0 { "," } else { "" };
        write!(ret.dns_names, "{separator}{name}").ok()?;
    }
    Some(())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_certificate_describe(
    der: *const u8, der_bytes: usize, ret: *mut RiverCertificate,
) -> bool {
    let Some(ret) = (unsafe { ret.as_mut() }) else { return false };
    guarded(false, || describe(unsafe { items(der, der_bytes) }, ret).is_some())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_certificate_describe_pem(
    pem: *const u8, pem_bytes: usize, ret: *mut RiverCertificate,
) -> bool {
    match CertificateDer::from_pem_slice(unsafe { items(pem, pem_bytes) }) {
        Ok(der) => unsafe { river_certificate_describe(der.as_ptr(), der.len(), ret) },
        Err(_) => false,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_certificate_fingerprint(
    der: *const u8, der_bytes: usize, out: *mut u8,
) {
    let digest = guarded(None, || Some(digest(&SHA256, unsafe { items(der, der_bytes) })));
    if let Some(digest) = digest {
        unsafe { out.copy_from_nonoverlapping(digest.as_ref().as_ptr(), digest.as_ref().len()) };
    }
}
