//! Looking at the bus through its monitoring port.

use anyhow::Context;
use serde_json::Value;

use crate::site::Site;

impl Site {
    /// What the bus says of a stream.
    pub async fn stream(&self, name: &str) -> anyhow::Result<Value> {
        let url = format!("{}/jsz?streams=true&consumers=true&config=true", self.stack.nats_monitor_url());
        let all: Value = reqwest::get(url).await?.json().await?;
        let accounts = all["account_details"].as_array().into_iter().flatten();
        let mut streams = accounts.flat_map(|account| account["stream_detail"].as_array().into_iter().flatten());
        let found = streams.find(|stream| stream["name"] == name).cloned();
        found.with_context(|| format!("the bus has no stream {name}"))
    }

    /// Messages a consumer has not finished: waiting or under way.
    pub async fn unfinished(&self, consumer: &str) -> anyhow::Result<u64> {
        let stream = self.stream("FOOTAGE").await?;
        let consumers = stream["consumer_detail"].as_array().cloned().unwrap_or_default();
        let found = consumers.into_iter().find(|c| c["name"] == consumer);
        let found = found.with_context(|| format!("the bus has no consumer {consumer}"))?;
        Ok(found["num_pending"].as_u64().unwrap_or(0) + found["num_ack_pending"].as_u64().unwrap_or(0))
    }
}
