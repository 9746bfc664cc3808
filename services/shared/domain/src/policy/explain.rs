//! "Why is this kept until …?" in a sentence, with the article (requirements 4, row 30).

use jiff::civil::Date;

use super::{Obligation, OpenReason, Origin, Words};

impl Obligation {
    /// Why an item is kept, for a person, in both languages.
    #[must_use]
    pub fn explain(&self) -> Words {
        match self {
            Self::Dated { last_day_kept, period, cite, text, origin, .. } => {
                let next = last_day_kept.tomorrow().unwrap_or(Date::MAX);
                let (en_source, zh_source) = source(cite.as_str(), text, *origin);
                Words {
                    en: format!(
                        "kept at least to the end of {last_day_kept} (Asia/Shanghai), {} from ingest, {en_source}; deletion may be proposed from {next}",
                        period.in_english()
                    ),
                    zh: format!(
                        "{zh_source}，自入庫之日起{}，至少保存至 {last_day_kept}（含當日），{next} 零時起方可提請刪除",
                        period.in_chinese()
                    ),
                }
            }
            Self::Open { reason, cite, text, origin } => open(*reason, &source(cite.as_str(), text, *origin)),
            Self::Unset { reason, cite } => Words {
                en: format!("not to be deleted: no period is set for {cite}: {}", reason.en),
                zh: format!("不得刪除：{cite} 的保存期限尚未設定：{}", reason.zh),
            },
            Self::Permanent { cite, text, origin } => {
                let (en_source, zh_source) = source(cite.as_str(), text, *origin);
                Words { en: format!("kept permanently {en_source}"), zh: format!("{zh_source}，永久保存") }
            }
        }
    }
}

fn open(reason: OpenReason, (en_source, zh_source): &(String, String)) -> Words {
    match reason {
        OpenReason::LongTerm => Words {
            en: format!("kept long-term {en_source}; the text names no end, only a person may end it"),
            zh: format!("{zh_source}，長期保存；規定未定期限，僅可由人員解除"),
        },
        OpenReason::CaseFile => Words {
            en: format!("kept as long as the case file {en_source}; enter the case file's period to get a date"),
            zh: format!("{zh_source}，與案卷保存期限相同；錄入案卷保存期限後方有截止日期"),
        },
    }
}

fn source(cite: &str, text: &str, origin: Origin) -> (String, String) {
    match origin {
        Origin::Text => (format!("under {cite} 「{text}」"), format!("依 {cite}「{text}」")),
        Origin::Ours => (
            format!("by a rule of this system beside {cite}, not of the regulation: {text}"),
            format!("依本系統自設規則（參見 {cite}，非規定原文）：{text}"),
        ),
    }
}
