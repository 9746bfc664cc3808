//! "Why is this kept until …?", with the articles.

use custos_domain::{fact::Actor, hold::Permanence};

use super::{Sentence, actor, moment, words};
use crate::fold::{
    ItemRecord,
    holds::{HoldRecord, Said, Stage},
    kept::Class,
};

/// The one sentence for a list.
#[must_use]
pub fn short(item: &ItemRecord) -> Sentence {
    why(item).into_iter().next().unwrap_or_else(|| first_lock(item))
}

/// Every reason that stands, the strongest first: what people hold, what the policy asks for, the lock in the store.
#[must_use]
pub fn why(item: &ItemRecord) -> Vec<Sentence> {
    let standing = item.holds.iter().filter(|hold| hold.stands());
    let (by_policy, mut by_people): (Vec<&HoldRecord>, Vec<&HoldRecord>) = standing.partition(|hold| is_policys(hold));
    by_people.sort_by_key(|hold| hold.permanence != Permanence::Permanent);
    let mut reasons: Vec<Sentence> = by_people.into_iter().map(held_by_people).collect();
    reasons.extend(item.obligations.iter().filter(|asked| !asked.ended).map(|asked| asked.obligation.explain().into()));
    reasons.extend(by_policy.into_iter().map(held_by_policy));
    if item.held && reasons.is_empty() {
        reasons.push(words(
            "the store's legal hold is on, though no reason for it stands any more; it is being taken off",
            "存儲保全仍生效，但保全事由均已解除；正在撤銷存儲保全",
        ));
    }
    reasons.push(first_lock(item));
    reasons
}

/// Whether nobody asked for it but the policy.
fn is_policys(hold: &HoldRecord) -> bool {
    hold.placed.as_ref().is_some_and(|placed| matches!(placed.by, Actor::Service { .. }))
}

fn first_lock(item: &ItemRecord) -> Sentence {
    let until = moment(item.locked_until);
    match item.class {
        Class::Pending => words(
            format!(
                "locked in the store until {until} (Asia/Shanghai); no period is stated, so no deletion may be proposed"
            ),
            format!("存儲鎖定至 {until}（北京時間）；保存期限未載明，不得提請刪除"),
        ),
        _ => words(
            format!("locked in the store until {until} (Asia/Shanghai); nobody can delete it before"),
            format!("存儲鎖定至 {until}（北京時間），期前任何人不得刪除"),
        ),
    }
}

/// The obligation beside it says why; how it ends is the policy's affair.
fn held_by_policy(hold: &HoldRecord) -> Sentence {
    let cite = hold.reason.as_ref().map(|reason| reason.cite.to_string()).unwrap_or_default();
    let since = hold.placed.as_ref().map(|placed| moment(placed.at)).unwrap_or_default();
    words(format!("held by the policy for {cite} since {since}"), format!("依政策保全（{cite}），自 {since} 起"))
}

fn held_by_people(hold: &HoldRecord) -> Sentence {
    let (en_why, zh_why) = match &hold.reason {
        Some(reason) => {
            let (cite, text) = (&reason.cite, &reason.text);
            (format!(" under {cite}: {text}"), format!("，依 {cite}：{text}"))
        }
        None => (String::new(), String::new()),
    };
    let (en_kind, zh_kind) = match hold.permanence {
        Permanence::Open => ("held", "保全"),
        Permanence::Permanent => ("held permanently", "永久保全"),
    };
    let placed = said(hold.placed.as_ref(), "placed by", "提出");
    let stage = match hold.stage {
        Stage::Placed => words("; a leader has still to confirm it", "；待負責人確認"),
        Stage::Confirmed => said(hold.confirmed.as_ref(), "confirmed by", "確認"),
        Stage::ReleaseProposed => said(hold.release_proposed.as_ref(), "release proposed by", "提請解除，待第二人核准"),
        Stage::Released => said(hold.released.as_ref(), "released by", "解除"),
    };
    words(
        format!("{en_kind}{en_why}{}{}; it takes two people to end it", placed.en, stage.en),
        format!("{zh_kind}{zh_why}{}{}；解除須經兩人", placed.zh, stage.zh),
    )
}

fn said(said: Option<&Said>, en: &str, zh: &str) -> Sentence {
    let Some(said) = said else { return words("", "") };
    let (by, at) = (actor(&said.by), moment(said.at));
    words(format!("; {en} {} on {at}", by.en), format!("；{} 於 {at} {zh}", by.zh))
}
