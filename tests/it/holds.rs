//! Holds and locks by policy and by people (INV-6), and who may see what.

use std::time::Duration;

use anyhow::ensure;
use custos_domain::{
    calendar::{Period, eligible_from},
    fact::Act,
};
use custos_local::{Part, StackConfig};
use custos_tests::{
    eventually,
    history::{Log, assert_holds},
    recorder::noise_file,
    site::Site,
    store::{Root as Administrator, facts, locked_objects, manifest},
};
use reqwest::Method;
use serde_json::json;

/// Docks one small item at an agency's station.
async fn one(site: &Site, tenant: &str) -> anyhow::Result<String> {
    let recorder = site.scratch(&format!("recorder-{tenant}"));
    let name = format!("DCIM/DSJ0055{tenant}_P000345_20261122091500_0001_00.MP4");
    noise_file(&recorder, &name, 30_000, u64::from(tenant.as_bytes()[0]))?;
    let docked = site.dock(tenant, &recorder, &[]).await?;
    ensure!(docked.code == 0, "{docked:?}");
    Ok(docked.codes().remove(0))
}

/// Waits until the store's legal hold of every object of an item is `on`.
async fn held(site: &Site, code: &str, on: bool) -> anyhow::Result<()> {
    let vault = site.vault()?;
    eventually("the store's hold", Duration::from_mins(1), || async {
        let objects = locked_objects(&vault, code).await?;
        ensure!(objects.len() >= 4, "only {} objects yet", objects.len());
        for object in objects {
            ensure!(vault.is_held(&object).await? == on, "{} is {}held", object.key, if on { "not " } else { "" });
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn every_agency_keeps_by_its_own_regulation() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let vault = site.vault()?;
    for (tenant, period, cite) in
        [("B", "P3M", "B-4.6b"), ("C", "P6M", "C-11.1"), ("D", "P1Y", "D-14.1"), ("E", "P3M", "E-13.1")]
    {
        let code = one(&site, tenant).await?;
        let items = site.settled(tenant, std::slice::from_ref(&code)).await?;
        assert!(items[&code]["why"].to_string().contains(cite), "{tenant}: {}", items[&code]["why"]);
        let (manifest, _) = manifest(&vault, &code).await?;
        let until = eligible_from(manifest.ingested_at, Period::parse(period)?);
        for object in locked_objects(&vault, &code).await? {
            assert_eq!(vault.lock_of(&object).await?, Some(until), "{tenant}: {}", object.key);
        }
        assert_eq!(items[&code]["held"], false);
    }
    // A's base period is missing in its text: a safe floor, a hold, and never eligible.
    let code = one(&site, "A").await?;
    held(&site, &code, true).await?;
    let (manifest, _) = manifest(&vault, &code).await?;
    assert_eq!(manifest.locked_until, eligible_from(manifest.ingested_at, Period::parse("P180D")?));
    let items = eventually("A's hold in the catalogue", Duration::from_mins(1), || async {
        let items = site.items("A").await?;
        ensure!(items.get(&code).is_some_and(|item| item["held"] == true), "{items:?}");
        Ok(items)
    })
    .await?;
    assert!(
        items[&code]["why"].to_string().to_lowercase().contains("unset") || items[&code]["class"] == "unset",
        "{}",
        items[&code]
    );
    let eligible = site.get(Part::Retention, "a-archivist", "/v1/eligible").await?;
    assert!(!eligible.to_string().contains(&code), "{eligible}");
    assert_holds(&site, &Log::default(), None).await.map(drop)
}

#[tokio::test]
async fn a_hold_needs_a_reason_a_leader_and_two_people_to_end() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let vault = site.vault()?;
    let code = one(&site, "E").await?;
    site.settled("E", std::slice::from_ref(&code)).await?;

    let place = |cite: &str| json!({ "items": [&code], "cite": cite, "text": "當事人投訴", "permanence": "open" });
    let post = |person: &'static str, path: String, body| {
        site.call(Part::LegalHold, person, Method::POST, Box::leak(path.into_boxed_str()), Some(body))
    };
    let (status, refused) = post("d-leader", "/v1/holds".into(), place("D-15.1")).await?;
    assert!([403, 404, 422].contains(&status.as_u16()), "another agency's leader: {status} {refused}");
    let (status, first) = post("e-officer", "/v1/holds".into(), place("E-14.1")).await?;
    assert_eq!(status, 201, "{first}");
    let (status, second) = post("e-legal", "/v1/holds".into(), place("E-14.3")).await?;
    assert_eq!(status, 201, "{second}");
    held(&site, &code, true).await?;
    let root = Administrator::of(&site)?;
    let (original, _) = manifest(&vault, &code).await?;
    let version = format!("--version-id={}", original.original.version);
    assert!(root.mc(&["rm", "--force", "--bypass", &version], &original.original).await.is_err());

    let id = |hold: &serde_json::Value| hold["hold"].as_str().or(hold["id"].as_str()).unwrap_or_default().to_owned();
    let (first, second) = (id(&first), id(&second));
    let kept = kept_for(&site, &code, 2).await?;
    assert_eq!(kept["held"], true, "{kept}");
    assert!(kept["eligible_from"].is_null(), "nothing may be proposed for deletion under a hold: {kept}");
    assert_eq!(kept["holds"][0]["text"], "當事人投訴", "{kept}");
    let note = || json!({ "note": "同意" });
    let (status, same) = post("e-officer", format!("/v1/holds/{first}/confirm"), note()).await?;
    assert!([403, 409].contains(&status.as_u16()), "the one who asked may not confirm: {status} {same}");
    assert_eq!(post("e-leader", format!("/v1/holds/{first}/confirm"), note()).await?.0, 200);

    // Both people for the first reason: the second reason still stands, so the hold stays on.
    for hold in [&first, &second] {
        let (status, body) = post("e-legal", format!("/v1/holds/{hold}/propose-release"), note()).await?;
        assert_eq!(status, 200, "{body}");
        let (status, same) = post("e-legal", format!("/v1/holds/{hold}/release"), note()).await?;
        assert!([403, 409].contains(&status.as_u16()), "it takes two people: {status} {same}");
        let (status, body) = post("e-leader", format!("/v1/holds/{hold}/release"), note()).await?;
        assert_eq!(status, 200, "{body}");
        if hold == &first {
            tokio::time::sleep(Duration::from_secs(4)).await;
            held(&site, &code, true).await?;
        }
    }
    held(&site, &code, false).await?;
    let kept = kept_for(&site, &code, 0).await?;
    assert_eq!(kept["held"], false, "{kept}");
    assert!(kept["eligible_from"].is_string(), "{kept}");
    eventually("the facts of the hold", Duration::from_secs(30), || async {
        let facts = facts(&vault, &code).await?;
        for (act, times) in
            [("hold_placed", 2), ("hold_confirmed", 1), ("hold_release_proposed", 2), ("hold_released", 2)]
        {
            let found = facts.iter().filter(|fact| fact.act.name() == act).count();
            ensure!(found == times, "{act}: {found}");
        }
        Ok(())
    })
    .await?;
    assert_holds(&site, &Log::default(), None).await.map(drop)
}

/// What retention says of an item, once it knows of so many holds.
async fn kept_for(site: &Site, code: &str, holds: usize) -> anyhow::Result<serde_json::Value> {
    let path = format!("/v1/obligations/{code}");
    eventually("retention to know of the holds", Duration::from_mins(1), || async {
        let kept = site.get(Part::Retention, "e-leader", &path).await?;
        ensure!(kept["holds"].as_array().map(Vec::len) == Some(holds), "{kept}");
        Ok(kept)
    })
    .await
}

#[tokio::test]
async fn locks_and_holds_reach_every_version_that_somebody_with_root_put_over_an_item() -> anyhow::Result<()> {
    let every_second = |part| (part, "CUSTOS_AUDIT_SECONDS", "1");
    let mut config = StackConfig::test();
    for (part, name, value) in [Part::Retention, Part::LegalHold].map(every_second) {
        config = config.with_env(part, name, value);
    }
    let site = Site::with(config).await?;
    let vault = site.vault()?;
    let code = one(&site, "E").await?;
    let items = site.settled("E", std::slice::from_ref(&code)).await?;
    assert_eq!(items[&code]["held"], false);
    let (manifest, object) = manifest(&vault, &code).await?;
    let until = vault.lock_of(&manifest.original).await?.expect("a lock");
    let root = Administrator::of(&site)?;
    for disturbed in [&manifest.original, &object] {
        // The third is neither the oldest nor the newest, and a delete marker lies over all of them.
        for _ in 0..3 {
            root.overwrite(disturbed).await?;
        }
        root.mc(&["rm", "--force"], disturbed).await?;
    }
    let body = json!({ "items": [&code], "cite": "E-14.1", "text": "當事人投訴", "permanence": "open" });
    let (status, placed) = site.call(Part::LegalHold, "e-officer", Method::POST, "/v1/holds", Some(body)).await?;
    assert_eq!(status, 201, "{placed}");
    eventually("lock and hold on every version", Duration::from_mins(1), || async {
        for disturbed in [&manifest.original, &object] {
            let found = vault.every_version(&disturbed.bucket, &disturbed.key).await?;
            assert_eq!((found.versions.len(), found.delete_markers), (4, 1), "{found:?}");
            assert_eq!(found.first(), Some(disturbed), "the oldest is the truth");
            for version in &found.versions {
                ensure!(vault.is_held(version).await?, "{version:?} is not held");
                let lock = vault.lock_of(version).await?;
                ensure!(lock.is_some_and(|lock| lock >= until), "{version:?} is locked until {lock:?}");
            }
        }
        Ok(())
    })
    .await?;
    eventually("the incident", Duration::from_mins(1), || async {
        let facts = facts(&vault, &code).await?;
        let told = facts
            .iter()
            .any(|fact| matches!(&fact.act, Act::IncidentOpened { detail, .. } if detail.contains(&object.key)));
        ensure!(told, "no incident names {}", object.key);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn permanent_is_a_hold_at_once_and_the_horizon_on_confirmation() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let vault = site.vault()?;
    let code = one(&site, "A").await?;
    held(&site, &code, true).await?;
    let body = json!({ "items": [&code], "cite": "A-15.3", "text": "群體性事件", "permanence": "permanent" });
    let (status, placed) = site.call(Part::LegalHold, "a-officer", Method::POST, "/v1/holds", Some(body)).await?;
    assert_eq!(status, 201, "{placed}");
    let hold = placed["hold"].as_str().or(placed["id"].as_str()).unwrap_or_default();
    let (manifest, _) = manifest(&vault, &code).await?;
    let floor = vault.lock_of(&manifest.original).await?.expect("a lock");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(vault.lock_of(&manifest.original).await?, Some(floor), "no horizon before a leader has confirmed");

    let path = format!("/v1/holds/{hold}/confirm");
    let (status, body) =
        site.call(Part::LegalHold, "a-leader", Method::POST, &path, Some(json!({ "note": "同意" }))).await?;
    assert_eq!(status, 200, "{body}");
    let horizon = eligible_from(manifest.ingested_at, Period::parse("P100Y")?);
    eventually("the horizon", Duration::from_mins(1), || async {
        for object in locked_objects(&vault, &code).await? {
            let until = vault.lock_of(&object).await?.expect("a lock");
            let years = until.duration_since(manifest.ingested_at).as_hours() / (24 * 365);
            ensure!((99..=100).contains(&years) && until <= horizon, "{} until {until}", object.key);
        }
        Ok(())
    })
    .await?;
    let path = format!("/v1/holds/{hold}/propose-release");
    let ended = site.call(Part::LegalHold, "a-leader", Method::POST, &path, Some(json!({ "note": "結束" }))).await?;
    assert_eq!(ended.0, 409, "a confirmed permanent hold does not end: {}", ended.1);
    held(&site, &code, true).await?;
    assert_holds(&site, &Log::default(), None).await.map(drop)
}

#[tokio::test]
async fn people_see_their_own_unit_and_only_with_a_good_token() -> anyhow::Result<()> {
    let site = Site::start().await?;
    let code = one(&site, "E").await?;
    site.settled("E", std::slice::from_ref(&code)).await?;
    let path = format!("/v1/items/{code}");
    assert_eq!(site.call(Part::Records, "e-leader", Method::GET, &path, None).await?.0, 200);
    assert_eq!(site.call(Part::Records, "d-admin", Method::GET, &path, None).await?.0, 404);
    assert!(site.items("D").await?.is_empty());

    let mistyped = path.replacen("0001", "0002", 1);
    let (status, problem) = site.call(Part::Records, "e-leader", Method::GET, &mistyped, None).await?;
    assert_eq!(status, 400, "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("did you mean")), "{problem}");

    for service in [Part::Records, Part::Retention, Part::LegalHold, Part::Stations] {
        let url = format!(
            "{}/v1/{}",
            site.stack.url(service),
            match service {
                Part::Records => "items",
                Part::Retention => "policies",
                Part::Stations => "stations",
                _ => "holds",
            }
        );
        let client = site.stack.https()?;
        let expired = site.stack.issuer()?.token(
            custos_local::seeds::find("e-leader")?,
            custos_platform::clock::Clock::system().now() - jiff::SignedDuration::from_hours(2),
            Duration::from_mins(1),
        )?;
        let good = site.stack.token("e-leader")?;
        let forged = format!("{}x", &good[..good.len() - 2]);
        assert_eq!(client.get(&url).bearer_auth(&good).send().await?.status(), 200, "{service}");
        for (what, token) in [("expired", Some(expired)), ("forged", Some(forged)), ("none", None)] {
            let mut request = client.get(&url);
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.send().await?;
            assert_eq!(answer.status(), 401, "{service}: {what}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json", "{service}: {what}");
        }
        for path in ["/livez", "/readyz", "/metrics"] {
            let answer = reqwest::get(format!("{}{path}", site.stack.admin_url(service))).await?;
            assert_eq!(answer.status(), 200, "{service} {path}");
        }
        let document: serde_json::Value =
            client.get(format!("{}/openapi.json", site.stack.url(service))).send().await?.json().await?;
        assert!(document["paths"].as_object().is_some_and(|paths| paths.len() > 2), "{service}: {document}");
    }
    Ok(())
}
