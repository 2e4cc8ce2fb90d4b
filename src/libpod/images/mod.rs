//! Images: build, pull, describe, remove.

mod build;
mod list;
mod pull;

pub use build::{
    BuildLimits, BuildNetwork, BuildOptions, BuildStream, ImageFormat, Layers, PullPolicy,
};
pub use list::{GraphDriver, HistoryEntry, Image, ImageConfig, ListedImage, RemovedImages};
pub use pull::{PullOptions, PullStream};
