//! The libraries that River links, as one archive: what they export to C, and the adapters (tls.rs,
//! tickets.rs, sessions.rs, verifier.rs, certificate.rs, revocation.rs, staple.rs, toml.rs) for
//! what they offer to Rust only.

pub use libnghttp2_sys;
pub use libz_rs_sys;
pub use rure;
pub use rustls_ffi;

mod certificate;
mod revocation;
mod sessions;
mod signed;
mod staple;
mod tickets;
mod tls;
mod toml;
mod verifier;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`; a panic becomes `otherwise`, because none may cross into C.
fn guarded<T>(otherwise: T, f: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(otherwise)
}

/// The `count` items at `at`; none when there are none, whatever `at` is.
///
/// # Safety
/// `at` points to `count` readable items that stay unchanged for `'a`.
unsafe fn items<'a, T>(at: *const T, count: usize) -> &'a [T] {
    if at.is_null() || count == 0 {
        return &[];
    }
    unsafe { std::slice::from_raw_parts(at, count) }
}
