//! Images: build, pull, describe, remove.

mod build;
mod list;
mod pull;

pub use build::{BuildNetwork, BuildOptions, BuildStream, PullPolicy};
pub use list::{Image, ImageConfig, ListedImage, RemovedImages};
pub use pull::{PullOptions, PullStream};
