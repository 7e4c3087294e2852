//! Parameters of built-in tools as static data, and the JSON schema made of them.

use engram_domain::{Json, JsonMap};
use serde_json::json;

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Param {
    pub name: &'static str,
    pub ty: Ty,
    pub required: bool,
    /// What the model is told about it.
    pub doc: &'static str,
    /// A name that only the earlier server knew. Accepted in calls, never shown.
    pub former: Option<&'static str>,
    /// Whether a call without it means the empty value of its type, though the schema requires it.
    pub or_empty: bool,
}

impl Param {
    /// With a name that the earlier server had for it.
    pub const fn formerly(self, name: &'static str) -> Self {
        Self { former: Some(name), ..self }
    }

    /// With the empty value of its type when a call leaves it out.
    pub const fn or_empty(self) -> Self {
        Self { or_empty: true, ..self }
    }
}

/// Its type: as much of JSON schema as the catalogue needs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ty {
    Text,
    Integer,
    Boolean,
    OneOf(&'static [&'static str]),
    List(&'static Ty),
    /// Two integers: a range.
    Range,
    Object(&'static [Param]),
}

/// A parameter that must be given.
pub(super) const fn required(name: &'static str, ty: Ty, doc: &'static str) -> Param {
    Param { name, ty, required: true, doc, former: None, or_empty: false }
}

/// A parameter that may be left out. No `default` is ever put into a schema.
pub(super) const fn optional(name: &'static str, ty: Ty, doc: &'static str) -> Param {
    Param { name, ty, required: false, doc, former: None, or_empty: false }
}

/// The schema of an object with these members. Both `properties` and `required` are always there,
/// as strict providers want it.
pub(super) fn object(params: &[Param]) -> Json {
    let properties: JsonMap = params
        .iter()
        .map(|p| {
            let mut schema = p.ty.schema();
            if let Some(map) = schema.as_object_mut() {
                map.insert("description".into(), p.doc.into());
            }
            (p.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = params.iter().filter(|p| p.required).map(|p| p.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

impl Ty {
    /// What [`Param::or_empty`] puts in: nothing, as a value of this type.
    pub(super) fn empty(self) -> Json {
        match self {
            Self::Text | Self::OneOf(_) => json!(""),
            Self::List(_) | Self::Range => json!([]),
            Self::Object(_) => json!({}),
            Self::Integer => json!(0),
            Self::Boolean => json!(false),
        }
    }

    fn schema(self) -> Json {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Integer => json!({"type": "integer"}),
            Self::Boolean => json!({"type": "boolean"}),
            Self::OneOf(values) => json!({"type": "string", "enum": values}),
            Self::List(items) => json!({"type": "array", "items": items.schema()}),
            Self::Range => json!({
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "integer"}],
                "minItems": 2,
                "maxItems": 2,
            }),
            Self::Object(params) => object(params),
        }
    }
}
