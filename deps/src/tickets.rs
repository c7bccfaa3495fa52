//! Ticket keys that can be handed to the next process (river_tls.h), and how long a session lives.
//! rustls's own cannot leave the process, and let each ticket follow the one before, for ever.
//!
//! A ticket is the key's name, a random nonce, and under AES-256-GCM, with the name and FORM as
//! associated data: since when its chain of sessions goes on, until when it may, and the session. A
//! key makes tickets for six hours and opens them for twelve.

use crate::{guarded, items};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;
use std::cell::Cell;
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, ptr};
use x509_cert::Certificate;
use x509_cert::der::Decode;

const NAME: usize = 16;
const KEY: usize = NAME + 32;
const SAVED: usize = 8 + 2 * KEY;
const ROLL_S: u64 = 6 * 3600;
const FORM: &[u8] = b"2"; /* tickets of other forms are not opened */
const TIMES: usize = 16;

// Of the connection whose bytes this thread works on: where it keeps since when its chain of
// sessions goes on (0: it has just begun), and how long the last ticket holds.
thread_local! {
    static SINCE: Cell<*mut u64> = const { Cell::new(ptr::null_mut()) };
    static HOLDS_S: Cell<u32> = const { Cell::new(0) };
}

struct Key([u8; KEY], LessSafeKey);

impl Key {
    fn from(bytes: &[u8]) -> Option<Arc<Key>> {
        let bytes: [u8; KEY] = bytes.try_into().ok()?;
        let cipher = UnboundKey::new(&AES_256_GCM, &bytes[NAME..]).ok()?;
        Some(Arc::new(Key(bytes, LessSafeKey::new(cipher))))
    }

    fn fresh() -> Option<Arc<Key>> {
        let mut bytes = [0; KEY];
        rand::fill(&mut bytes).ok()?;
        Key::from(&bytes)
    }

    fn name(&self) -> &[u8] {
        &self.0[..NAME]
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|byte| unsafe { ptr::write_volatile(byte, 0) });
    }
}

/// The key that makes tickets, since when it does, and the one before it.
struct Ring(Arc<Key>, u64, Option<Arc<Key>>);

pub struct Keys {
    ring: RwLock<Ring>,
    lifetime_s: u64,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The first `bytes` bytes of what is left.
fn take<'a>(left: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (head, tail) = left.split_at_checked(bytes)?;
    *left = tail;
    Some(head)
}

