//! A directory as a tar stream: the build context.
