//! Ticket keys that can be handed to the next process (river_tls.h). rustls's own cannot leave it.
//!
//! A ticket is the key's name, a random nonce, and the session under AES-256-GCM with the name as
//! associated data. A key makes tickets for six hours and opens them for twelve.

use crate::{guarded, items};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use rustls::server::ProducesTickets;
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, ptr};

const NAME: usize = 16;
const KEY: usize = NAME + 32;
const SAVED: usize = 8 + 2 * KEY;
const ROLL_S: u64 = 6 * 3600;

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

pub struct Keys(RwLock<Ring>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Keys {
    fn new() -> Option<Keys> {
        Some(Keys(RwLock::new(Ring(Key::fresh()?, now_s(), None))))
    }

    /// Rolls the keys where that is due (or the clock has gone back), and gives both.
    fn both(&self) -> Option<(Arc<Key>, Option<Arc<Key>>)> {
        let due = |ring: &Ring| now_s().wrapping_sub(ring.1) >= ROLL_S;
        let ring = self.0.read().ok()?;
        if !due(&ring) {
            return Some((ring.0.clone(), ring.2.clone()));
        }
        drop(ring);
        let mut ring = self.0.write().ok()?;
        if due(&ring) {
            let late = now_s().wrapping_sub(ring.1) >= 2 * ROLL_S;
            let old = std::mem::replace(&mut ring.0, Key::fresh()?);
            ring.2 = (!late).then_some(old);
            ring.1 = now_s();
        }
        Some((ring.0.clone(), ring.2.clone()))
    }

    fn save(&self) -> Option<[u8; SAVED]> {
        let ring = self.0.read().ok()?;
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
        *self.0.write().ok()? = Ring(Key::from(&from[8..8 + KEY])?, since, previous);
        Some(())
    }
}

impl ProducesTickets for Keys {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        2 * ROLL_S as u32
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let (key, _) = self.both()?;
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        key.1.seal_in_place_append_tag(unique, Aad::from(key.name()), &mut sealed).ok()?;
        Some([key.name(), &nonce, &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let (current, previous) = self.both()?;
        let key = [Some(current), previous].into_iter().flatten().find(|key| key.name() == name)?;
        let mut plain = sealed.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let len = key.1.open_in_place(nonce, Aad::from(name), &mut plain).ok()?.len();
        plain.truncate(len);
        Some(plain)
    }
}

/// Ticket keys, shared by all that hold a handle.
pub struct RiverTlsTicketer(pub Arc<Keys>);

#[unsafe(no_mangle)]
pub extern "C" fn river_tls_ticketer_new() -> *mut RiverTlsTicketer {
    let keys = guarded(None, Keys::new);
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
