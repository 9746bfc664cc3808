//! How `custos-dock status` is called.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::values::zone;

/// Options of `status`.
#[derive(Debug, clap::Args)]
pub struct Status {
    /// Where the journal is kept
    #[arg(long, env = "CUSTOS_DOCK_STATE", value_name = "DIR")]
    pub state: PathBuf,
    /// Time zone of what is shown
    #[arg(long, env = "CUSTOS_DOCK_TIME_ZONE", value_name = "ZONE", default_value = "Asia/Shanghai", value_parser = zone)]
    pub time_zone: TimeZone,
    /// One JSON object a file instead of text
    #[arg(long)]
    pub json: bool,
}
