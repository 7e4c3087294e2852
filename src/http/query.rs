//! A serde deserializer for query strings.
//!
//! What it does: repeated keys become lists (`?tags=a&tags=b`), one value becomes a list of one
//! where a list is wanted, and booleans are read in the spellings that Python clients send.
//! An empty value of a non-text member counts as absent.

use std::{
    borrow::Cow,
    collections::btree_map::{self, BTreeMap},
};

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::Error,
};

/// A parsed query string: every key with its values in order.
pub struct QueryDeserializer(BTreeMap<String, Vec<String>>);

impl QueryDeserializer {
    /// Parses `a=1&b=2`, percent-encoded.
    pub fn new(query: &str) -> Self {
        let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            // Some clients spell lists `tags[]=a`.
            let key = key.strip_suffix("[]").map_or_else(|| key.to_string(), str::to_owned);
            map.entry(key).or_default().push(value.into_owned());
        }
        Self(map)
    }

    /// The values of a key, for error answers.
    pub fn values(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }
}

impl<'de> Deserializer<'de> for &'de QueryDeserializer {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Pairs { pairs: self.0.iter(), value: None })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

struct Pairs<'de> {
    pairs: btree_map::Iter<'de, String, Vec<String>>,
    value: Option<&'de Vec<String>>,
}

impl<'de> MapAccess<'de> for Pairs<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.pairs.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let values = self.value.take().map_or(&[][..], Vec::as_slice);
        seed.deserialize(Values(values))
    }
}

/// All values of one key. As a scalar the last one counts.
struct Values<'de>(&'de [String]);

impl<'de> Values<'de> {
    fn last(&self) -> &'de str {
        self.0.last().map_or("", String::as_str)
    }

    fn parse<T: std::str::FromStr>(&self, expected: &str) -> Result<T, Error> {
        self.last().trim().parse().map_err(|_| de::Error::custom(format_args!("expected {expected}")))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.parse($expected)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Values<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.last())
    }

    numbers! {
        deserialize_i8 visit_i8 "an integer";
        deserialize_i16 visit_i16 "an integer";
        deserialize_i32 visit_i32 "an integer";
        deserialize_i64 visit_i64 "an integer";
        deserialize_u8 visit_u8 "an integer that is not negative";
        deserialize_u16 visit_u16 "an integer that is not negative";
        deserialize_u32 visit_u32 "an integer that is not negative";
        deserialize_u64 visit_u64 "an integer that is not negative";
        deserialize_f32 visit_f32 "a number";
        deserialize_f64 visit_f64 "a number";
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.last().trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" | "t" | "y" => visitor.visit_bool(true),
            "false" | "0" | "off" | "no" | "f" | "n" => visitor.visit_bool(false),
            _ => Err(de::Error::custom("expected `true` or `false`")),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.iter().all(String::is_empty) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Items(self.0.iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(Unit(self.last()))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, String>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|value| seed.deserialize(Values(std::slice::from_ref(value)))).transpose()
    }
}

struct Unit<'de>(&'de str);

impl<'de> EnumAccess<'de> for Unit<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        Ok((seed.deserialize(Cow::Borrowed(self.0).into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Unit<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(de::Error::custom("expected a word"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("expected a word"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        Err(de::Error::custom("expected a word"))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Q {
        tags: Vec<String>,
        limit: Option<i64>,
        all: bool,
        name: Option<String>,
        order: Option<Order>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Order {
        Asc,
    }

    fn read(query: &str) -> Result<Q, String> {
        Q::deserialize(&QueryDeserializer::new(query)).map_err(|e| e.to_string())
    }

    #[test]
    fn repeated_keys_are_lists_and_the_last_scalar_counts() {
        let q = read("tags=a&tags=b%20c&limit=1&limit=2&all=True&order=asc&unknown=1").expect("it parses");
        assert_eq!(q.tags, ["a", "b c"]);
        assert_eq!((q.limit, q.all, q.order), (Some(2), true, Some(Order::Asc)));
        assert_eq!(read("tags[]=a").expect("it parses").tags, ["a"]);
    }

    #[test]
    fn empty_values_count_as_absent() {
        assert_eq!(read("limit=&name="), Ok(Q::default()));
    }

    #[test]
    fn wrong_values_say_what_was_expected() {
        assert_eq!(read("limit=x").unwrap_err(), "expected an integer");
        assert_eq!(read("all=maybe").unwrap_err(), "expected `true` or `false`");
        assert!(read("order=up").unwrap_err().contains("unknown variant `up`"));
    }
}
