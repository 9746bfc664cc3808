//! What was found after the cuts of one setting.

use std::fmt;

use super::Setting;

/// Counts over all rounds of one setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Objects the store had acknowledged as the last thing before a cut.
    pub acknowledged: usize,
    /// Of those: gone.
    pub acknowledged_lost: usize,
    /// Items whose erase permit the dock had, and by which it erased them from the recorder.
    pub permitted: usize,
    /// Of those: original or manifest gone, changed or not locked.
    pub footage_lost: usize,
    /// Of those: footage there, but outboard, seal or permit gone.
    pub papers_lost: usize,
    /// Objects whose hold the store had acknowledged and shown.
    pub held: usize,
    /// Of those: without it after the cut.
    pub holds_lost: usize,
    /// Of those: held again by legal-hold.
    pub holds_back: usize,
    /// Of the held objects: locked to an earlier date after the cut.
    pub locks_lost: usize,
    /// Of those: locked again by retention.
    pub locks_back: usize,
}

impl Outcome {
    /// The head of the table that [`Outcome::row`] fills.
    pub const HEAD: &str = "\
setting    last writes   items with a permit           objects under a hold
           all   lost    all   footage   papers        all   hold    put back   lock    put back
                               lost      lost                lost    again      lost    again";

    /// One line of the table.
    #[must_use]
    pub fn row(&self, setting: Setting) -> String {
        let Self {
            acknowledged,
            acknowledged_lost,
            permitted,
            footage_lost,
            papers_lost,
            held,
            holds_lost,
            holds_back,
            locks_lost,
            locks_back,
        } = self;
        format!(
            "{setting:<10} {acknowledged:<5} {acknowledged_lost:<7} {permitted:<5} {footage_lost:<9} {papers_lost:<13} {held:<5} {holds_lost:<7} {holds_back:<10} {locks_lost:<7} {locks_back}"
        )
    }

    /// What is promised for a setting and was not kept.
    pub fn broken(&self, setting: Setting) -> impl Iterator<Item = String> {
        let is_bare = setting == Setting::Bare;
        let lost = self.acknowledged_lost + self.footage_lost + self.papers_lost + self.holds_lost + self.locks_lost;
        let promises = [
            (!is_bare && self.footage_lost > 0, "footage with an erase permit is lost"),
            (setting == Setting::Required && lost > 0, "something acknowledged is lost with the required settings"),
            (self.holds_back < self.holds_lost, "a lost hold was not put back"),
            (self.locks_back < self.locks_lost, "a lost lock was not put back"),
            (is_bare && lost == 0, "nothing is lost without any setting: the cut cannot be told from none here"),
        ];
        promises.into_iter().filter(|(broken, _)| *broken).map(move |(_, what)| format!("{setting}: {what}"))
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bare => "bare",
            Self::Osync => "osync",
            Self::Required => "required",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_has_its_promises() {
        let broken = |outcome: Outcome, setting| outcome.broken(setting).count();
        let fine = Outcome { permitted: 3, held: 15, ..Outcome::default() };
        assert_eq!(Setting::ALL.map(|setting| broken(fine, setting)), [1, 0, 0]);
        let lost = Outcome { footage_lost: 1, ..fine };
        assert_eq!(Setting::ALL.map(|setting| broken(lost, setting)), [0, 1, 2]);
        let forgotten = Outcome { holds_lost: 2, holds_back: 2, locks_lost: 1, locks_back: 1, ..fine };
        assert_eq!(Setting::ALL.map(|setting| broken(forgotten, setting)), [0, 0, 1]);
        let open = Outcome { holds_back: 1, locks_back: 0, ..forgotten };
        assert_eq!(Setting::ALL.map(|setting| broken(open, setting)), [2, 2, 3]);
    }
}
