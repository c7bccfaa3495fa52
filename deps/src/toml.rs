//! River's adapter to the toml crate (river_toml.h): a document as a walk over its parts.

use crate::{guarded, items};
use std::{ffi::c_void, ops::Range};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

#[repr(C)]
#[rustfmt::skip]
#[derive(Clone, Copy)]
pub enum Kind {
    TableOpen, TableClose, ArrayOpen, ArrayClose,
    String, Integer, Float, Boolean, DateTime, Mistake,
}
use Kind::*;

#[repr(C)]
#[rustfmt::skip]
pub struct RiverTomlEvent {
    kind: Kind,
    key: *const u8, key_bytes: usize, key_from: usize, key_to: usize,
    from: usize, to: usize,
    text: *const u8, text_bytes: usize,
    radix: u32, truth: bool,
}

type Callback = unsafe extern "C" fn(*mut c_void, *const RiverTomlEvent);
type Key<'a> = Option<(&'a str, Range<usize>)>;

struct Walk(Callback, *mut c_void);

impl Walk {
    #[rustfmt::skip]
    fn say(&self, kind: Kind, key: &Key, at: Range<usize>, text: &str, radix: u32, truth: bool) {
        let (key, key_at) = key.clone().unwrap_or(("", 0..0));
        let event = RiverTomlEvent {
            kind, radix, truth, from: at.start, to: at.end,
            key: key.as_ptr(), key_bytes: key.len(), key_from: key_at.start, key_to: key_at.end,
            text: text.as_ptr(), text_bytes: text.len(),
        };
        unsafe { (self.0)(self.1, &event) };
    }

    fn table(&self, table: &DeTable<'_>) {
        for (key, value) in table {
            self.value(Some((key.get_ref().as_ref(), key.span())), value);
        }
    }

    fn value(&self, key: Key, value: &Spanned<DeValue<'_>>) {
        let at = value.span();
        match value.get_ref() {
            DeValue::Table(table) => {
                self.say(TableOpen, &key, at.clone(), "", 0, false);
                self.table(table);
                self.say(TableClose, &key, at, "", 0, false);
            }
            DeValue::Array(array) => {
                self.say(ArrayOpen, &key, at.clone(), "", 0, false);
                array.iter().for_each(|item| self.value(None, item));
                self.say(ArrayClose, &key, at, "", 0, false);
            }
            DeValue::String(text) => self.say(String, &key, at, text, 0, false),
            DeValue::Integer(n) => self.say(Integer, &key, at, n.as_str(), n.radix(), false),
            DeValue::Float(n) => self.say(Float, &key, at, n.as_str(), 0, false),
            DeValue::Boolean(truth) => self.say(Boolean, &key, at, "", 0, *truth),
            DeValue::Datetime(time) => self.say(DateTime, &key, at, &time.to_string(), 0, false),
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn river_toml_walk(
    text: *const u8, bytes: usize, callback: Callback, context: *mut c_void,
) -> bool {
    let walk = Walk(callback, context);
    let mistake = |at, what: &str| walk.say(Mistake, &None, at, what, 0, false);
    let all = || match std::str::from_utf8(unsafe { items(text, bytes) }) {
        Err(error) => {
            mistake(error.valid_up_to()..error.valid_up_to() + 1, "not UTF-8");
            false
        }
        Ok(text) => {
            let (document, errors) = DeTable::parse_recoverable(text);
            errors.iter().for_each(|e| mistake(e.span().unwrap_or(0..0), e.message()));
            walk.table(document.get_ref());
            errors.is_empty()
        }
    };
    guarded(false, all)
}
