//! The `process_…` series that every Prometheus client library has, under the same names: dashboards and alerts for processes in general
//! then work for the bot, too.
//!
//! Read from `/proc/self` at each scrape. What can't be read is left out, because zero would be wrong. See
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>.

use std::fmt;
use std::fs;
use std::sync::OnceLock;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::clock::{Clock, UnixMs};

/// The unit of the times in `/proc/self/stat`, per second. It is 100 on every processor that the bot is built for, whatever the kernel's
/// own tick is.
const USER_HZ: f64 = 100.0;

/// When the program began. The kernel knows better, but only relative to the machine's start, and that is in `/proc/stat`, which the
/// systemd unit hides.
static STARTED: OnceLock<UnixMs> = OnceLock::new();

/// Remembers now as the process's start time, unless it is known already.
pub(super) fn started() -> UnixMs {
    *STARTED.get_or_init(|| Clock::system().now())
}

#[derive(Debug)]
pub(super) struct ProcessCollector {
    /// Unix time in seconds.
    pub(super) started: f64,
}

impl Collector for ProcessCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // What lists the descriptors opens one itself.
        let open_fds = fs::read_dir("/proc/self/fd").ok().map(|list| list.count().saturating_sub(1));
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let readings = Readings {
            started: self.started,
            open_fds,
            stat: &read("/proc/self/stat"),
            status: &read("/proc/self/status"),
            limits: &read("/proc/self/limits"),
        };
        readings.encode(encoder)
    }
}

/// What the kernel says, unparsed. An empty text is one that couldn't be read.
#[derive(Clone, Copy, Debug)]
struct Readings<'a> {
    started: f64,
    open_fds: Option<usize>,
    stat: &'a str,
    status: &'a str,
    limits: &'a str,
}

impl Readings<'_> {
    fn encode(self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let mut series = |name: &str, help: &str, unit: Option<&Unit>, value: Option<&dyn EncodeMetric>| match value {
            Some(value) => value.encode(to.encode_descriptor(name, help, unit, value.metric_type())?),
            None => Ok(()),
        };
        let gauge = |value: Option<u64>| value.map(ConstGauge::new);
        let (seconds, bytes) = (Some(&Unit::Seconds), Some(&Unit::Bytes));
        let started = ConstGauge::new(self.started);
        series("process_start_time", "When the process started, in Unix time", seconds, Some(&started))?;
        let cpu = cpu_seconds(self.stat).map(ConstCounter::new);
        series("process_cpu", "User and system CPU time", seconds, cpu.as_ref().map(|cpu| cpu as _))?;
        let open = gauge(self.open_fds.and_then(|count| u64::try_from(count).ok()));
        series("process_open_fds", "Open file descriptors", None, open.as_ref().map(|open| open as _))?;
        let max = gauge(max_fds(self.limits));
        series("process_max_fds", "Limit of open file descriptors", None, max.as_ref().map(|max| max as _))?;
        let size = gauge(kilobytes(self.status, "VmSize:"));
        series("process_virtual_memory", "Virtual memory", bytes, size.as_ref().map(|size| size as _))?;
        let resident = gauge(kilobytes(self.status, "VmRSS:"));
        series("process_resident_memory", "Resident memory", bytes, resident.as_ref().map(|resident| resident as _))?;
        let threads = gauge(field(self.status, "Threads:").and_then(|count| count.parse().ok()));
        series("process_threads", "Threads of the operating system", None, threads.as_ref().map(|threads| threads as _))
    }
}

/// Fields 14 and 15 of `stat`. Field 2, the program's name, may contain spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, from_third) = stat.rsplit_once(')')?;
    let mut ticks = from_third.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    #[expect(clippy::cast_precision_loss, reason = "exact for millions of years")]
    let ticks = user.checked_add(system)? as f64;
    Some(ticks / USER_HZ)
}

/// The soft limit. A process without one has no such series.
fn max_fds(limits: &str) -> Option<u64> {
    field(limits, "Max open files")?.split_ascii_whitespace().next()?.parse().ok()
}

