//! The reconciler: what the bus did not bring. Takes no input, and may run at any time, also twice at once.
//!
//! Why it ends right after anything (INV-9):
//!
//! - **Database dropped.** The schema is made again, the walks find every fact unknown, and rows are computed from them.
//! - **Database away while docks upload.** Announcements wait on the bus; those given up are found by the walks.
//! - **Bus away or deleted.** Facts are durable before they are announced, so the walks find what was never delivered. What the
//!   *other* services did not hear of is seen from the rows: every step of an item follows from one fact
//!   ([`crate::fold::pending`]), and a fact whose step has not followed in time is announced again, at growing intervals, until it
//!   has. Each step taken states a fact, which makes the next step waited for; so an item is carried to its end one step a
//!   round, even when no announcement of its own ever arrives.
//! - **A step taken twice** states one fact: its id, and so its key, is derived from what happened.
//!
//! A round walks at most so many pages of each walk and goes on there in the next, so it always ends.

mod again;
mod recent;
mod round;

pub use round::Reconciler;
