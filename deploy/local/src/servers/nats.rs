//! nats-server with JetStream.

use std::ffi::OsString;

use super::Setting;
use crate::{folders, launch::Launch, part::Part, provision::bus};

/// The same file that production uses; the variables in it are set below.
const SERVER_CONF: &str = include_str!("../../../nats/server.conf");

/// How to start it; writes its configuration.
pub fn launch(setting: &Setting<'_>) -> anyhow::Result<Launch> {
    let data = setting.folders.data(Part::Nats);
    folders::create(&data)?;
    let server_conf = setting.folders.settings(Part::Nats, "server.conf");
    folders::write(&server_conf, SERVER_CONF)?;
    folders::write(&setting.folders.settings(Part::Nats, "users.conf"), bus::users(setting.secrets)?)?;

    let mut launch = setting.launch(Part::Nats, setting.programs.join("nats-server"));
    launch.arguments = vec!["--config".into(), server_conf.into_os_string()];
    // nats-server reads a variable as it reads its configuration: texts stand in quotes.
    let text = |value: String| OsString::from(format!("\"{value}\""));
    launch.environment = vec![
        ("CUSTOS_NATS_NAME".to_owned(), text("custos-local".to_owned())),
        ("CUSTOS_NATS_LISTEN".to_owned(), text(setting.address(Part::Nats))),
        ("CUSTOS_NATS_MONITOR".to_owned(), text(format!("127.0.0.1:{}", setting.ports.admin(Part::Nats)))),
        ("CUSTOS_NATS_STORE".to_owned(), text(data.display().to_string())),
        ("CUSTOS_NATS_STORE_LIMIT".to_owned(), "2GB".into()),
    ];
    Ok(launch)
}
