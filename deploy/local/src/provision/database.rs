//! The database, and for every service that keeps something there a role that owns one schema and sees no other.

use anyhow::Context;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};

use crate::{
    part::Part,
    secrets::{Owner, Secret, Secrets},
    servers::postgres::SUPERUSER,
};

/// The one database.
pub const DATABASE: &str = "custos";

/// Opens a connection as the superuser.
pub async fn connect(port: u16, secrets: &Secrets, database: &str) -> anyhow::Result<PgConnection> {
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(SUPERUSER)
        .password(&secrets.text(Owner::Admin, Secret::DatabasePassword)?)
        .database(database)
        .ssl_mode(PgSslMode::Disable);
    options.connect().await.with_context(|| format!("connecting to the database {database}"))
}

/// Creates the database, roles and schemas.
pub async fn provision(port: u16, secrets: &Secrets) -> anyhow::Result<()> {
    create_database(port, secrets).await?;
    let mut connection = connect(port, secrets, DATABASE).await?;
    let mut statements = format!(
        "REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
         REVOKE ALL ON SCHEMA public FROM PUBLIC;"
    );
    for service in Part::SERVICES {
        if let Some(schema) = service.schema() {
            let password = secrets.text(Owner::Service(service), Secret::DatabasePassword)?;
            statements.push_str(&role_and_schema(schema, &password));
        }
    }
    run(&mut connection, statements).await.context("creating roles and schemas")?;
    connection.close().await?;
    Ok(())
}

/// Empties what a service keeps. Its migrations run again when it starts.
pub async fn reset_schema(port: u16, secrets: &Secrets, schema: &str) -> anyhow::Result<()> {
    let mut connection = connect(port, secrets, DATABASE).await?;
    let statements = format!("DROP SCHEMA {schema} CASCADE; CREATE SCHEMA {schema} AUTHORIZATION {schema};");
    run(&mut connection, statements).await.with_context(|| format!("emptying the schema {schema}"))?;
    connection.close().await?;
    Ok(())
}

async fn create_database(port: u16, secrets: &Secrets) -> anyhow::Result<()> {
    let mut connection = connect(port, secrets, "postgres").await?;
    let there: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(DATABASE)
        .fetch_optional(&mut connection)
        .await?;
    if there.is_none() {
        run(&mut connection, format!("CREATE DATABASE {DATABASE}")).await.context("creating the database")?;
    }
    connection.close().await?;
    Ok(())
}

/// Role and schema have one name. The password is hexadecimal, so it needs no quoting beyond its quotes.
fn role_and_schema(name: &str, password: &str) -> String {
    format!(
        "DO $$ BEGIN
             IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
                 CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
             END IF;
         END $$;
         ALTER ROLE {name} PASSWORD '{password}';
         ALTER ROLE {name} SET search_path = {name};
         GRANT CONNECT ON DATABASE {DATABASE} TO {name};
         CREATE SCHEMA IF NOT EXISTS {name} AUTHORIZATION {name};"
    )
}

/// Runs statements made of this module's own texts: names and hexadecimal passwords, nothing from outside.
async fn run(connection: &mut PgConnection, statements: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await.map(drop)
}
