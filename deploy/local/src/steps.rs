//! Tells a person at a terminal what is going on, a line a step, with the time it took.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

/// Shorter steps are told without their time.
const WORTH_TELLING: Duration = Duration::from_millis(50);

/// Where steps are told.
#[derive(Debug, Clone, Copy)]
pub enum Steps {
    /// On standard output.
    Told,
    /// Nowhere, as in tests.
    Silent,
}

impl Steps {
    /// Does `work`, then tells `what`, what came of it and how long it took.
    pub async fn run<T, E>(self, what: &str, work: impl Future<Output = Result<(T, String), E>>) -> Result<T, E> {
        let started = Instant::now();
        let (done, outcome) = work.await?;
        let took = started.elapsed();
        let seconds = if took < WORTH_TELLING { String::new() } else { format!("  {:.1} s", took.as_secs_f64()) };
        self.tell(&format!("  {what:<14} {outcome}{seconds}"));
        Ok(done)
    }

    /// Tells a line.
    pub fn tell(self, line: &str) {
        if matches!(self, Self::Told) {
            // Whoever closed the terminal does not want to know.
            let _ = writeln!(io::stdout(), "{line}");
        }
    }
}
