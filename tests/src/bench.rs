//! The benchmark: ingest beside the tools people would use instead, on the same store and the same bytes, interleaved.
//!
//! Figures of different machines say nothing, and neither do those of different minutes: what counts are ratios within one run. In
//! reading order:
//!
//! 1. [`load`]: how many sessions send which files.
//! 2. [`custos`], [`tusd`], [`mc`]: the three ways into the store.
//! 3. [`clock`]: from the last byte to the answer. [`process`]: processor time and memory of a server.
//! 4. [`contest`]: the rounds. [`report`]: the table, the ratios, the bars.

pub mod clock;
pub mod contest;
pub mod custos;
pub mod load;
pub mod mc;
pub mod process;
pub mod report;
pub mod tusd;
