//! Sandbox policy: what was asked, as libpod requests.
