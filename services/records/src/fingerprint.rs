//! Whether two catalogues are equal in every row: a digest of each table, or the rows themselves.

use std::io::Write as _;

use custos_domain::digest::Root;
use custos_platform::{db, service::Context};

use crate::{
    Args, SCHEMA,
    catalogue::{
        Catalogue,
        dump::{TABLES, Table},
    },
};

/// What is printed.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct How {
    /// Print every row, as `<table> <JSON>`, instead of a digest for each table
    #[arg(long)]
    rows: bool,
}

/// The command `fingerprint`: one line for each table, `<table> <rows> <BLAKE3 over its rows>`.
pub async fn run(args: Args, context: Context, how: How) -> anyhow::Result<()> {
    let catalogue = Catalogue::new(db::connect(args.database(), context.name, SCHEMA)?);
    let mut out = std::io::stdout().lock();
    for table in TABLES {
        if how.rows {
            catalogue.rows(table, |row| writeln!(out, "{} {row}", table.name)).await?;
        } else {
            let (rows, digest) = digest(&catalogue, table).await?;
            writeln!(out, "{} {rows} {digest}", table.name)?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Number and digest of a table's rows: each row's BLAKE3 is taken over the digest so far and the row.
pub async fn digest(catalogue: &Catalogue, table: Table) -> anyhow::Result<(u64, Root)> {
    let mut digest = Root::of(table.name.as_bytes());
    let rows = catalogue
        .rows(table, |row| {
            digest = Root::of(&[&digest.0, row.as_bytes()].concat());
            Ok(())
        })
        .await?;
    Ok((rows, digest))
}
