//! The sessions that River remembers as a client of an origin (river_tls.h). None outlives the
//! certificate that was verified last, nor a day since then (RFC 8446 §4.6.1): rustls lets each
//! ticket follow the one before, for ever, and asks for no certificate then.

use crate::tickets::now_s;
use rustls::NamedGroup;
use rustls::client::{ClientSessionMemoryCache, ClientSessionStore};
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use std::sync::Mutex;
use x509_cert::Certificate;
use x509_cert::der::Decode;

const NAMES: usize = 256;
const LIFETIME_S: u64 = 24 * 3600;

/// The certificate that was verified last, when it ends, and when the sessions under it do.
#[derive(Debug, Default)]
struct Verified(Vec<u8>, u64, u64);

#[derive(Debug)]
pub struct Sessions {
    inner: ClientSessionMemoryCache,
    verified: Mutex<Verified>,
}

impl Sessions {
    pub fn new() -> Sessions {
        Sessions { inner: ClientSessionMemoryCache::new(NAMES), verified: Mutex::default() }
    }

    /// A handshake has shown this certificate; `dated`: its end counts.
    pub fn verified(&self, der: &[u8], dated: bool) {
        let Ok(mut verified) = self.verified.lock() else { return };
        if verified.0 != der {
            let end_s = Certificate::from_der(der).map_or(0, |certificate| {
                let end = certificate.tbs_certificate().validity().not_after;
                end.to_unix_duration().as_secs()
            });
            (verified.0, verified.1) = (der.to_vec(), if dated { end_s } else { u64::MAX });
        }
        verified.2 = verified.1.min(now_s() + LIFETIME_S);
    }

    fn hold(&self) -> bool {
        self.verified.lock().is_ok_and(|verified| now_s() <= verified.2)
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.inner.set_kx_hint(name, group);
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.inner.kx_hint(name)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.inner.set_tls12_session(name, value);
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.inner.tls12_session(name).filter(|_| self.hold())
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.inner.remove_tls12_session(name);
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.inner.insert_tls13_ticket(name, value);
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.inner.take_tls13_ticket(name).filter(|_| self.hold())
    }
}
