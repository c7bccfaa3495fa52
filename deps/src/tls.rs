//! River's adapters to rustls (river_tls.h): key exchange groups, ticket keys, key logs. Handles of
//! rustls-ffi are raw pointers of Arcs (`impl Castable` in its sources): that we rely on.

use crate::tickets::RiverTlsTicketer;
use crate::{guarded, items};
use rustls::crypto::aws_lc_rs::{self, ALL_CIPHER_SUITES, ALL_KX_GROUPS, DEFAULT_KX_GROUPS};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, KeyLog, ServerConfig};
use rustls_ffi::rustls_result;
use std::ffi::{c_char, c_void};
use std::{ptr, sync::Arc};

#[repr(C)]
#[rustfmt::skip]
pub struct RiverTlsName { id: u16, by_default: bool, name: *const c_char, name_bytes: usize }

fn named(id: u16, by_default: bool, name: Option<&'static str>) -> RiverTlsName {
    let name = name.unwrap_or("");
    RiverTlsName { id, by_default, name: name.as_ptr().cast(), name_bytes: name.len() }
}

fn named_group(group: &&dyn SupportedKxGroup) -> RiverTlsName {
    let by_default = DEFAULT_KX_GROUPS.iter().any(|other| other.name() == group.name());
    named(group.name().into(), by_default, group.name().as_str())
}

/// Writes as many as there is room for, and says how many there are.
unsafe fn list<T>(names: impl Iterator<Item = T>, out: *mut T, room: usize) -> usize {
    let write = |(i, name)| (i < room).then(|| unsafe { out.add(i).write(name) });
    names.enumerate().map(write).count()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_groups(
    provider: *const CryptoProvider, out: *mut RiverTlsName, room: usize,
) -> usize {
    let provider = unsafe { provider.as_ref() };
    let groups = provider.map_or(ALL_KX_GROUPS, |provider| &provider.kx_groups);
    unsafe { list(groups.iter().map(named_group), out, room) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_suites(out: *mut RiverTlsName, room: usize) -> usize {
    let names = ALL_CIPHER_SUITES.iter().map(|s| named(s.suite().into(), true, s.suite().as_str()));
    unsafe { list(names, out, room) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_provider_new(
    groups: *const u16, groups_count: usize, suites: *const u16, suites_count: usize,
) -> *const CryptoProvider {
    let (groups, suites) = unsafe { (items(groups, groups_count), items(suites, suites_count)) };
    let group = |id: &u16| ALL_KX_GROUPS.iter().find(|g| u16::from(g.name()) == *id).copied();
    let suite = |id: &u16| ALL_CIPHER_SUITES.iter().find(|s| u16::from(s.suite()) == *id).copied();
    let make = || {
        let mut provider = aws_lc_rs::default_provider();
        if !groups.is_empty() {
            provider.kx_groups = groups.iter().map(group).collect::<Option<_>>()?;
        }
        if !suites.is_empty() {
            provider.cipher_suites = suites.iter().map(suite).collect::<Option<_>>()?;
        }
        Some(Arc::into_raw(Arc::new(provider)))
    };
    guarded(ptr::null(), || make().unwrap_or(ptr::null()))
}

/// Replaces an `Arc<T>` behind a handle by a changed copy.
pub unsafe fn change<T: Clone>(handle: *mut *const T, f: impl FnOnce(&mut T)) -> rustls_result {
    let Some(handle) = (unsafe { handle.as_mut().filter(|handle| !handle.is_null()) }) else {
        return rustls_result::NullParameter;
    };
    guarded(rustls_result::Panic, || {
        let mut config = unsafe { Arc::from_raw(*handle) };
        f(Arc::make_mut(&mut config));
        *handle = Arc::into_raw(config);
        rustls_result::Ok
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_server_config_set_tickets(
    config: *mut *const ServerConfig, ticketer: *const RiverTlsTicketer, tls13_tickets: usize,
) -> rustls_result {
    let change_to = |config: &mut ServerConfig| {
        config.max_early_data_size = 0;
        if let Some(ticketer) = unsafe { ticketer.as_ref() } {
            config.ticketer = ticketer.0.clone();
            config.send_tls13_tickets = tls13_tickets;
        } else {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
    };
    unsafe { change(config, change_to) }
}

type KeyLogCallback =
    unsafe extern "C" fn(*mut c_void, *const c_char, usize, *const u8, usize, *const u8, usize);

#[derive(Clone, Debug)]
struct KeyLogTo(KeyLogCallback, *mut c_void);

// The caller of river_tls_*_set_key_log promises that the callback is for any thread.
unsafe impl Send for KeyLogTo {}
unsafe impl Sync for KeyLogTo {}

impl KeyLog for KeyLogTo {
    #[rustfmt::skip]
    fn log(&self, label: &str, random: &[u8], secret: &[u8]) {
        let label_at = label.as_ptr().cast();
        unsafe {
            (self.0)(self.1, label_at, label.len(), random.as_ptr(), random.len(),
                     secret.as_ptr(), secret.len())
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_server_config_set_key_log(
    config: *mut *const ServerConfig, callback: KeyLogCallback, context: *mut c_void,
) -> rustls_result {
    unsafe { change(config, |config| config.key_log = Arc::new(KeyLogTo(callback, context))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_tls_client_config_set_key_log(
    config: *mut *const ClientConfig, callback: KeyLogCallback, context: *mut c_void,
) -> rustls_result {
    unsafe { change(config, |config| config.key_log = Arc::new(KeyLogTo(callback, context))) }
}
