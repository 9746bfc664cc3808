//! The one place of the dock that asks the machine what time it is; everything else is told (house rule 4).

use jiff::Timestamp;

/// Tells the time.
pub type Clock = fn() -> Timestamp;

/// The station's clock.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place of the dock that asks; it has no custos-platform to ask for it"
)]
pub fn system() -> Timestamp {
    Timestamp::now()
}
