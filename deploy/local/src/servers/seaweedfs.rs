//! SeaweedFS: master, volume server, filer and S3 gateway in one process.

use std::ffi::OsString;

use serde_json::json;

use super::Setting;
use crate::{
    folders,
    launch::Launch,
    part::Part,
    secrets::{Owner, Secret},
};

/// How to start it; writes who may sign in.
pub fn launch(setting: &Setting<'_>) -> anyhow::Result<Launch> {
    let data = setting.folders.data(Part::Minio);
    folders::create(&data)?;
    let users = setting.folders.settings(Part::Minio, "s3.json");
    folders::write(&users, serde_json::to_vec_pretty(&identities(setting)?)?)?;

    let inner = |number: u16| setting.ports.inner(number);
    let mut launch = setting.launch(Part::Minio, setting.programs.join("weed"));
    let mut options: Vec<(&str, OsString)> = vec![
        ("dir", data.clone().into()),
        ("ip", "127.0.0.1".into()),
        ("ip.bind", "127.0.0.1".into()),
        // It would report to its makers.
        ("master.telemetry", "false".into()),
        // Each bucket takes volumes of its own: the default, 8, is used up by our buckets.
        ("volume.max", "200".into()),
        ("volume.preStopSeconds", "0".into()),
        ("s3", "true".into()),
        ("s3.port", setting.ports.work(Part::Minio).to_string().into()),
        ("s3.config", users.into()),
        ("s3.port.iceberg", "0".into()),
        ("s3.port.lance", "0".into()),
        ("filer.localSocket", data.join("filer.sock").into()),
        ("s3.localSocket", data.join("s3.sock").into()),
    ];
    let ports = [
        "master.port",
        "master.port.grpc",
        "volume.port",
        "volume.port.grpc",
        "filer.port",
        "filer.port.grpc",
        "s3.port.grpc",
    ];
    options.extend(ports.into_iter().zip(0..).map(|(name, number)| (name, inner(number).to_string().into())));
    launch.arguments = vec!["server".into()];
    launch.arguments.extend(options.into_iter().map(|(name, value)| {
        let mut option = OsString::from(format!("-{name}="));
        option.push(value);
        option
    }));
    launch.environment = vec![("HOME".to_owned(), data.into_os_string())];
    Ok(launch)
}

/// Everyone with an administrator's rights.
fn identities(setting: &Setting<'_>) -> anyhow::Result<serde_json::Value> {
    let mut identities = Vec::new();
    for owner in std::iter::once(Owner::Admin).chain(Part::SERVICES.map(Owner::Service)) {
        let key = setting.secrets.text(owner, Secret::S3AccessKey)?;
        let secret = setting.secrets.text(owner, Secret::S3SecretKey)?;
        identities.push(json!({
            "name": key,
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }));
    }
    Ok(json!({ "identities": identities }))
}
