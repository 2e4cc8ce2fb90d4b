//! What containers use, sampled by the service.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::libpod::error::{Error, Kind, Result};
use crate::libpod::request::{Connection, Request};
use crate::libpod::response::ByteStream;
use crate::libpod::stream::JsonLines;
use crate::libpod::{Client, ContainerId, null};

/// One container's use at one moment.
///
/// All zero where the service has no cgroup controllers to read: that is "not known", not "nothing".
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Sample {
    /// Which container.
    #[serde(rename = "ContainerID")]
    pub id: ContainerId,
    /// Its name.
    #[serde(rename = "Name", default)]
    pub name: String,
    /// Percent of one cpu; in the first sample since the container's start.
    #[serde(rename = "CPU", default)]
    pub cpu_percent: f64,
    /// Nanoseconds of cpu so far.
    #[serde(rename = "CPUNano", default)]
    pub cpu_nanos: u64,
    /// Bytes of memory.
    #[serde(rename = "MemUsage", default)]
    pub memory: u64,
    /// Limit in bytes; the host's memory where there is none.
    #[serde(rename = "MemLimit", default)]
    pub memory_limit: u64,
    /// Percent of the limit.
    #[serde(rename = "MemPerc", default)]
    pub memory_percent: f64,
    /// Bytes received (4.x).
    #[serde(rename = "NetInput", default)]
    net_input: u64,
    /// Bytes sent (4.x).
    #[serde(rename = "NetOutput", default)]
    net_output: u64,
    /// Bytes by interface (5.0 and later).
    #[serde(rename = "Network", default, deserialize_with = "null::default")]
    network: BTreeMap<String, Interface>,
    /// Bytes read from disks.
    #[serde(rename = "BlockInput", default)]
    pub block_input: u64,
    /// Bytes written to disks.
    #[serde(rename = "BlockOutput", default)]
    pub block_output: u64,
    /// Processes.
    #[serde(rename = "PIDs", default)]
    pub pids: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Interface {
    rx_bytes: u64,
    tx_bytes: u64,
}

impl Sample {
    /// Bytes received, over all interfaces.
    pub fn received(&self) -> u64 {
        self.net_input + self.network.values().map(|i| i.rx_bytes).sum::<u64>()
    }

    /// Bytes sent, over all interfaces.
    pub fn sent(&self) -> u64 {
        self.net_output + self.network.values().map(|i| i.tx_bytes).sum::<u64>()
    }

    /// Whether the service could measure at all.
    pub fn is_measured(&self) -> bool {
        self.pids > 0 || self.memory > 0 || self.cpu_nanos > 0
    }
}

/// Samples as they come.
#[derive(Debug)]
pub struct StatsStream {
    body: ByteStream,
    lines: JsonLines<Report>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    /// A Go error: `{}` without a text, or null.
    #[serde(default)]
    error: Option<serde_json::Value>,
    #[serde(default, deserialize_with = "null::default")]
    stats: Vec<Sample>,
}

impl Client {
    /// Samples containers (all running ones if `ids` is empty), every `interval` seconds or once.
    ///
    /// Source: `GET /libpod/containers/stats`.
    pub async fn container_stats(
        &self,
        ids: &[ContainerId],
        interval: Option<u32>,
    ) -> Result<StatsStream> {
        let mut request = Request::get(&["containers", "stats"])
            .flag("stream", interval.is_some())
            .on(Connection::Own);
        if let Some(seconds) = interval {
            request = request.number("interval", seconds);
        }
        for id in ids {
            request = request.query("containers", id.as_str());
        }
        let body = self.send(request).await?.stream();
        let lines = JsonLines::new(body.endpoint());
        Ok(StatsStream { body, lines })
    }
}

impl StatsStream {
    /// The next round of samples; `None` at the end.
    ///
    /// # Errors
    /// A container that is gone: 4.3 says so inside a 200 and without a word of why.
    pub async fn next(&mut self) -> Result<Option<Vec<Sample>>> {
        match self.lines.next_from(&mut self.body).await? {
            Some(Report { error: Some(_), .. }) => Err(Error::new(Kind::Failed(
                "the service cannot measure a container (it has ended or is gone)".to_owned(),
            ))),
            Some(report) => Ok(Some(report.stats)),
            None => Ok(None),
        }
    }
}
