//! Enumerations whose values are stored and sent as text, and of which a later version may know more.

/// Makes an enumeration with one spelling for each value: `as_str`, `parse`, `Display`, serde as a string. A text that is no
/// known spelling becomes `Other` and is written as it was read: rows and messages of other versions survive.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A spelling that this version does not know.
            Other(String),
        }

        impl $name {
            /// All values that this version knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant,)*];

            /// The spelling in the database and on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }

            /// The value with this spelling.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok(Self::parse(&std::borrow::Cow::<'de, str>::deserialize(deserializer)?))
            }
        }
    };
}

pub(crate) use open_enum;

#[cfg(test)]
mod tests {
    use crate::{RunErrorKind, RunType};

    #[test]
    fn every_known_spelling_is_read_back_as_its_value() {
        assert!(RunType::KNOWN.iter().all(|t| RunType::parse(t.as_str()) == *t));
        assert!(RunErrorKind::KNOWN.iter().all(|k| RunErrorKind::parse(k.as_str()) == *k));
    }

    #[test]
    fn an_unknown_spelling_is_kept() {
        assert_eq!(RunType::parse("from_a_later_version").as_str(), "from_a_later_version");
        let kind: RunErrorKind = serde_json::from_str("\"new_error\"").expect("any text is a kind");
        assert_eq!(kind, RunErrorKind::Other("new_error".into()));
        assert_eq!(serde_json::to_string(&kind).expect("it serializes"), "\"new_error\"");
    }
}
