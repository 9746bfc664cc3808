//! Users and permissions of nats-server, and the streams.

use crate::secrets::{Owner, Secrets};
use crate::part::Part;

/// `users.conf`.
pub fn users(secrets: &Secrets) -> anyhow::Result<String> {
    let mut s = String::from("authorization { users = [\n");
    for o in std::iter::once(Owner::Admin).chain(Part::SERVICES.map(Owner::Service)) {
        s.push_str(&format!("{{ nkey: {} }}\n", secrets.nats_user(o)?));
    }
    s.push_str("] }\n");
    Ok(s)
}

/// Streams.
pub async fn provision(_ports: crate::ports::Ports, _secrets: &Secrets) -> anyhow::Result<()> {
    Ok(())
}
