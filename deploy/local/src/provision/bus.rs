//! Users of the bus, and its streams and consumers. What they are is declared in the platform; here it is put to the server.

use anyhow::Context;
use custos_platform::bus::{Bus, BusArgs, permissions};

use crate::{
    part::Part,
    ports::Ports,
    secrets::{Owner, Secret, Secrets},
};

/// Who may do everything: people's tools know neither the provisioner's inbox nor, in part, NKeys.
pub const OPERATOR: &str = "operator";

/// `users.conf` of nats-server: who may send and hear what.
pub fn users(secrets: &Secrets) -> anyhow::Result<String> {
    let mut users = vec![(permissions::PROVISIONER, secrets.nats_user(Owner::Admin)?)];
    for service in Part::SERVICES {
        users.push((service.name(), secrets.nats_user(Owner::Service(service))?));
    }
    let users: Vec<(&str, &str)> = users.iter().map(|(name, key)| (*name, key.as_str())).collect();
    let services = permissions::authorization(&users)?;
    let list = services.strip_suffix("  ]\n}\n").context("the list of users ends in an unknown way")?;
    let password = secrets.text(Owner::Admin, Secret::NatsPassword)?;
    Ok(format!(
        "{list}    # The person at this machine.\n    {{ user: {OPERATOR}, password: \"{password}\" }}\n  ]\n}}\n"
    ))
}

/// Makes the streams and consumers that are missing, and checks that the server keeps what it acknowledges.
pub async fn provision(ports: Ports, secrets: &Secrets) -> anyhow::Result<()> {
    let args = BusArgs {
        nats_url: vec![format!("nats://127.0.0.1:{}", ports.work(Part::Nats))],
        nats_nkey_file: secrets.file(Owner::Admin, Secret::NatsSeed),
        nats_monitor_url: vec![format!("http://127.0.0.1:{}", ports.admin(Part::Nats))],
        nats_ca: None,
    };
    let bus = Bus::connect(&args, permissions::PROVISIONER).await?;
    bus.provision(1).await?;
    bus.verify().await?;
    Ok(())
}
