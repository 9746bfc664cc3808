//! The table, the ratios of each round, and the bars.

use std::fmt::Write as _;

use serde::Serialize;

use super::{
    contest::{Contestant, Figure},
    load::Load,
};

/// One load, everything measured about it.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// The load.
    pub load: Load,
    /// Median MiB a second of ingest, tusd and `mc cp`.
    pub mib_per_second: [f64; 3],
    /// Median processor seconds a GiB of ingest and tusd.
    pub cpu_seconds_per_gib: [f64; 2],
    /// Median over the rounds of the 99th hundredth of last byte to answer, seconds, of ingest and tusd.
    pub answer_p99: [f64; 2],
    /// Highest resident memory of ingest and tusd, MiB.
    pub peak_mib: [u64; 2],
    /// Median over the rounds of ingest's throughput by that of `mc cp`.
    pub throughput_by_mc: f64,
    /// The same by tusd's.
    pub throughput_by_tusd: f64,
    /// Median over the rounds of ingest's processor time by tusd's.
    pub cpu_by_tusd: f64,
    /// Median over the rounds of ingest's p99 by tusd's.
    pub p99_by_tusd: f64,
}

/// Whether a promise holds for one load.
#[derive(Debug, Clone, Serialize)]
pub struct Bar {
    /// The load.
    pub load: Load,
    /// What is promised.
    pub promise: &'static str,
    /// The ratio measured.
    pub measured: f64,
    /// Whether it holds.
    pub holds: bool,
}

/// Sums the figures up, a line for each load.
#[must_use]
pub fn lines(figures: &[Figure]) -> Vec<Line> {
    let mut loads: Vec<Load> = Vec::new();
    for figure in figures {
        if !loads.contains(&figure.load) {
            loads.push(figure.load);
        }
    }
    loads.into_iter().map(|load| line(load, figures)).collect()
}

fn line(load: Load, figures: &[Figure]) -> Line {
    use Contestant::{Custos, Mc, Tusd};
    let of = |who: Contestant, value: fn(&Figure) -> f64| -> Vec<f64> {
        figures.iter().filter(|figure| figure.load == load && figure.contestant == who).map(value).collect()
    };
    let ratio = |value: fn(&Figure) -> f64, by: Contestant| -> f64 {
        median(of(Custos, value).into_iter().zip(of(by, value)).map(|(ours, theirs)| ours / theirs).collect())
    };
    let peak = |who| {
        figures.iter().filter(|f| f.load == load && f.contestant == who).filter_map(|f| f.peak_mib).max().unwrap_or(0)
    };
    Line {
        load,
        mib_per_second: [Custos, Tusd, Mc].map(|who| median(of(who, speed))),
        cpu_seconds_per_gib: [Custos, Tusd].map(|who| median(of(who, cpu))),
        answer_p99: [Custos, Tusd].map(|who| median(of(who, p99))),
        peak_mib: [Custos, Tusd].map(peak),
        throughput_by_mc: ratio(speed, Mc),
        throughput_by_tusd: ratio(speed, Tusd),
        cpu_by_tusd: ratio(cpu, Tusd),
        p99_by_tusd: ratio(p99, Tusd),
    }
}

/// What is promised, and whether it holds.
#[must_use]
pub fn bars(lines: &[Line]) -> Vec<Bar> {
    let of = |line: &Line| {
        let bar = |promise, measured: f64, holds| Bar { load: line.load, promise, measured, holds };
        [
            bar("throughput at least 0.95 of mc cp", line.throughput_by_mc, line.throughput_by_mc >= 0.95),
            bar("throughput at least tusd's", line.throughput_by_tusd, line.throughput_by_tusd >= 1.0),
            bar("processor time at most 0.5 of tusd's", line.cpu_by_tusd, line.cpu_by_tusd <= 0.5),
            bar("p99 last byte to receipt at most 0.5 of tusd's answer", line.p99_by_tusd, line.p99_by_tusd <= 0.5),
        ]
    };
    lines.iter().flat_map(of).collect()
}

/// The table for people.
#[must_use]
pub fn table(lines: &[Line]) -> String {
    let mut text = String::from(
        "                        MiB/s                CPU s/GiB      p99 answer s     peak MiB     custos by …\n\
         sessions × files        custos  tusd    mc   custos  tusd   custos   tusd   custos tusd    mc   tusd  CPU   p99\n",
    );
    for line in lines {
        let Load { sessions, files, mib } = line.load;
        let name = format!("{sessions} × {files} of {mib} MiB");
        let ([speed, tusd, mc], [cpu, tusd_cpu]) = (line.mib_per_second, line.cpu_seconds_per_gib);
        let ([p99, tusd_p99], [peak, tusd_peak]) = (line.answer_p99, line.peak_mib);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{name:<24}{speed:6.0}{tusd:6.0}{mc:6.0}{cpu:9.2}{tusd_cpu:6.2}{p99:9.2}{tusd_p99:7.2}{peak:9}{tusd_peak:5}{:6.2}{:7.2}{:5.2}{:6.2}",
            line.throughput_by_mc, line.throughput_by_tusd, line.cpu_by_tusd, line.p99_by_tusd,
        );
    }
    text
}

fn speed(figure: &Figure) -> f64 {
    mib(figure) / figure.seconds
}

fn cpu(figure: &Figure) -> f64 {
    figure.cpu_seconds.unwrap_or(f64::NAN) / (mib(figure) / 1024.0)
}

fn p99(figure: &Figure) -> f64 {
    let at = (figure.answers.len() * 99).div_ceil(100).saturating_sub(1);
    figure.answers.get(at).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "a few GiB counted in MiB fit a double exactly")]
fn mib(figure: &Figure) -> f64 {
    (figure.load.bytes() >> 20) as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(contestant: Contestant, run: usize, seconds: f64) -> Figure {
        let load = Load { sessions: 1, files: 1, mib: 1024 };
        let answers = vec![seconds / 10.0];
        Figure {
            contestant,
            load,
            run,
            seconds,
            cpu_seconds: Some(seconds),
            store_cpu_seconds: seconds,
            sender_cpu_seconds: seconds,
            peak_mib: Some(7),
            answers,
        }
    }

    #[test]
    fn ratios_are_those_of_the_same_round() {
        let round = |run, custos, tusd, mc| {
            [
                figure(Contestant::Custos, run, custos),
                figure(Contestant::Tusd, run, tusd),
                figure(Contestant::Mc, run, mc),
            ]
        };
        let figures: Vec<Figure> =
            [round(0, 4.0, 8.0, 4.0), round(1, 40.0, 100.0, 40.0), round(2, 5.0, 5.0, 10.0)].concat();
        let lines = lines(&figures);
        assert_eq!(lines.len(), 1);
        assert!((lines[0].throughput_by_tusd - 2.0).abs() < 1e-9 && (lines[0].throughput_by_mc - 1.0).abs() < 1e-9);
        assert!((lines[0].cpu_by_tusd - 0.5).abs() < 1e-9);
        let bars = bars(&lines);
        assert!(bars.iter().all(|bar| bar.holds), "{bars:?}");
        assert!(table(&lines).contains("1 × 1 of 1024 MiB"));
    }
}
