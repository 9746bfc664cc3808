//! What a policy file says besides the base period: which circumstances lift footage out of it, and how far.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Cite;
use crate::calendar::Period;

/// One clause that asks for longer keeping than the base period.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The circumstances it names; any one of them is enough.
    pub triggers: Vec<Trigger>,
    /// The clause.
    pub cite: Cite,
    /// The sentence the clause is an item of, which says how long; see [`super::Policy::leads`].
    #[serde(default)]
    pub under: Option<Cite>,
    /// The clause in its own words (origin `text`) or ours.
    pub text: String,
    /// What it asks for.
    pub obligation: Duty,
    /// Whose rule it is.
    pub origin: Origin,
    /// What a reader must know of how the clause was read.
    #[serde(default)]
    pub note: Option<Words>,
}

/// What a rule asks for, before there is an item to count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Keep at least this long, counted from ingest.
    Dated(Period),
    /// Keep with no end date, until a person ends it.
    Open(OpenReason),
    /// Keep for good.
    Permanent,
}

/// Why an obligation has no end date. Neither ends when its occasion does (requirements 1.8): only a person may end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenReason {
    /// 長期保存: the text says "long-term" and names no period (B-4.6.0, C-12.0, D-15.0, E-14.0).
    LongTerm,
    /// 與案卷保存期限相同: as long as a case file whose period is not known yet (C-11.2, D-14.4, E-13.2).
    CaseFile,
}

/// Whose rule it is. Screens show it, so that nobody takes a choice of ours for the law (requirements 1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The regulation's text asks for it.
    Text,
    /// We ask for it.
    Ours,
}

/// A circumstance, tagged by a person, that a regulation attaches longer keeping to. Shared by all tenants where their texts
/// mean the same; which of them count is for each tenant's rules to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// 有異議: the party disputes the enforcement (C-12.1, D-15.1, E-14.1).
    Dispute,
    /// 投訴、上訪: the party complains or petitions (C-12.1, E-14.1).
    ComplaintOrPetition,
    /// 逃避、拒絕、阻礙: evading, refusing or obstructing; with violence or threats in D (B-4.6.1, C-12.2, D-15.4, E-14.2).
    Obstruction,
    /// 謾罵、侮辱、毆打: insulting or assaulting (B-4.6.1, C-12.2, E-14.2).
    InsultOrAssault,
    /// 群體性事件: a mass incident (A-15.3, B-4.6.2, D-15.2, E-14.3).
    MassIncident,
    /// 突發事件: an emergency (A-15.3, B-4.6.2, D-15.2, E-14.3).
    Emergency,
    /// 突發公共環境事件: a public environmental emergency, and no other (C-12.3).
    EnvironmentalEmergency,
    /// 公安機關已經介入: the police are already involved (B-4.6.3).
    PoliceInvolved,
    /// 重大案件: a major case (D-15.3).
    MajorCase,
    /// 容易引發爭議: a process likely to be contested (D-15.3).
    ContentiousProcess,
    /// 其他重要情況: other important circumstances (A-15.4, B-4.6.4, C-12.4, E-14.4).
    OtherImportant,
    /// 其他應當音像記錄的行政執法活動: other enforcement that ought to be recorded; wider than "important" (D-15.5).
    OtherEnforcement,
    /// 作為證據使用: used as evidence in a case (C-11.2, D-14.4, E-13.2; B has no such rule).
    UsedAsEvidence,
}

impl Trigger {
    /// Every trigger there is, for forms and tests.
    pub const ALL: [Self; 13] = [
        Self::Dispute,
        Self::ComplaintOrPetition,
        Self::Obstruction,
        Self::InsultOrAssault,
        Self::MassIncident,
        Self::Emergency,
        Self::EnvironmentalEmergency,
        Self::PoliceInvolved,
        Self::MajorCase,
        Self::ContentiousProcess,
        Self::OtherImportant,
        Self::OtherEnforcement,
        Self::UsedAsEvidence,
    ];

    /// The trigger as it stands in policy files, documents and subjects.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dispute => "dispute",
            Self::ComplaintOrPetition => "complaint_or_petition",
            Self::Obstruction => "obstruction",
            Self::InsultOrAssault => "insult_or_assault",
            Self::MassIncident => "mass_incident",
            Self::Emergency => "emergency",
            Self::EnvironmentalEmergency => "environmental_emergency",
            Self::PoliceInvolved => "police_involved",
            Self::MajorCase => "major_case",
            Self::ContentiousProcess => "contentious_process",
            Self::OtherImportant => "other_important",
            Self::OtherEnforcement => "other_enforcement",
            Self::UsedAsEvidence => "used_as_evidence",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The same words in Chinese and in English.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// 中文.
    pub zh: String,
    /// English.
    pub en: String,
}
