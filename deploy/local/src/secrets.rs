//! Credentials: made once at random, one set for each service, each in a file of its own.

use std::path::PathBuf;

use anyhow::Context;
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use nkeys::{KeyPair, KeyPairType};
use rand::CryptoRng;

use crate::{
    folders::{self, Folders},
    part::Part,
};

/// Whose credential it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The one who sets up the servers; no service ever sees these.
    Admin,
    /// A service.
    Service(Part),
}

/// What a credential opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// S3: the name.
    S3AccessKey,
    /// S3: the password.
    S3SecretKey,
    /// NATS: the seed of an NKey.
    NatsSeed,
    /// NATS: the password of the one user who has one.
    NatsPassword,
    /// PostgreSQL: the password of the role named like the schema.
    DatabasePassword,
    /// Ed25519 key, PKCS#8 PEM: receipts, seals; the administrator's signs tokens.
    SigningKey,
    /// Ed25519 key, PKCS#8 PEM: the register of stations.
    RegisterKey,
}

/// The credentials of one stack.
#[derive(Debug, Clone)]
pub struct Secrets(Folders);

impl Secrets {
    /// Makes what does not exist yet and leaves the rest alone.
    pub fn ensure(folders: &Folders, rng: &mut impl CryptoRng) -> anyhow::Result<Self> {
        let secrets = Self(folders.clone());
        for owner in owners() {
            for secret in owner.secrets() {
                let path = secrets.file(owner, secret);
                if !path.exists() {
                    folders::write(&path, secret.make(owner, rng)?)?;
                }
            }
        }
        Ok(secrets)
    }

    /// The credentials of a stack that has been started before.
    pub fn of(folders: &Folders) -> Self {
        Self(folders.clone())
    }

    /// The file with the credential.
    pub fn file(&self, owner: Owner, secret: Secret) -> PathBuf {
        self.0.secret(owner.name(), secret.name())
    }

    /// The credential as text.
    pub fn text(&self, owner: Owner, secret: Secret) -> anyhow::Result<String> {
        folders::read(&self.file(owner, secret))
    }

    /// The public half of a NATS credential, by which the server knows the user.
    pub fn nats_user(&self, owner: Owner) -> anyhow::Result<String> {
        let seed = self.text(owner, Secret::NatsSeed)?;
        Ok(KeyPair::from_seed(&seed).context("reading an NKey seed")?.public_key())
    }

    /// A signing key.
    pub fn signing_key(&self, owner: Owner) -> anyhow::Result<SigningKey> {
        self.key(owner, Secret::SigningKey)
    }

    /// The key that signs the register of stations.
    pub fn register_key(&self) -> anyhow::Result<SigningKey> {
        self.key(Owner::Admin, Secret::RegisterKey)
    }

    fn key(&self, owner: Owner, secret: Secret) -> anyhow::Result<SigningKey> {
        let pem = self.text(owner, secret)?;
        SigningKey::from_pkcs8_pem(&pem).context("reading a signing key")
    }
}

/// Everyone who has credentials.
fn owners() -> impl Iterator<Item = Owner> {
    std::iter::once(Owner::Admin).chain(Part::SERVICES.map(Owner::Service))
}

impl Owner {
    /// The owner's name in folders.
    fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Service(part) => part.name(),
        }
    }

    fn secrets(self) -> Vec<Secret> {
        let mut secrets = vec![Secret::S3AccessKey, Secret::S3SecretKey, Secret::NatsSeed];
        let (is_admin, part) = match self {
            Self::Admin => (true, None),
            Self::Service(part) => (false, Some(part)),
        };
        let keeps_decisions = part.is_some_and(|part| part.schema().is_some());
        let signs = matches!(part, Some(Part::Ingest | Part::Hashing));
        secrets.extend(is_admin.then_some(Secret::NatsPassword));
        secrets.extend((is_admin || keeps_decisions).then_some(Secret::DatabasePassword));
        secrets.extend((is_admin || signs).then_some(Secret::SigningKey));
        secrets.extend(is_admin.then_some(Secret::RegisterKey));
        secrets
    }
}

impl Secret {
    fn name(self) -> &'static str {
        match self {
            Self::S3AccessKey => "s3-access-key",
            Self::S3SecretKey => "s3-secret-key",
            Self::NatsSeed => "nats.nk",
            Self::NatsPassword => "nats-password",
            Self::DatabasePassword => "database-password",
            Self::SigningKey => "signing.pem",
            Self::RegisterKey => "register.pem",
        }
    }

    fn make(self, owner: Owner, rng: &mut impl CryptoRng) -> anyhow::Result<String> {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Ok(match self {
            Self::S3AccessKey => format!("custos-{}", owner.name()),
            // MinIO takes at most 40 characters.
            Self::S3SecretKey | Self::NatsPassword | Self::DatabasePassword => hex::encode(&bytes[..20]),
            Self::NatsSeed => KeyPair::new_from_raw(KeyPairType::User, bytes)?.seed()?,
            Self::SigningKey | Self::RegisterKey => {
                SigningKey::from_bytes(&bytes).to_pkcs8_pem(LineEnding::LF)?.to_string()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_and_no_two_owners_share_one() {
        let folder = tempfile::tempdir().expect("folder");
        let folders = Folders::new(folder.path().to_owned());
        let secrets = Secrets::ensure(&folders, &mut rand::rng()).expect("secrets");
        let texts = || -> Vec<String> {
            owners()
                .flat_map(|owner| owner.secrets().into_iter().map(move |secret| (owner, secret)))
                .map(|(owner, secret)| secrets.text(owner, secret).expect("secret"))
                .collect()
        };
        let first = texts();
        Secrets::ensure(&folders, &mut rand::rng()).expect("secrets again");
        assert_eq!(first, texts());
        let mut different = first.clone();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), first.len());
    }

    #[test]
    fn keys_can_be_read_back() {
        let folder = tempfile::tempdir().expect("folder");
        let secrets = Secrets::ensure(&Folders::new(folder.path().to_owned()), &mut rand::rng()).expect("secrets");
        let ingest = Owner::Service(Part::Ingest);
        assert!(secrets.nats_user(ingest).expect("user").starts_with('U'));
        secrets.signing_key(ingest).expect("key");
    }
}
