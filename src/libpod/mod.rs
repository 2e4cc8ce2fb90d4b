//! A hand-written client of Podman's libpod REST API over its Unix socket.
//!
//! A `Request` is data; [`Client`] sends it; decoders in [`stream`] take bytes.
//! The layer knows nothing of sandboxes, agents, terminals or the environment, and could be cut out
//! as a crate of its own.
//!
//! ```no_run
//! use stockade::libpod::{Client, ContainerSpec, Endpoint};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(&Endpoint::unix("/run/user/1000/podman/podman.sock")).await?;
//! println!("Podman {}", client.version());
//!
//! let spec = ContainerSpec {
//!     image: "localhost/tools:latest".to_owned(),
//!     command: vec!["true".to_owned()],
//!     ..ContainerSpec::default()
//! };
//! let created = client.create_container(&spec).await?;
//! client.start_container(&created.id).await?;
//! let exit_code = client.wait_container(&created.id, std::time::Duration::from_millis(250)).await?;
//! client.remove_container(&created.id, Default::default()).await?;
//! println!("exit code {exit_code}");
//! # Ok(())
//! # }
//! ```

mod request;
mod response;
mod transport;

mod client;
mod error;
mod socket;
mod version;

mod containers;
mod events;
mod exec;
mod images;
mod secrets;
pub mod stream;
mod system;
mod volumes;

mod ids;
mod null;

pub use client::Client;
pub use containers::*;
pub use error::{ApiError, Error, Result};
pub use events::{Actor, Event, EventOptions, EventStream};
pub use exec::{ExecSpec, ExecState};
pub use ids::{ContainerId, ExecId, ImageId};
pub use images::*;
pub use request::{TarBody, TarChunk, TarWriter};
pub use response::ByteStream;
pub use secrets::{Secret, SecretSpec};
pub use socket::{Discovery, Endpoint, Source};
pub use system::{HostInfo, Info, SecurityInfo, ServiceVersion, StoreInfo};
pub use version::ApiVersion;
pub use volumes::{Volume, VolumeSpec};
