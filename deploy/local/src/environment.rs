//! `stack.env`: shell variables with which aws, mc, psql, nats and curl work after `source`.

use std::fmt::Write;

use custos_domain::keys::Buckets;

use crate::{
    part::Part,
    provision::{database::DATABASE, store},
    secrets::{Owner, Secret},
    seeds,
    servers::{minio, postgres::SUPERUSER},
    stack::Stack,
};

/// The station in whose name people try things.
const TENANT: &str = "E";

/// The file's text. It holds the administrator's credentials.
pub(crate) fn render(stack: &Stack) -> anyhow::Result<String> {
    let mut text = String::from(
        "# Written by deploy/local/up: addresses and credentials of the local stack, for people and scripts.\n\
         #   source deploy/local/run/stack.env\n",
    );
    apis(stack, &mut text);
    store(stack, &mut text)?;
    bus_and_database(stack, &mut text)?;
    documents(stack, &mut text)?;
    Ok(text)
}

fn apis(stack: &Stack, text: &mut String) {
    heading(text, "The services' HTTPS APIs, and where each tells /livez, /readyz and /metrics.");
    for part in Part::SERVICES {
        let name = part.name().to_uppercase().replace('-', "_");
        if part.has_api() {
            export(text, &format!("CUSTOS_{name}_URL"), &stack.url(part));
        }
        export(text, &format!("CUSTOS_{name}_ADMIN_URL"), &stack.admin_url(part));
    }
}

fn store(stack: &Stack, text: &mut String) -> anyhow::Result<()> {
    let (key, secret) = stack.s3_credential(Owner::Admin)?;
    let (endpoint, Buckets { originals, intake, log, derived, probe }) = (stack.s3_endpoint(), store::buckets());
    heading(text, "The store. `aws s3 ls`, `mc ls custos` and everything else that reads these variables.");
    for (name, value) in [
        ("CUSTOS_S3_ENDPOINT", endpoint.as_str()),
        ("CUSTOS_S3_REGION", minio::REGION),
        ("CUSTOS_S3_ADMIN_KEY", &key),
        ("CUSTOS_S3_ADMIN_SECRET", &secret),
        ("CUSTOS_S3_ORIGINALS", &originals),
        ("CUSTOS_S3_INTAKE", &intake),
        ("CUSTOS_S3_LOG", &log),
        ("CUSTOS_S3_DERIVED", &derived),
        ("CUSTOS_S3_PROBE", &probe),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ACCESS_KEY_ID", &key),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("AWS_REGION", minio::REGION),
        ("AWS_DEFAULT_REGION", minio::REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ] {
        export(text, name, value);
    }
    let address = format!("127.0.0.1:{}", stack.ports.work(Part::Minio));
    export(text, "MC_HOST_custos", &store::endpoint(&address, &stack.secrets, Owner::Admin)?);
    Ok(())
}

fn bus_and_database(stack: &Stack, text: &mut String) -> anyhow::Result<()> {
    heading(text, "The bus. `nats stream info FOOTAGE`.");
    let url = stack.nats_operator_url()?;
    export(text, "CUSTOS_NATS_URL", &url);
    export(text, "CUSTOS_NATS_MONITOR_URL", &stack.nats_monitor_url());
    export(text, "NATS_URL", &url);

    heading(text, "The database. `psql \"$CUSTOS_DATABASE_URL\"`, or just `psql`.");
    let port = stack.ports.work(Part::Postgres).to_string();
    export(text, "CUSTOS_DATABASE_URL", &stack.database_url(Owner::Admin)?);
    let password = stack.secrets.text(Owner::Admin, Secret::DatabasePassword)?;
    for (name, value) in [
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &port),
        ("PGDATABASE", DATABASE),
        ("PGUSER", SUPERUSER),
        ("PGPASSWORD", &password),
        ("PGSSLMODE", "disable"),
    ] {
        export(text, name, value);
    }
    Ok(())
}

fn documents(stack: &Stack, text: &mut String) -> anyhow::Result<()> {
    heading(
        text,
        "Who is who. `curl --cacert \"$CUSTOS_CA\" …`; docks add --cert \"$CUSTOS_DOCK_CERT\" --key \"$CUSTOS_DOCK_KEY\",",
    );
    text.push_str("# any tus client of a station that is registered for it shows \"$CUSTOS_PLAIN_CERT\" and \"$CUSTOS_PLAIN_KEY\",\n");
    text.push_str("# people -H \"Authorization: Bearer $(deploy/local/token e-auditor)\".\n");
    let station = seeds::station(TENANT)?;
    let (dock, plain) = (stack.station(&station)?, stack.station(&seeds::plain_station()?)?);
    for (name, value) in [
        ("CUSTOS_CA", stack.authority.root().certificate),
        ("CUSTOS_DOCK_CERT", dock.certificate),
        ("CUSTOS_DOCK_KEY", dock.key),
        ("CUSTOS_PLAIN_CERT", plain.certificate),
        ("CUSTOS_PLAIN_KEY", plain.key),
        ("CUSTOS_DOCK_STATE", stack.folders.dock(station.id.as_str())),
        ("CUSTOS_TRUST_FILE", stack.folders.trust()),
        ("CUSTOS_JWKS", stack.folders.jwks()),
    ] {
        export(text, name, &value.display().to_string());
    }
    Ok(())
}

fn heading(text: &mut String, line: &str) {
    text.push_str("\n# ");
    text.push_str(line);
    text.push('\n');
}

fn export(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "export {name}={}", quoted(value));
}

/// The value as the shell reads it back.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_reads_back_what_was_written() {
        for value in ["plain", "it's", "a b $HOME `x` \"y\" \\"] {
            let mut text = String::new();
            export(&mut text, "VALUE", value);
            let script = format!("{text}printf %s \"$VALUE\"");
            let output = std::process::Command::new("sh").args(["-c", &script]).output().expect("sh");
            assert_eq!(String::from_utf8_lossy(&output.stdout), value);
        }
    }
}
