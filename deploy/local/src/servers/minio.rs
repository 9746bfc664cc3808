//! MinIO, one drive.

use super::Setting;
use crate::{
    folders,
    launch::Launch,
    part::Part,
    secrets::{Owner, Secret},
};

/// The region the store answers for; signatures name it.
pub const REGION: &str = "us-east-1";

/// How to start it.
pub fn launch(setting: &Setting<'_>) -> anyhow::Result<Launch> {
    let data = setting.folders.data(Part::Minio);
    folders::create(&data)?;
    // It would otherwise look for certificates in the home folder, and create one there.
    let home = setting.folders.settings(Part::Minio, "home");
    folders::create(&home)?;

    let admin = |secret| setting.secrets.text(Owner::Admin, secret);
    let mut launch = setting.launch(Part::Minio, setting.programs.join("minio"));
    launch.arguments = vec!["server".into(), "--quiet".into(), "--address".into()];
    launch.arguments.extend([setting.address(Part::Minio).into(), data.into_os_string()]);
    launch.environment = vec![
        ("HOME".to_owned(), home.into_os_string()),
        ("MINIO_ROOT_USER".to_owned(), admin(Secret::S3AccessKey)?.into()),
        ("MINIO_ROOT_PASSWORD".to_owned(), admin(Secret::S3SecretKey)?.into()),
    ];
    launch.environment.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.into())));
    Ok(launch)
}

/// What evidence needs of MinIO.
const SETTINGS: [(&str, &str); 5] = [
    // Without it an acknowledged object is gone after a power cut (pipeline reference, 4.3).
    ("MINIO_FS_OSYNC", "on"),
    // The default, 24 h, destroys uploads of docks with a slow line.
    ("MINIO_API_STALE_UPLOADS_EXPIRY", "2160h"),
    ("MINIO_BROWSER", "off"),
    // Asks nobody outside for a newer version.
    ("MINIO_UPDATE", "off"),
    ("MINIO_REGION_NAME", REGION),
];
