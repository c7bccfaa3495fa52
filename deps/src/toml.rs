//! River's adapter to the toml crate (river_toml.h): a document as a walk over its parts.

use crate::{guarded, items};
use std::ffi::c_void;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

#[repr(C)]
#[derive(Clone, Copy)]
pub enum RiverTomlKind {
    TableOpen,
    TableClose,
    ArrayOpen,
    ArrayClose,
    String,
    Integer,
    Float,
    Boolean,
    DateTime,
    Mistake,
}

#[repr(C)]
pub struct RiverTomlEvent {
    kind: RiverTomlKind,
    key: *const u8,
    key_bytes: usize,
    key_from: usize,
    key_to: usize,
    from: usize,
    to: usize,
    text: *const u8,
    text_bytes: usize,
    radix: u32,
    truth: bool,
}

type Callback = unsafe extern "C" fn(*mut c_void, *const RiverTomlEvent);

struct Walk {
    callback: Callback,
    context: *mut c_void,
}

impl Walk {
    fn say(
        &self, kind: RiverTomlKind, key: Option<&Spanned<impl AsRef<str>>>, at: Range<usize>,
        text: &str, radix: u32, truth: bool,
    ) {
        let (key, key_at) = match key {
            Some(key) => (key.get_ref().as_ref(), key.span()),
            None => ("", 0..0),
        };
        let event = RiverTomlEvent {
            kind,
            key: key.as_ptr(),
            key_bytes: key.len(),
            key_from: key_at.start,
            key_to: key_at.end,
            from: at.start,
            to: at.end,
            text: text.as_ptr(),
            text_bytes: text.len(),
            radix,
            truth,
        };
        unsafe { (self.callback)(self.context, &event) };
    }

    fn table(&self, table: &DeTable<'_>) {
        for (key, value) in table {
            self.value(Some(key), value);
        }
    }

    fn value(&self, key: Option<&Spanned<impl AsRef<str>>>, value: &Spanned<DeValue<'_>>) {
        use RiverTomlKind::*;
        let at = value.span();
        match value.get_ref() {
            DeValue::Table(table) => {
                self.say(TableOpen, key, at.clone(), "", 0, false);
                self.table(table);
                self.say(TableClose, key, at, "", 0, false);
            }
            DeValue::Array(array) => {
                self.say(ArrayOpen, key, at.clone(), "", 0, false);
                for item in array.iter() {
                    self.value(None::<&Spanned<&str>>, item);
                }
                self.say(ArrayClose, key, at, "", 0, false);
            }
            DeValue::String(text) => self.say(String, key, at, text, 0, false),
            DeValue::Integer(number) => {
                self.say(Integer, key, at, number.as_str(), number.radix(), false)
            }
            DeValue::Float(number) => self.say(Float, key, at, number.as_str(), 0, false),
            DeValue::Boolean(truth) => self.say(Boolean, key, at, "", 0, *truth),
            DeValue::Datetime(time) => self.say(DateTime, key, at, &time.to_string(), 0, false),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_toml_walk(
    text: *const u8, bytes: usize, callback: Callback, context: *mut c_void,
) -> bool {
    guarded(false, || {
        let walk = Walk { callback, context };
        let none = None::<&Spanned<&str>>;
        let text = match std::str::from_utf8(unsafe { items(text, bytes) }) {
            Ok(text) => text,
            Err(error) => {
                let at = error.valid_up_to()..error.valid_up_to() + 1;
                walk.say(RiverTomlKind::Mistake, none, at, "not UTF-8", 0, false);
                return false;
            }
        };
        let (document, mistakes) = DeTable::parse_recoverable(text);
        for mistake in &mistakes {
            let at = mistake.span().unwrap_or(0..0);
            walk.say(RiverTomlKind::Mistake, none, at, mistake.message(), 0, false);
        }
        walk.table(document.get_ref());
        mistakes.is_empty()
    })
}
