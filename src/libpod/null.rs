//! The service writes `null` where a list or map is empty, depending on release and endpoint.

use serde::{Deserialize, Deserializer};

/// Reads `null` as the type's default. For `#[serde(default, deserialize_with = "null::default")]`.
pub(crate) fn default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
