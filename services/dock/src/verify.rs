//! What a receipt and an erase permit must say before they are believed (INV-4: no permit, no wipe).

use custos_domain::{
    digest::{Crc64, Root},
    dsse::{Envelope, SignatureError},
    item::{ItemKey, UnifiedCode},
    receipt::{ErasePermit, Receipt},
    seal::Seal,
};

use crate::trust::Trust;

/// What this dock declared: the only item a receipt can be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The item's key, before anything is known of variants.
    pub item: ItemKey,
    /// Bytes.
    pub length: u64,
    /// BLAKE3 of the bytes on the recorder.
    pub root: Root,
    /// Full CRC64NVME.
    pub crc: Crc64,
}

/// Why a document from ingest is not believed. Nothing is ever erased on one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// The receipt's or permit's signature.
    #[error("{document}: {source}")]
    Signature {
        /// Which document.
        document: &'static str,
        /// What is wrong.
        source: SignatureError,
    },
    /// A field is not what it must be.
    #[error("{document} is for something else: its {field} is {found}, expected {expected}")]
    Differs {
        /// Which document.
        document: &'static str,
        /// Which field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
}

/// Takes a receipt as ingest's word for exactly what was `declared`.
///
/// The code may be the declared one or its variant: when other bytes were kept earlier for the same recording and segment,
/// ingest keeps these beside them under a code that names them.
pub fn receipt(envelope: &Envelope, trust: &Trust, declared: &Declared) -> Result<Receipt, Distrust> {
    const DOC: &str = "the receipt";
    let receipt: Receipt =
        envelope.open(&trust.receipt).map_err(|source| Distrust::Signature { document: DOC, source })?;
    let variant = declared.item.variant_of(&declared.root);
    if *receipt.code.key() != declared.item && *receipt.code.key() != variant {
        let expected = UnifiedCode::of(declared.item.clone());
        return Err(differs(DOC, "code", &expected, &receipt.code));
    }
    same(DOC, "root", &declared.root, &receipt.root)?;
    same(DOC, "length", &declared.length, &receipt.length)?;
    same(DOC, "crc", &declared.crc, &receipt.crc)?;
    if receipt.locked_until <= receipt.ingested_at {
        return Err(differs(DOC, "lock", &format!("after {}", receipt.ingested_at), &receipt.locked_until));
    }
    Ok(receipt)
}

/// An erase permit whose two signatures and every field were checked against a believed receipt. Only this module makes one,
/// and only with one can [`crate::erase`] be called.
#[derive(Debug, Clone)]
pub struct Permission {
    permit: ErasePermit,
}

impl Permission {
    /// BLAKE3 of the bytes that may be erased.
    #[must_use]
    pub fn root(&self) -> Root {
        self.permit.root
    }

    /// Bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.permit.length
    }

    /// The item.
    #[must_use]
    pub fn code(&self) -> &UnifiedCode {
        &self.permit.code
    }
}

/// Takes an erase permit for the item of `receipt`, when ingest signed it, the hashing service signed the seal in it, and both
/// speak of the very version the receipt named.
pub fn permit(envelope: &Envelope, trust: &Trust, receipt: &Receipt) -> Result<Permission, Distrust> {
    const DOC: &str = "the erase permit";
    let permit: ErasePermit =
        envelope.open(&trust.receipt).map_err(|source| Distrust::Signature { document: DOC, source })?;
    same(DOC, "code", &receipt.code, &permit.code)?;
    same(DOC, "root", &receipt.root, &permit.root)?;
    same(DOC, "length", &receipt.length, &permit.length)?;
    same_debug(DOC, "version", &receipt.original, &permit.original)?;
    // A lock is only ever extended: an earlier date than the receipt's means the store lost it.
    if permit.locked_until < receipt.locked_until {
        return Err(differs(DOC, "lock", &format!("{} or later", receipt.locked_until), &permit.locked_until));
    }
    seal(&permit.seal, trust, receipt)?;
    Ok(Permission { permit })
}

fn seal(envelope: &Envelope, trust: &Trust, receipt: &Receipt) -> Result<(), Distrust> {
    const DOC: &str = "the seal in the erase permit";
    let seal: Seal = envelope.open(&trust.seal).map_err(|source| Distrust::Signature { document: DOC, source })?;
    same(DOC, "code", &receipt.code, &seal.code)?;
    same(DOC, "root", &receipt.root, &seal.root)?;
    same(DOC, "length", &receipt.length, &seal.length)?;
    same(DOC, "crc", &receipt.crc, &seal.crc)?;
    same_debug(DOC, "version", &receipt.original, &seal.original)?;
    same_debug(DOC, "manifest", &receipt.manifest, &seal.manifest)?;
    same(DOC, "manifest root", &receipt.manifest_root, &seal.manifest_root)
}

fn same<T: PartialEq + ToString>(
    document: &'static str,
    field: &'static str,
    expected: &T,
    found: &T,
) -> Result<(), Distrust> {
    if expected == found { Ok(()) } else { Err(differs(document, field, expected, found)) }
}

fn same_debug<T: PartialEq + std::fmt::Debug>(
    document: &'static str,
    field: &'static str,
    expected: &T,
    found: &T,
) -> Result<(), Distrust> {
    if expected == found {
        Ok(())
    } else {
        Err(differs(document, field, &format!("{expected:?}"), &format!("{found:?}")))
    }
}

fn differs(document: &'static str, field: &'static str, expected: &impl ToString, found: &impl ToString) -> Distrust {
    Distrust::Differs { document, field, expected: expected.to_string(), found: found.to_string() }
}

#[cfg(test)]
pub(crate) mod tests;
