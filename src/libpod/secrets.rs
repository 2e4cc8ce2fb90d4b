//! Secrets kept by the service. Its file driver only encodes them: whoever has the socket can read
//! them.

use bytes::Bytes;
use serde::Deserialize;

use super::Client;
use super::error::{Error, Result};
use super::request::{Body, Request};

/// The longest secret, in bytes.
const LIMIT: usize = 512_000 - 1;

/// A secret as the service describes it, without its value.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Secret {
    /// Identifier.
    #[serde(rename = "ID")]
    pub id: String,
    /// What it is called.
    pub spec: SecretSpec,
}

/// What a secret is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SecretSpec {
    /// Name.
    pub name: String,
}

impl Client {
    /// Makes a secret; the value goes in the body only.
    ///
    /// Source: `POST /libpod/secrets/create`.
    ///
    /// # Errors
    /// An empty value or one above 511 999 bytes, or a name that is taken.
    pub async fn create_secret(&self, name: &str, value: Bytes) -> Result<String> {
        #[derive(Deserialize)]
        struct Created {
            #[serde(rename = "ID")]
            id: String,
        }
        let request = Request::post(&["secrets", "create"]).query("name", name);
        if value.is_empty() || value.len() > LIMIT {
            return Err(Error::protocol(
                &request.endpoint(),
                format!(
                    "a secret has 1 to {LIMIT} bytes, this one has {}",
                    value.len()
                ),
            ));
        }
        let created: Created = self
            .send(request.body(Body::Raw(value)))
            .await?
            .json()
            .await?;
        Ok(created.id)
    }

    /// Describes a secret, without its value.
    ///
    /// Source: `GET /libpod/secrets/{name}/json`.
    pub async fn inspect_secret(&self, name: &str) -> Result<Secret> {
        let request = Request::get(&["secrets", name, "json"]);
        self.send(request).await?.json().await
    }

    /// Whether a secret exists. (The route of that name is only there from 4.7 on.)
    ///
    /// Source: `GET /libpod/secrets/{name}/json`.
    pub async fn secret_exists(&self, name: &str) -> Result<bool> {
        match self.inspect_secret(name).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a secret.
    ///
    /// Source: `DELETE /libpod/secrets/{name}`.
    pub async fn remove_secret(&self, name: &str) -> Result<()> {
        let request = Request::delete(&["secrets", name]);
        self.send(request).await?.done().await
    }
}
