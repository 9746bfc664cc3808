//! What a deposit rests on: a dock's signed declaration, or only the words of a client that signs nothing.

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::{
    declaration::Declaration,
    digest::{Root, Sha256},
    dsse::{Envelope, SignatureError},
};

/// What a deposit rests on. In a manifest the field is named `declaration` or `unsigned`, so a reader sees at once which it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// The dock's signed declaration, as it came.
    #[serde(rename = "declaration")]
    Declared(Envelope),
    /// Nobody signed: any tus client of a station that is registered for it.
    #[serde(rename = "unsigned")]
    Unsigned(Statement),
}

/// What a client said of an item without signing it. That the station said it is known from its certificate alone, and so only
/// as long as ingest is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Name of the file, printable, at most 255 characters.
    pub file_name: String,
    /// The naming rule that understood the file name; absent for an unknown name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub naming_rule: Option<String>,
    /// 重點文件, by the file's name.
    pub key_file: bool,
    /// Start of the recording by the recorder's own clock, as wall clock in China. Evidence, never an anchor.
    pub started_at_device: DateTime,
    /// The BLAKE3 the client gave beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<Root>,
    /// The SHA-256 the client gave beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// The tus header `Upload-Metadata`, to the letter.
    pub metadata: String,
}

impl Evidence {
    /// Whether somebody signed for the bytes.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        matches!(self, Self::Declared(_))
    }

    /// The declaration, without looking at its signature again; none when nobody signed.
    pub fn declaration(&self) -> Result<Option<Declaration>, SignatureError> {
        match self {
            Self::Declared(envelope) => envelope.peek().map(Some),
            Self::Unsigned(_) => Ok(None),
        }
    }

    /// Start of the recording by the recorder's own clock, when it was said.
    pub fn started_at_device(&self) -> Result<Option<DateTime>, SignatureError> {
        match self {
            Self::Declared(envelope) => Ok(envelope.peek::<Declaration>()?.started_at_device),
            Self::Unsigned(statement) => Ok(Some(statement.started_at_device)),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::{Value, json};

    use super::*;
    use crate::manifest::Manifest;

    fn object(key: &str) -> Value {
        json!({ "bucket": "b", "key": key, "version": "v" })
    }

    /// A manifest as it was written before there was anything but declarations.
    fn old() -> Value {
        json!({
            "code": "E-DSJ00099-SMALL_1-00-9",
            "kind": "video",
            "unit": "NANJING/XUANWU",
            "station": "E_XUANWU_01",
            "officer": null,
            "original": object("footage/1"),
            "length": 7,
            "root": Root::of(b"footage").to_hex(),
            "crc": "00000000000000ab",
            "outboard": object("outboards/1"),
            "declaration": {
                "payloadType": "application/vnd.custos.declaration+json",
                "payload": "e30=",
                "signatures": [{ "keyid": "01".repeat(32), "sig": "AA==" }]
            },
            "station_certificate": "AA==",
            "ingested_at": "2026-11-23T00:00:00Z",
            "locked_until": "2027-02-25T00:00:00Z",
            "upload": "0192-ab"
        })
    }

    #[test]
    fn manifests_from_before_are_read_and_written_as_they_were() {
        let mut old = old();
        old["code"] = json!(code());
        let manifest: Manifest = serde_json::from_value(old.clone()).expect("an old manifest");
        assert!(manifest.evidence.is_signed());
        assert_eq!(serde_json::to_value(&manifest).expect("json"), old);
    }

    #[test]
    fn a_manifest_says_that_nobody_signed() {
        let mut new = old();
        new["code"] = json!(code());
        new.as_object_mut().expect("object").remove("declaration");
        assert!(serde_json::from_value::<Manifest>(new.clone()).is_err(), "a manifest must say what it rests on");
        let statement = Statement {
            file_name: "a.mp4".into(),
            naming_rule: None,
            key_file: false,
            started_at_device: date(2026, 11, 23).at(9, 15, 0, 0),
            blake3: Some(Root::of(b"footage")),
            sha256: None,
            metadata: "filename YS5tcDQ=".into(),
        };
        new["unsigned"] = serde_json::to_value(&statement).expect("json");
        let manifest: Manifest = serde_json::from_value(new.clone()).expect("an unsigned manifest");
        assert_eq!(manifest.evidence, Evidence::Unsigned(statement));
        assert_eq!(manifest.evidence.declaration(), Ok(None));
        assert_eq!(serde_json::to_value(&manifest).expect("json"), new);
    }

    fn code() -> String {
        use crate::{
            ids::{DeviceId, RecordingId, Segment, TenantId},
            item::{ItemKey, UnifiedCode},
        };
        UnifiedCode::of(ItemKey {
            tenant: TenantId::parse("E").expect("tenant"),
            device: DeviceId::parse("DSJ00099").expect("device"),
            recording: RecordingId::parse("SMALL_1").expect("recording"),
            segment: Segment(0),
            variant: None,
        })
        .to_string()
    }
}
