//! A deserializer around the parser's own that knows at which entry of the document it is, and can leave entries out.
//!
//! With it a document is read again without its first mistake, which brings out the second.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The way from the root to an entry: at each level which entry it is, counted from 0.
pub(super) type Path = Vec<u32>;

/// Entries that are passed over, and their keys.
pub(super) type LeftOut = BTreeMap<Path, Option<String>>;

/// Where the reading is, and where it failed.
pub(super) struct Walk<'a> {
    left_out: &'a LeftOut,
    here: RefCell<Path>,
    failed: RefCell<Option<Failure>>,
}

/// The entry that could not be read; its own, not that of a list or mapping around it.
pub(super) struct Failure {
    /// The way to it; empty for the whole document.
    pub(super) path: Path,
    /// Its key, where it has one.
    pub(super) key: Option<String>,
}

impl<'a> Walk<'a> {
    /// A reading that passes these entries over.
    pub(super) fn without(left_out: &'a LeftOut) -> Self {
        Self { left_out, here: RefCell::default(), failed: RefCell::default() }
    }

    /// Reads a value.
    pub(super) fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(&self, document: D) -> Result<T, D::Error> {
        T::deserialize(Walked { inner: document, walk: self, role: Role::Value })
    }

    /// Where it failed; the whole document when no entry did.
    pub(super) fn failure(self) -> Failure {
        self.failed.into_inner().unwrap_or(Failure { path: Path::new(), key: None })
    }

    /// Does something at the entry `index` of the list or mapping that is being read, and notes where it fails.
    fn at<R, E>(
        &self,
        index: u32,
        key: impl FnOnce() -> Option<String>,
        work: impl FnOnce() -> Result<R, E>,
    ) -> Result<R, E> {
        self.here.borrow_mut().push(index);
        let result = work();
        if result.is_err() && self.failed.borrow().is_none() {
            *self.failed.borrow_mut() = Some(Failure { path: self.here.borrow().clone(), key: key() });
        }
        self.here.borrow_mut().pop();
        result
    }

    /// Whether the entry `index` of the list or mapping that is being read is left out, and the key it has.
    fn passes_over(&self, index: u32) -> Option<&'a Option<String>> {
        if self.left_out.is_empty() {
            return None;
        }
        let mut path = self.here.borrow_mut();
        path.push(index);
        let found = self.left_out.get(&*path);
        path.pop();
        found
    }
}

/// What is being read.
#[derive(Clone, Copy)]
enum Role<'w> {
    Value,
    /// The inside of a `Spanned`, which looks like a mapping and is none of the document's.
    Spanned(&'w Self),
    /// A key, of the mapping that has these already.
    Key(&'w Keys),
}

/// The keys of a mapping.
#[derive(Default)]
struct Keys {
    seen: RefCell<HashSet<String>>,
    last: RefCell<Option<String>>,
}

impl Keys {
    /// Notes a key. The error stands where the key does.
    fn note<E: serde::de::Error>(&self, key: &str) -> Result<(), E> {
        *self.last.borrow_mut() = Some(key.to_owned());
        if self.seen.borrow_mut().insert(key.to_owned()) {
            return Ok(());
        }
        Err(E::custom(format!("the key `{key}` stands twice; keep one of them")))
    }
}

/// Hands everything on to the parser's deserializer, and is there again when that hands out entries.
struct Walked<'w, D> {
    inner: D,
    walk: &'w Walk<'w>,
    role: Role<'w>,
}

macro_rules! hand_on {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(Guide { visitor, walk: self.walk, role: self.role })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Walked<'_, D> {
    type Error = D::Error;

    hand_on! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, Guide { visitor, walk: self.walk, role: self.role })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        let inside = Role::Spanned(&self.role);
        let role = if name == SPANNED { inside } else { self.role };
        self.inner.deserialize_newtype_struct(name, Guide { visitor, walk: self.walk, role })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, Guide { visitor, walk: self.walk, role: self.role })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, Guide { visitor, walk: self.walk, role: self.role })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, Guide { visitor, walk: self.walk, role: self.role })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, Guide { visitor, walk: self.walk, role: self.role })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The name by which the parser knows that a value's place is wanted.
const SPANNED: &str = "__yaml_spanned";

