//! The same functions on damaged samples, bounded.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use custos_domain::manifest::StoredObject;
use proptest::{prelude::*, sample::Index};

use super::{bus, documents, outboard, recorder, services};

/// Words that have broken readers before.
const WORDS: [&str; 20] = [
    "..",
    "/../",
    "//",
    "\\u0000",
    "\\u001b[2J",
    "\\u202e",
    "\u{0}",
    "\u{202e}",
    "-1",
    "1e999",
    "18446744073709551616",
    "null",
    "{}",
    "[[[[[[[[",
    "\"\"",
    "NaN",
    "9999-12-31T23:59:59Z",
    "+262142-01-01",
    "長",
    "=,= ",
];

/// One thing done to a sample.
#[derive(Debug, Clone)]
enum Damage {
    Byte(Index, u8),
    Word(Index, usize),
    Cut(Index),
    Drop(Index, usize),
    Double(Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        4 => (any::<Index>(), 0..WORDS.len()).prop_map(|(at, word)| Damage::Word(at, word)),
        1 => any::<Index>().prop_map(Damage::Cut),
        2 => (any::<Index>(), 1..24_usize).prop_map(|(at, len)| Damage::Drop(at, len)),
        2 => (any::<Index>(), 1..64_usize).prop_map(|(at, len)| Damage::Double(at, len)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |index: &Index| index.index(bytes.len() + 1);
        match self {
            Self::Byte(index, byte) => {
                let at = at(index).min(bytes.len().saturating_sub(1));
                if let Some(place) = bytes.get_mut(at) {
                    *place = *byte;
                }
            }
            Self::Word(index, word) => {
                let at = at(index);
                bytes.splice(at..at, WORDS[*word].bytes());
            }
            Self::Cut(index) => bytes.truncate(at(index)),
            Self::Drop(index, len) => {
                let at = at(index);
                bytes.drain(at..(at + len).min(bytes.len()));
            }
            Self::Double(index, len) => {
                let at = at(index);
                let piece = bytes[at..(at + len).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}

/// One of the samples with up to four things done to it; now and then nothing but noise.
fn damaged(samples: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let some = (0..samples.len(), proptest::collection::vec(damage(), 0..5)).prop_map(|(which, damages)| {
        let mut bytes = samples[which].to_vec();
        for damage in &damages {
            damage.apply(&mut bytes);
        }
        bytes
    });
    prop_oneof![9 => some, 1 => proptest::collection::vec(any::<u8>(), 0..300)]
}

const DECLARATIONS: [&[u8]; 2] =
    [include_bytes!("samples/declaration.json"), include_bytes!("samples/declaration-payload.json")];
const RECEIPTS: [&[u8]; 6] = [
    include_bytes!("samples/receipt.json"),
    include_bytes!("samples/receipt-payload.json"),
    include_bytes!("samples/permit.json"),
    include_bytes!("samples/permit-payload.json"),
    include_bytes!("samples/seal.json"),
    include_bytes!("samples/seal-payload.json"),
];
const REGISTERS: [&[u8]; 2] =
    [include_bytes!("samples/register.json"), include_bytes!("samples/register-payload.json")];
const MANIFESTS: [&[u8]; 2] =
    [include_bytes!("samples/manifest.json"), include_bytes!("samples/manifest-unsigned.json")];
const FACTS: [&[u8]; 23] = [
    include_bytes!("samples/fact-deposited.json"),
    include_bytes!("samples/fact-dock_opened.json"),
    include_bytes!("samples/fact-dock_closed.json"),
    include_bytes!("samples/fact-sealed.json"),
    include_bytes!("samples/fact-station_registered.json"),
    include_bytes!("samples/fact-enrolment_code_issued.json"),
    include_bytes!("samples/fact-station_enrolled.json"),
    include_bytes!("samples/fact-station_renewed.json"),
    include_bytes!("samples/fact-station_revoked.json"),
    include_bytes!("samples/fact-permit_issued.json"),
    include_bytes!("samples/fact-derived.json"),
    include_bytes!("samples/fact-lock_extended.json"),
    include_bytes!("samples/fact-hold_placed.json"),
    include_bytes!("samples/fact-hold_confirmed.json"),
    include_bytes!("samples/fact-hold_release_proposed.json"),
    include_bytes!("samples/fact-hold_released.json"),
    include_bytes!("samples/fact-hold_applied.json"),
    include_bytes!("samples/fact-catalogue_searched.json"),
    include_bytes!("samples/fact-deposit_rejected.json"),
    include_bytes!("samples/fact-incident_opened.json"),
    include_bytes!("samples/fact-incident_closed.json"),
    include_bytes!("samples/fact-record_read.json"),
    include_bytes!("samples/fact-upload_abandoned.json"),
];
const ANNOUNCEMENTS: [&[u8]; 2] = [include_bytes!("samples/announcement.bin"), b"custos.v1.e.video.deposited"];
const OUTBOARDS: [&[u8]; 1] = [include_bytes!("samples/outboard.bin")];
const JOURNALS: [&[u8]; 2] =
    [include_bytes!("samples/journal-receipted.json"), include_bytes!("samples/journal-erased.json")];
const NAMES: [&[u8]; 4] = [
    b"DCIM/20261123/DSJ00012_P000345_20261123091500_0007_00.MP4",
    b"PHOTO/DSJ00077_P000345_20261120093000_0004.JPG",
    "錄像/現場 1.mp4".as_bytes(),
    b"0f0e0d0c0b0a09080706050403020100",
];
const INFOS: [&[u8]; 3] = [
    b"[device]\nid=DSJ00012\nofficer=P000345\nmodel=X1\nfirmware=1.0\n[counters]\nfilecount=12\nlastsequence=40\n",
    b"{\"device\":\"DSJ00012\",\"officer\":\"P000345\",\"counters\":{\"files\":12,\"lastsequence\":\"40\"}}",
    "設備編號：DSJ00012\n警號：P000345\n".as_bytes(),
];
const HEADERS: [&[u8]; 7] = [
    b"filename ZC5tcDQ=, empty,declaration e30=",
    b"declaration eyJwYXlsb2FkVHlwZSI6IngifQ==",
    b"18446744073709551615",
    b"sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
    b"sha256 LXEWQrcmsEQBYnyp++6y9VL8/PybwpRn4T4xM8m/Syo=",
    b"blake3 rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=",
    b"final;/v1/uploads/a /v1/uploads/b",
];
const PLAIN: [&[u8]; 1] = [include_bytes!("samples/metadata.txt")];
/// What a client that signs nothing may say, one key at a time.
const SAID: [(&str, &[u8]); 9] = [
    ("device", b"DSJ00012"),
    ("recording", b"20261123091500_0007"),
    ("filename", "DCIM/錄像_1.mp4".as_bytes()),
    ("started_at", b"2026-11-23T09:15:00+08:00"),
    ("officer", b"P000345"),
    ("segment", b"12"),
    ("kind", b"photo"),
    ("filetype", b"audio/mpeg"),
    ("sha256", b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
];
const IDENTITIES: [&[u8]; 2] = [include_bytes!("samples/certificate.der"), include_bytes!("samples/identity.txt")];
const CODES: [&[u8]; 2] = [b"E-DSJ00012-20261123091500-00-4", b"E-DSJ00012-20261123091500-00-V0123456789ABCDEF-4"];

/// The header that says [`SAID`], with something done to some of its values.
fn said(damages: &[(Index, Damage)]) -> Vec<u8> {
    let mut values: Vec<Vec<u8>> = SAID.iter().map(|(_, value)| value.to_vec()).collect();
    for (which, damage) in damages {
        damage.apply(which.get_mut(&mut values));
    }
    let pair = |((key, _), value): (&(&str, &[u8]), Vec<u8>)| format!("{key} {}", STANDARD.encode(value));
    SAID.iter().zip(values).map(pair).collect::<Vec<_>>().join(",").into_bytes()
}

/// A sample that nothing reads would test nothing.
#[test]
fn samples_are_read() {
    use custos_domain::{
        declaration::Declaration, dsse::Envelope, fact::Fact, manifest::Manifest, outboard::Outboard,
        station::StationRegister,
    };
    use custos_platform::http::identity::{PeerCertificate, StationIdentity};
    use serde_json::from_slice;
    assert!(from_slice::<Envelope>(DECLARATIONS[0]).is_ok_and(|envelope| envelope.peek::<Declaration>().is_ok()));
    assert!(from_slice::<Declaration>(DECLARATIONS[1]).is_ok());
    assert!(RECEIPTS.iter().all(|sample| from_slice::<serde_json::Value>(sample).is_ok()));
    let register = from_slice::<Envelope>(REGISTERS[0]).expect("an envelope");
    let signers: Vec<_> = register.signers().collect();
    assert_eq!(register.open::<StationRegister>(&signers).ok(), from_slice(REGISTERS[1]).ok());
    assert!(MANIFESTS.iter().all(|sample| from_slice::<Manifest>(sample).is_ok()));
    assert!(FACTS.iter().all(|sample| from_slice::<Fact>(sample).is_ok()));
    let golden = include_str!("../../../services/shared/domain/golden/facts.jsonl");
    assert_eq!(FACTS.len(), golden.lines().count(), "every act needs a sample");
    assert!(custos_proto::Announcement::decode(ANNOUNCEMENTS[0]).is_ok());
    assert!(Outboard::decode(OUTBOARDS[0]).is_ok());
    assert!(JOURNALS.iter().all(|sample| from_slice::<custos_dock::journal::Entry>(sample).is_ok()));
    assert!(services::read_plain(PLAIN[0]).is_ok() && services::read_plain(&said(&[])).is_ok());
    assert!(PeerCertificate::parse(&IDENTITIES[0].into()).is_some_and(|peer| peer.station().is_ok()));
    assert!(std::str::from_utf8(IDENTITIES[1]).is_ok_and(|text| StationIdentity::parse(text).is_ok()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn declarations(bytes in damaged(&DECLARATIONS)) {
        documents::declaration(&bytes);
    }

    #[test]
    fn receipts_permits_and_seals(bytes in damaged(&RECEIPTS)) {
        documents::receipt(&bytes);
    }

    #[test]
    fn registers(bytes in damaged(&REGISTERS)) {
        documents::register(&bytes);
    }

    #[test]
    fn manifests(bytes in damaged(&MANIFESTS)) {
        documents::manifest(&bytes);
    }

    #[test]
    fn facts(bytes in damaged(&FACTS)) {
        documents::fact(&bytes);
    }

    #[test]
    fn codes(bytes in damaged(&CODES)) {
        documents::code(&bytes);
    }

    #[test]
    fn outboards(bytes in damaged(&OUTBOARDS)) {
        outboard::outboard(&bytes);
    }

    #[test]
    fn announcements(bytes in damaged(&ANNOUNCEMENTS)) {
        bus::announcement(&bytes);
    }

    /// What is damaged in the message's bytes mostly breaks its lengths; these are whole messages with odd texts in them.
    #[test]
    fn announcements_of_odd_objects(field in 0..3_usize, damages in proptest::collection::vec(damage(), 1..4)) {
        let mut announcement = custos_proto::Announcement::decode(ANNOUNCEMENTS[0]).expect("a sample");
        let StoredObject { bucket, key, version } = &mut announcement.object;
        let text = match field {
            0 => bucket,
            1 => key,
            _ => version,
        };
        let mut bytes = text.clone().into_bytes();
        for damage in &damages {
            damage.apply(&mut bytes);
        }
        *text = String::from_utf8_lossy(&bytes).into_owned();
        bus::announcement(&announcement.encode());
    }

    #[test]
    fn recorder_file_names(bytes in damaged(&NAMES)) {
        recorder::file_name(&bytes);
    }

    #[test]
    fn recorder_statements(bytes in damaged(&INFOS)) {
        recorder::info_file(&bytes);
    }

    #[test]
    fn tus_headers(bytes in damaged(&HEADERS)) {
        services::tus_headers(&bytes);
    }

    #[test]
    fn declarations_in_headers(bytes in damaged(&DECLARATIONS)) {
        let value = STANDARD.encode(bytes);
        services::tus_headers(format!("filename eA==,declaration {value}").as_bytes());
    }

    #[test]
    fn metadata_of_unsigned_uploads(bytes in damaged(&PLAIN)) {
        services::plain(&bytes);
    }

    /// What is damaged in base64 mostly breaks its alphabet; these are whole headers with odd values in them.
    #[test]
    fn metadata_of_odd_values(damages in proptest::collection::vec((any::<Index>(), damage()), 0..4)) {
        services::plain(&said(&damages));
    }

    #[test]
    fn identities(bytes in damaged(&IDENTITIES)) {
        services::identity(&bytes);
    }

    #[test]
    fn journal_rows(bytes in damaged(&JOURNALS)) {
        services::journal(&bytes);
    }
}