/// In bytes. `status` has kilobytes; `statm` has pages, whose size differs between machines.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    field(status, name)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    use super::*;

    const STAT: &str = "7 (ten) four (1)) S 1 7 7 0 -1 4194560 9 0 0 0 1234 66 5 5 20 0 9 0 100 1000 200 18446744073709551615 1 1 0 0";
    const STATUS: &str = "Name:\ttenfour\nVmHWM:\t   99 kB\nVmSize:\t  204800 kB\nVmRSS:\t   18432 kB\nThreads:\t14\n";
    const LIMITS: &str = "Limit                     Soft Limit           Hard Limit           Units     \n\
                          Max open files            4096                 524288               files     \n";
    const GOOD: Readings<'_> = Readings { started: 1.5, open_fds: Some(23), stat: STAT, status: STATUS, limits: LIMITS };

    /// Serves what a test made up.
    #[derive(Debug)]
    struct MadeUp(Readings<'static>);

    impl Collector for MadeUp {
        fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
            self.0.encode(encoder)
        }
    }

    fn text_of(collector: impl Collector) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(collector));
        let mut text = String::new();
        text::encode(&mut text, &registry).unwrap();
        text
    }

    fn samples(collector: impl Collector) -> BTreeMap<String, f64> {
        let text = text_of(collector);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split_once(' ').unwrap()).map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    #[test]
    fn process_series_have_the_conventional_names_and_base_units() {
        let wanted = BTreeMap::from(
            [
                ("process_cpu_seconds_total", 13.0),
                ("process_max_fds", 4096.0),
                ("process_open_fds", 23.0),
                ("process_resident_memory_bytes", 18_874_368.0),
                ("process_start_time_seconds", 1.5),
                ("process_threads", 14.0),
                ("process_virtual_memory_bytes", 209_715_200.0),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        assert_eq!(samples(MadeUp(GOOD)), wanted);
        let text = text_of(MadeUp(GOOD));
        assert!(text.contains("# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\n"), "{text}");
        assert!(text.contains("# TYPE process_resident_memory_bytes gauge\n# UNIT process_resident_memory_bytes bytes\n"), "{text}");
    }

    #[test]
    fn a_series_that_cannot_be_read_is_left_out_alone() {
        let all: Vec<String> = samples(MadeUp(GOOD)).into_keys().collect();
        let check = |strange: Readings<'static>, missing: &[&str]| {
            let wanted: Vec<&String> = all.iter().filter(|name| !missing.contains(&name.as_str())).collect();
            assert_eq!(samples(MadeUp(strange)).keys().collect::<Vec<_>>(), wanted, "{strange:?}");
        };
        for stat in
            ["", "7 (tenfour", "7 (tenfour) S 1 7", "7 (x) S 1 7 7 0 -1 4194560 9 0 0 0 12 -6 5", "7 (x) S 1 7 7 0 -1 4 9 0 0 0 a 6 5"]
        {
            check(Readings { stat, ..GOOD }, &["process_cpu_seconds_total"]);
        }
        for limits in ["", "Max open files", "Max open files            unlimited            unlimited            files     \n"] {
            check(Readings { limits, ..GOOD }, &["process_max_fds"]);
        }
        check(Readings { open_fds: None, ..GOOD }, &["process_open_fds"]);
        for resident in ["VmRSS:", "VmRSS:\t12 pages", "VmRSS:\t18446744073709551615 kB", "VmRSS:\t kB", "VmRSS:\t-1 kB"] {
            let status: &'static str = STATUS.replace("VmRSS:\t   18432 kB", resident).leak();
            check(Readings { status, ..GOOD }, &["process_resident_memory_bytes"]);
        }
        check(Readings { status: "VmSize:\t8 kB\nVmRSS:\t8 kB\nThreads:\tmany\n", ..GOOD }, &["process_threads"]);
        let nothing = Readings { open_fds: None, stat: "", status: "", limits: "", ..GOOD };
        assert_eq!(samples(MadeUp(nothing)).into_keys().collect::<Vec<_>>(), ["process_start_time_seconds"]);
    }

    #[test]
    fn the_running_process_is_measured_at_each_scrape() {
        let there = samples(ProcessCollector { started: 2.5 });
        assert_eq!(there["process_start_time_seconds"], 2.5);
        assert!(started() == started() && started().secs() > 1_700_000_000, "{:?}", started());
        if !cfg!(target_os = "linux") {
            assert_eq!(there.len(), 1, "{there:?}");
            return;
        }
        assert_eq!(there.len(), 7, "{there:?}");
        assert!(there["process_resident_memory_bytes"] > f64::from(1 << 20), "{there:?}");
        assert!(there["process_virtual_memory_bytes"] >= there["process_resident_memory_bytes"], "{there:?}");
        assert!(there["process_open_fds"] >= 1.0 && there["process_open_fds"] <= there["process_max_fds"], "{there:?}");
        assert!(there["process_threads"] >= 2.0, "the test's own thread and the harness: {there:?}");

        // Other tests open files, too, but not this many.
        let files: Vec<_> = (0..200).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        let more = samples(ProcessCollector { started: 2.5 });
        assert!(more["process_open_fds"] >= there["process_open_fds"] + 100.0, "{there:?} {more:?}");
        drop(files);
        // Each scrape is work, which ends up in the hundredths that `stat` counts.
        let before = std::time::Instant::now();
        let mut cpu = more["process_cpu_seconds_total"];
        while cpu <= more["process_cpu_seconds_total"] {
            assert!(before.elapsed().as_secs() < 60, "no CPU time was counted: {more:?}");
            cpu = samples(ProcessCollector { started: 2.5 })["process_cpu_seconds_total"];
        }
    }
}