/// The visitor of a type, shown round by the walk.
struct Guide<'w, V> {
    visitor: V,
    walk: &'w Walk<'w>,
    role: Role<'w>,
}

impl<V> Guide<'_, V> {
    fn note_key<E: serde::de::Error>(&self, key: &str) -> Result<(), E> {
        match self.role {
            Role::Key(keys) => keys.note(key),
            _ => Ok(()),
        }
    }
}

macro_rules! show {
    ($($method:ident: $kind:ty),* $(,)?) => {
        $(fn $method<E: serde::de::Error>(self, value: $kind) -> Result<V::Value, E> {
            self.visitor.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guide<'_, V> {
    type Value = V::Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(out)
    }

    show! {
        visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64, visit_i128: i128,
        visit_u8: u8, visit_u16: u16, visit_u32: u32, visit_u64: u64, visit_u128: u128, visit_f32: f32, visit_f64: f64,
        visit_char: char, visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>,
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<V::Value, E> {
        self.note_key(text)?;
        self.visitor.visit_str(text)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.note_key(text)?;
        self.visitor.visit_borrowed_str(text)
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<V::Value, E> {
        self.note_key(&text)?;
        self.visitor.visit_string(text)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Walked { inner, walk: self.walk, role: self.role })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Walked { inner, walk: self.walk, role: self.role })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Items { inner, walk: self.walk, next: 0 })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        match self.role {
            Role::Spanned(role) => {
                self.visitor.visit_map(Inside { inner, walk: self.walk, role: *role, is_value: false })
            }
            _ => self.visitor.visit_map(Entries { inner, walk: self.walk, next: 0, keys: Keys::default() }),
        }
    }

    /// What a word brings with it is read as one.
    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(inner)
    }
}

/// A seed whose value is read under the walk's eyes.
struct Seed<'w, S> {
    seed: S,
    walk: &'w Walk<'w>,
    role: Role<'w>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.seed.deserialize(Walked { inner, walk: self.walk, role: self.role })
    }
}

/// The items of a list.
struct Items<'w, A> {
    inner: A,
    walk: &'w Walk<'w>,
    next: u32,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Self { inner, walk, next } = self;
        while walk.passes_over(*next).is_some() {
            if walk.at(*next, || None, || inner.next_element::<IgnoredAny>())?.is_none() {
                return Ok(None);
            }
            *next += 1;
        }
        let seed = Seed { seed, walk, role: Role::Value };
        let item = walk.at(*next, || None, || inner.next_element_seed(seed))?;
        *next += 1;
        Ok(item)
    }

    fn size_hint(&self) -> Option<usize> {
        None
    }
}

/// The entries of a mapping.
struct Entries<'w, A> {
    inner: A,
    walk: &'w Walk<'w>,
    next: u32,
    keys: Keys,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let Self { inner, walk, next, keys } = self;
        while let Some(key) = walk.passes_over(*next) {
            keys.seen.borrow_mut().extend(key.clone());
            if walk.at(*next, || None, || inner.next_entry::<IgnoredAny, IgnoredAny>())?.is_none() {
                return Ok(None);
            }
            *next += 1;
        }
        keys.last.borrow_mut().take();
        let seed = Seed { seed, walk, role: Role::Key(keys) };
        walk.at(*next, || keys.last.borrow().clone(), || inner.next_key_seed(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let Self { inner, walk, next, keys } = self;
        let seed = Seed { seed, walk, role: Role::Value };
        let value = walk.at(*next, || keys.last.borrow().clone(), || inner.next_value_seed(seed))?;
        *next += 1;
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        None
    }
}

/// The inside of a `Spanned`: the value, and the parser's own words about its place.
struct Inside<'w, A> {
    inner: A,
    walk: &'w Walk<'w>,
    role: Role<'w>,
    is_value: bool,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Inside<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        let keys = Keys::default();
        let key = self.inner.next_key_seed(Seed { seed, walk: self.walk, role: Role::Key(&keys) })?;
        self.is_value = keys.last.borrow().as_deref() == Some("value");
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        if self.is_value {
            return self.inner.next_value_seed(Seed { seed, walk: self.walk, role: self.role });
        }
        self.inner.next_value_seed(seed)
    }
}
