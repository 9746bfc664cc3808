//! Looking at the catalogue as people do.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, ensure};
use custos_local::Part;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{eventually, site::Site};

impl Site {
    /// Calls a people's API; answers the status and the body, `null` when there is none.
    pub async fn call(
        &self,
        service: Part,
        person: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let token = self.stack.token(person)?;
        let url = format!("{}{path}", self.stack.url(service));
        let mut request = self.stack.https()?.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }

    /// GET, which must succeed.
    pub async fn get(&self, service: Part, person: &str, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.call(service, person, Method::GET, path, None).await?;
        ensure!(status.is_success(), "{service} {path}: {status} {body}");
        Ok(body)
    }

    /// Every item of an agency in the catalogue, by code.
    pub async fn items(&self, tenant: &str) -> anyhow::Result<BTreeMap<String, Value>> {
        let person = format!("{}-auditor", tenant.to_lowercase());
        let (mut items, mut after) = (BTreeMap::new(), String::new());
        loop {
            let page = self.get(Part::Records, &person, &format!("/v1/items?limit=50{after}")).await?;
            for item in page["items"].as_array().context("no items")? {
                items.insert(item["code"].as_str().context("no code")?.to_owned(), item.clone());
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(items),
            }
        }
    }

    /// Waits until each of these items is sealed, derived from and locked to its obligation in the catalogue.
    pub async fn settled(&self, tenant: &str, codes: &[String]) -> anyhow::Result<BTreeMap<String, Value>> {
        eventually("the catalogue", Duration::from_mins(2), || self.settled_now(tenant, codes)).await
    }

    /// The same in one look: fails with what is not so yet.
    pub async fn settled_now(&self, tenant: &str, codes: &[String]) -> anyhow::Result<BTreeMap<String, Value>> {
        let items = self.items(tenant).await?;
        for code in codes {
            let item = items.get(code).with_context(|| format!("{code} is not catalogued"))?;
            ensure!(item["state"] == "sealed", "{code} is {}", item["state"]);
            ensure!(item["playback"] != "pending", "{code} has no playback outcome");
            ensure!(item["class"] != "pending", "{code} has no article that keeps it yet: {item}");
        }
        Ok(items)
    }
}
