//! JSON columns that keep the order of their members.
//!
//! sqlx's own `Json` declares its parameter as `jsonb`; bound to a `json` column it is converted on
//! the server and its members come back sorted. [`AsJson`] declares `json`, so the text is stored
//! as it was written. Reading is the row struct's business: it takes [`RawJson`], and the
//! conversion to the domain type names table and column when the text is not what was expected.

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{
    Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef, types::Oid},
};

use crate::StoreError;

/// Oid of `json`, fixed by Postgres' catalogue.
const JSON: PgTypeInfo = PgTypeInfo::with_oid(Oid(114));

/// A parameter for a `json` column: anything that serializes. `Option<AsJson<_>>` binds NULL.
#[derive(Debug, Clone, Copy)]
pub struct AsJson<T>(pub T);

impl<T> Type<Postgres> for AsJson<T> {
    fn type_info() -> PgTypeInfo {
        JSON
    }
}

impl<T: Serialize> Encode<'_, Postgres> for AsJson<T> {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> std::result::Result<IsNull, BoxDynError> {
        serde_json::to_writer(&mut **buf, &self.0)?;
        Ok(IsNull::No)
    }
}

/// The text of a `json` column, not parsed yet.
#[derive(Debug, Clone)]
pub(crate) struct RawJson(pub Box<str>);

impl Type<Postgres> for RawJson {
    fn type_info() -> PgTypeInfo {
        JSON
    }
}

impl Decode<'_, Postgres> for RawJson {
    fn decode(value: PgValueRef<'_>) -> std::result::Result<Self, BoxDynError> {
        Ok(Self(std::str::from_utf8(value.as_bytes()?)?.into()))
    }
}

impl RawJson {
    /// The value, or an error that names the place.
    pub fn parse<T: DeserializeOwned>(
        &self,
        table: &'static str,
        column: &'static str,
        id: impl std::fmt::Display,
    ) -> Result<T, StoreError> {
        serde_json::from_str(&self.0).map_err(|e| corrupt(table, column, id, e))
    }
}

/// The value of a nullable column, or an error that names the place. The JSON value `null` counts
/// as absent.
pub(crate) fn parse_opt<T: DeserializeOwned>(
    raw: Option<&RawJson>,
    table: &'static str,
    column: &'static str,
    id: impl std::fmt::Display,
) -> Result<Option<T>, StoreError> {
    raw.filter(|r| &*r.0 != "null").map(|r| r.parse(table, column, id)).transpose()
}

/// A row that this version cannot read.
pub(crate) fn corrupt(
    table: &'static str,
    column: &'static str,
    id: impl std::fmt::Display,
    problem: impl std::fmt::Display,
) -> StoreError {
    StoreError::Corrupt { table, column, id: id.to_string(), problem: problem.to_string() }
}