/// The same, behind a length of so many bytes.
fn take_vector<'a>(left: &mut &'a [u8], length_bytes: usize) -> Option<&'a [u8]> {
    let length = take(left, length_bytes)?;
    take(left, length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// Until when the peer's certificates hold that stand in a session, as rustls encodes one
/// (`ServerSessionValue`): server name, version, suite, secret, a flag, the chain.
fn valid_until_s(session: &[u8]) -> Option<u64> {
    let mut left = session;
    if take(&mut left, 1)? == [1] {
        take_vector(&mut left, 1)?;
    }
    take(&mut left, 4)?;
    take_vector(&mut left, 1)?;
    take(&mut left, 1)?;
    if take(&mut left, 1)? == [0] {
        return Some(u64::MAX);
    }
    let mut chain = take_vector(&mut left, 3)?;
    let mut until_s = u64::MAX;
    while !chain.is_empty() {
        let certificate = Certificate::from_der(take_vector(&mut chain, 3)?).ok()?;
        let end = certificate.tbs_certificate().validity().not_after;
        until_s = until_s.min(end.to_unix_duration().as_secs());
    }
    Some(until_s)
}

/// Both times of a ticket.
fn times(plain: &[u8]) -> Option<(u64, u64)> {
    let (since, until) = plain.get(..TIMES)?.split_at(TIMES / 2);
    let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    Some((number(since)?, number(until)?))
}

impl Keys {
    fn new(lifetime_s: u64) -> Option<Keys> {
        Some(Keys { ring: RwLock::new(Ring(Key::fresh()?, now_s(), None)), lifetime_s })
    }

    /// How long a session may go on; none: it is over.
    fn left_s(&self, since_s: u64, until_s: u64) -> Option<u64> {
        let age_s = now_s().wrapping_sub(since_s);
        let left_s = self.lifetime_s.checked_sub(age_s)?.min(until_s.checked_sub(now_s())?);
        (left_s > 0).then_some(left_s)
    }

    /// Rolls the keys where that is due (or the clock has gone back), and gives both.
    fn both(&self) -> Option<(Arc<Key>, Option<Arc<Key>>)> {
        let due = |ring: &Ring| now_s().wrapping_sub(ring.1) >= ROLL_S;
        let ring = self.ring.read().ok()?;
        if !due(&ring) {
            return Some((ring.0.clone(), ring.2.clone()));
        }
        drop(ring);
        let mut ring = self.ring.write().ok()?;
        if due(&ring) {
            let late = now_s().wrapping_sub(ring.1) >= 2 * ROLL_S;
            let old = std::mem::replace(&mut ring.0, Key::fresh()?);
            ring.2 = (!late).then_some(old);
            ring.1 = now_s();
        }
        Some((ring.0.clone(), ring.2.clone()))
    }

    fn save(&self) -> Option<[u8; SAVED]> {
        let ring = self.ring.read().ok()?;
        let mut out = [0; SAVED];
        out[..8].copy_from_slice(&ring.1.to_le_bytes());
        out[8..8 + KEY].copy_from_slice(&ring.0.0);
        if let Some(previous) = &ring.2 {
            out[8 + KEY..].copy_from_slice(&previous.0);
        }
        Some(out)
    }

    fn restore(&self, from: &[u8]) -> Option<()> {
        let from: &[u8; SAVED] = from.try_into().ok()?;
        let since = u64::from_le_bytes(from[..8].try_into().ok()?);
        let previous = &from[8 + KEY..];
        let none = previous.iter().all(|byte| *byte == 0);
        let previous = if none { None } else { Some(Key::from(previous)?) };
        *self.ring.write().ok()? = Ring(Key::from(&from[8..8 + KEY])?, since, previous);
        Some(())
    }
}

impl ProducesTickets for Keys {
    fn enabled(&self) -> bool {
        true
    }

    /// Asked right after `encrypt`.
    fn lifetime(&self) -> u32 {
        HOLDS_S.get()
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let chain = unsafe { SINCE.get().as_mut() };
        let since_s = chain.as_ref().map_or(0, |since_s| **since_s);
        let since_s = if since_s > 0 { since_s } else { now_s() };
        let until_s = valid_until_s(session)?;
        let left_s = self.left_s(since_s, until_s)?.min(2 * ROLL_S);
        let (key, _) = self.both()?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = [&since_s.to_le_bytes(), &until_s.to_le_bytes(), session].concat();
        let unique = Nonce::assume_unique_for_key(nonce);
        let about = Aad::from([key.name(), FORM].concat());
        key.1.seal_in_place_append_tag(unique, about, &mut sealed).ok()?;
        chain.into_iter().for_each(|kept| *kept = since_s);
        HOLDS_S.set(left_s as u32);
        Some([key.name(), &nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let (current, previous) = self.both()?;
        let key = [Some(current), previous].into_iter().flatten().find(|key| key.name() == name)?;
        let mut plain = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let about = Aad::from([name, FORM].concat());
        let len = key.1.open_in_place(nonce, about, &mut plain).ok()?.len();
        plain.truncate(len);
        let (since_s, until_s) = times(&plain)?;
        self.left_s(since_s, until_s)?;
        unsafe { SINCE.get().as_mut() }.into_iter().for_each(|kept| *kept = since_s);
        plain.drain(..TIMES);
        Some(plain)
    }
}

/// Ticket keys, shared by all that hold a handle.
pub struct RiverTlsTicketer(pub Arc<Keys>);

#[unsafe(no_mangle)]
pub extern "C" fn river_tls_ticketer_new(lifetime_s: u64) -> *mut RiverTlsTicketer {
    let keys = guarded(None, || Keys::new(lifetime_s));
    keys.map_or(ptr::null_mut(), |keys| Box::into_raw(Box::new(RiverTlsTicketer(Arc::new(keys)))))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_ticketer_clone(
    ticketer: *const RiverTlsTicketer,
) -> *mut RiverTlsTicketer {
    let same = unsafe { ticketer.as_ref() }.map(|t| Box::new(RiverTlsTicketer(t.0.clone())));
    same.map_or(ptr::null_mut(), Box::into_raw)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_ticketer_free(ticketer: *mut RiverTlsTicketer) {
    let free = || drop(unsafe { Box::from_raw(ticketer) });
    (!ticketer.is_null()).then(|| guarded((), free));
}

/// Writes the keys if there is room for them, and says how many bytes they have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_ticketer_save(
    ticketer: *const RiverTlsTicketer, out: *mut u8, room: usize,
) -> usize {
    let saved = unsafe { ticketer.as_ref() }.and_then(|t| guarded(None, || t.0.save()));
    let Some(saved) = saved.filter(|saved| saved.len() <= room) else {
        return 0;
    };
    unsafe { ptr::copy_nonoverlapping(saved.as_ptr(), out, saved.len()) };
    saved.len()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_ticketer_restore(
    ticketer: *const RiverTlsTicketer, from: *const u8, len: usize,
) -> bool {
    let (ticketer, from) = unsafe { (ticketer.as_ref(), items(from, len)) };
    ticketer.is_some_and(|t| guarded(None, || t.0.restore(from)).is_some())
}

#[unsafe(no_mangle)]
pub extern "C" fn river_tls_session_begin(since_s: *mut u64) {
    SINCE.set(since_s);
}
