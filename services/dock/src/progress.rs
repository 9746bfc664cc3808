//! What a person sees while a recorder is docked: a bar for each item under way and one for all, or plain lines.

use std::{
    io::{IsTerminal, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

const ITEM: &str =
    "{prefix:.bold} {msg:<9} {bar:24} {percent:>3}% {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12} {eta:>4}";
const TOTAL: &str =
    "{prefix:.bold} {msg} {bar:24.green} {percent:>3}% {bytes:>10}/{total_bytes:<10} {bytes_per_sec:>12} {eta:>4}";
/// Widest name shown in a bar, in characters.
const NAME: usize = 40;

/// Where progress is shown. Cheap to clone.
#[derive(Debug, Clone)]
pub enum View {
    /// Bars on a terminal.
    Bars(MultiProgress),
    /// A line for each thing that happens, for logs and pipes.
    Lines,
    /// Nothing.
    Quiet,
}

impl View {
    /// Bars, when standard error is a terminal.
    #[must_use]
    pub fn bars() -> Option<Self> {
        let terminal = std::io::stderr().is_terminal();
        terminal.then(|| Self::Bars(MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8))))
    }

    /// The bars, for whoever else writes to the terminal.
    #[must_use]
    pub fn multi(&self) -> Option<MultiProgress> {
        match self {
            Self::Bars(bars) => Some(bars.clone()),
            Self::Lines | Self::Quiet => None,
        }
    }

    /// Something a person should know now.
    pub fn say(&self, text: &str) {
        match self {
            // A failing terminal must not stop a deposit.
            Self::Bars(bars) => drop(bars.println(text)),
            Self::Lines => drop(writeln!(std::io::stderr().lock(), "{text}")),
            Self::Quiet => {}
        }
    }

    /// The whole of one recorder's docking: `files` files of `bytes` bytes together.
    #[must_use]
    pub fn docking(&self, recorder: &str, files: usize, bytes: u64) -> Whole {
        let bar = match self {
            Self::Bars(bars) => bars.add(ProgressBar::new(bytes)),
            Self::Lines | Self::Quiet => ProgressBar::hidden(),
        };
        bar.set_style(style(TOTAL));
        bar.set_prefix(recorder.to_owned());
        bar.set_message(format!("{files} files"));
        Whole { view: self.clone(), bar }
    }
}

/// The progress of one docking.
#[derive(Debug, Clone)]
pub struct Whole {
    view: View,
    bar: ProgressBar,
}

impl Whole {
    /// One item, under way from now on.
    #[must_use]
    pub fn item(&self, name: &str, length: u64) -> Item {
        let bar = match &self.view {
            View::Bars(bars) => bars.insert_before(&self.bar, ProgressBar::new(length)),
            View::Lines | View::Quiet => ProgressBar::hidden(),
        };
        bar.set_style(style(ITEM));
        bar.set_prefix(shortened(name));
        Item(Arc::new(Inner { whole: self.clone(), bar, name: name.to_owned(), length, counted: AtomicU64::new(0) }))
    }

    /// Something a person should know now.
    pub fn say(&self, text: &str) {
        self.view.say(text);
    }

    /// Takes the bars away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of one item. Cheap to clone; it is taken off the screen when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Item(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    whole: Whole,
    bar: ProgressBar,
    name: String,
    length: u64,
    counted: AtomicU64,
}

impl Item {
    /// What is being done to it now.
    pub fn stage(&self, stage: &'static str) {
        self.0.bar.set_message(stage);
        self.0.bar.set_position(0);
        self.0.bar.reset_eta();
    }

    /// Everything is sent; ingest stores and locks it.
    pub fn committing(&self) {
        self.0.bar.set_message("locking");
    }

    /// How far reading is.
    pub fn read(&self, bytes: u64) {
        self.0.bar.set_position(bytes);
    }

    /// How far sending is. May go back: what a cut connection took is not what ingest has.
    pub fn sent(&self, bytes: u64) {
        self.0.bar.set_position(bytes);
        let before = self.0.counted.swap(bytes, Ordering::Relaxed);
        if bytes >= before {
            self.0.whole.bar.inc(bytes - before);
        } else {
            self.0.whole.bar.dec(before - bytes);
        }
    }

    /// It waits for ingest.
    pub fn waits(&self) {
        self.0.bar.set_message("waiting");
    }

    /// Something a person should know about it now.
    pub fn note(&self, text: &str) {
        self.0.whole.say(&format!("{}: {text}", self.0.name));
    }

    /// How it ended.
    pub fn end(&self, outcome: &str) {
        self.sent(self.0.length);
        self.0.bar.finish_and_clear();
        self.0.whole.say(&format!("{} ({}): {outcome}", self.0.name, HumanBytes(self.0.length)));
    }
}

impl Drop for Inner {
    /// An item that was called off leaves no bar behind.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━━╌")
}

/// The end of a long name: that is where names differ.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME {
        return format!("{name:<NAME$}");
    }
    std::iter::once('…').chain(name.chars().skip(length - NAME + 1)).collect()
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Mutex};

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what is written to it.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            160
        }
        fn height(&self) -> u16 {
            50
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("screen").push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_of_many_recorders_has_its_files_above_its_own_total() {
        let screen = Screen::default();
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let view = View::Bars(MultiProgress::with_draw_target(target));
        let wholes: Vec<Whole> = (1..=5).map(|n| view.docking(&format!("DSJ0000{n}"), 2, 200)).collect();
        let items: Vec<Item> =
            wholes.iter().enumerate().map(|(n, whole)| whole.item(&format!("file-{n}.mp4"), 100)).collect();
        for item in &items {
            item.sent(50);
        }
        // Drawn anew, all of it, once nobody else writes.
        view.multi().expect("bars").suspend(|| screen.0.lock().expect("screen").clear());
        let shown = screen.0.lock().expect("screen").clone();
        let mut at = 0;
        for n in 0..5 {
            for words in [format!("file-{n}.mp4"), format!("DSJ0000{}", n + 1)] {
                let place =
                    shown[at..].find(&words).unwrap_or_else(|| panic!("{words} is not shown in its place: {shown}"));
                at += place;
            }
        }
        drop(items);
        wholes.iter().for_each(Whole::end);
    }

    #[test]
    fn the_total_follows_items_back_and_forth() {
        let whole = View::Quiet.docking("DSJ00012", 2, 100);
        let (first, second) = (whole.item("a", 60), whole.item("b", 40));
        first.sent(50);
        second.sent(40);
        first.sent(20);
        assert_eq!(whole.bar.position(), 60);
        first.end("deposited");
        assert_eq!(whole.bar.position(), 100);
    }

    #[test]
    fn long_names_keep_their_end() {
        let name = format!("{}_0007.mp4", "x".repeat(80));
        assert!(shortened(&name).ends_with("_0007.mp4"));
        assert_eq!(shortened(&name).chars().count(), NAME);
        assert_eq!(shortened("短.mp4").chars().count(), NAME);
    }
}
