//! What happened, in a sentence for the custody timeline.

use custos_domain::{
    fact::{Act, IncidentClass},
    hold::Permanence,
};

use super::{Sentence, moment, words};

/// The act in words.
#[must_use]
pub fn describe(act: &Act) -> Sentence {
    match act {
        Act::DockOpened { device, files, .. } => words(
            format!("recorder {device} connected with {} files", files.len()),
            format!("執法記錄儀 {device} 接入採集站，內有文件 {} 個", files.len()),
        ),
        Act::DockClosed { deposited, left, erased, .. } => words(
            format!(
                "docking ended: {} deposited, {} left on the recorder, {erased} erased",
                deposited.len(),
                left.len()
            ),
            format!("採集結束：入庫 {} 個，留存 {} 個，清除 {erased} 個", deposited.len(), left.len()),
        ),
        Act::Deposited { .. } => words("stored, locked and described", "入庫：已存儲、鎖定並登記"),
        Act::DepositRejected { reason, .. } => words(format!("refused: {reason}"), format!("拒收：{reason}")),
        Act::UploadAbandoned { file_name, length, reason, .. } => words(
            format!("upload of {file_name} ({length} bytes) ended without an item: {reason}"),
            format!("文件 {file_name}（{length} 字節）上傳終止，未入庫：{reason}"),
        ),
        Act::Sealed { .. } => words(
            "re-read from the store by a second service and found equal; SHA-256 and SM3 sealed",
            "封存：經獨立服務自存儲重讀，內容一致；SHA-256 與 SM3 摘要已封存",
        ),
        Act::PermitIssued { .. } => words("the recorder may be erased of it", "准許從執法記錄儀清除"),
        Act::Derived { outcome, detail, .. } => derived(outcome, detail.as_deref()),
        Act::LockExtended { until, obligation, .. } => {
            let (why, until) = (obligation.explain(), moment(*until));
            words(
                format!("locked until {until} (Asia/Shanghai): {}", why.en),
                format!("鎖定至 {until}（北京時間）：{}", why.zh),
            )
        }
        Act::HoldPlaced { reason, permanence, .. } => {
            let ((en, zh), cite, text) = (hold(*permanence), &reason.cite, &reason.text);
            words(format!("{en} hold under {cite}: {text}"), format!("{zh}，依 {cite}：{text}"))
        }
        Act::HoldConfirmed { permanence, note, .. } => {
            let (en, zh) = hold(*permanence);
            words(format!("{en} hold confirmed: {note}"), format!("確認{zh}：{note}"))
        }
        Act::HoldReleaseProposed { note, .. } => {
            words(format!("release of the hold proposed: {note}"), format!("提請解除保全：{note}"))
        }
        Act::HoldReleased { note, .. } => words(format!("hold released: {note}"), format!("解除保全：{note}")),
        Act::HoldApplied { on, settled, objects } => applied(*on, *settled, objects.len()),
        Act::IncidentOpened { class, detail } => {
            let (en, zh) = incident(*class);
            words(format!("incident: {en}: {detail}"), format!("異常：{zh}：{detail}"))
        }
        Act::IncidentClosed { note, .. } => words(format!("incident closed: {note}"), format!("異常已處理：{note}")),
        Act::RecordRead { view } => words(format!("record read ({view})"), format!("查閱記錄（{view}）")),
        Act::CatalogueSearched { query, results } => {
            words(format!("searched `{query}`: {results} shown"), format!("檢索「{query}」：顯示 {results} 條"))
        }
        Act::StationRegistered { plain: false } => words("station registered", "採集站登記"),
        Act::StationRegistered { plain: true } => {
            words("station registered; it need not sign what it hands in", "採集站登記（無須簽署聲明）")
        }
        Act::EnrolmentCodeIssued { until } => {
            let until = moment(*until);
            words(
                format!("one-time enrolment code issued, good until {until} (Asia/Shanghai)"),
                format!("簽發一次性註冊碼，有效至 {until}（北京時間）"),
            )
        }
        Act::StationEnrolled { certificate } => {
            let (serial, until) = (&certificate.serial, moment(certificate.until));
            words(
                format!("station enrolled: certificate {serial}, good until {until} (Asia/Shanghai)"),
                format!("採集站註冊：證書 {serial}，有效至 {until}（北京時間）"),
            )
        }
        Act::StationRenewed { certificate, replaces } => {
            let (serial, until) = (&certificate.serial, moment(certificate.until));
            words(
                format!("certificate {serial} in place of {replaces}, good until {until} (Asia/Shanghai)"),
                format!("證書更新：{serial} 代替 {replaces}，有效至 {until}（北京時間）"),
            )
        }
        Act::StationRevoked { reason, certificates } => {
            let count = certificates.len();
            words(
                format!("station shut out, {count} certificates revoked: {reason}"),
                format!("採集站停用，吊銷證書 {count} 張：{reason}"),
            )
        }
    }
}

fn derived(outcome: &str, detail: Option<&str>) -> Sentence {
    let because = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    match outcome {
        "playable" => words("playback copy made", "已生成播放副本"),
        "still_image" => words("picture for viewing made", "已生成瀏覽圖片"),
        other => words(format!("no playback copy ({other}){because}"), format!("無播放副本（{other}）{because}")),
    }
}

fn applied(on: bool, settled: bool, versions: usize) -> Sentence {
    let (en, zh) = if on { ("on", "啟用") } else { ("off", "撤銷") };
    let (en_again, zh_again) = if settled { (", read back again", "，已複核") } else { ("", "") };
    words(
        format!("legal hold switched {en} in the store on {versions} versions{en_again}"),
        format!("存儲保全已{zh}，共 {versions} 個版本{zh_again}"),
    )
}

fn hold(permanence: Permanence) -> (&'static str, &'static str) {
    match permanence {
        Permanence::Open => ("long-term", "長期保全"),
        Permanence::Permanent => ("permanent", "永久保全"),
    }
}

fn incident(class: IncidentClass) -> (&'static str, &'static str) {
    match class {
        IncidentClass::Mismatch => ("the stored bytes are not what was deposited", "存儲內容與入庫內容不符"),
        IncidentClass::Variant => ("other bytes for a segment that has an item", "同一片段出現不同內容"),
        IncidentClass::StoreFault => ("the store did not keep what it acknowledged", "存儲未保留其已確認之內容"),
        IncidentClass::Clock => ("the recorder's clock is too far off", "執法記錄儀時鐘偏差過大"),
        IncidentClass::Enrolment => ("an enrolment code or a certificate was used by two", "註冊碼或證書被重複使用"),
        IncidentClass::LockDrift => ("a lock or hold is not what it must be", "鎖定或保全狀態異常"),
        IncidentClass::ForeignVersion => {
            ("the store holds a version or delete marker that is not ours", "存儲出現非本系統寫入之版本或刪除標記")
        }
    }
}
