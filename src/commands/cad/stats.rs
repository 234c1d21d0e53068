//! `/cad stats`.

use std::collections::BTreeMap;
use std::time::Duration;

use tenfour_chart::{self as chart, Chart, Columns, Heading, Measure, Series};

use crate::clock::millis;
use crate::commands::context::{Context, guild_of};
use crate::commands::duty::report::{ReportScope, drawn, quoted};
use crate::commands::errors::Error;
use crate::commands::reply::ReplyPage;
use crate::commands::wording::counted;
use crate::commands::{autocomplete, reply};
use crate::render::text::{SafeText, safe};
use crate::store::duty::{Fact, MAX_CALLS};

/// Most priorities shown.
const PRIORITIES: usize = 12;
const HOURS_FILE: &str = "calls-by-hour.png";
const WAIT_FILE: &str = "time-to-first-unit.png";

/// Calls by hour and priority, and how long they waited for a unit
#[poise::command(slash_command, guild_only)]
pub(super) async fn stats(
    ctx: Context<'_>,
    #[description = "How many days back (default: 7)"]
    #[min = 1]
    #[max = 90]
    days: Option<u32>,
    #[description = "Only this CAD server (default: all of them)"]
    #[autocomplete = "autocomplete::server"]
    #[min = 1]
    server: Option<u32>,
    #[description = "Let everybody in this channel see the answer"] share: Option<bool>,
) -> Result<(), Error> {
    let shared = share.unwrap_or(false);
    ctx.defer_response(!shared).await?;
    let context = ctx.data();
    let scope = ReportScope::new(context, guild_of(ctx)?, days, server).await?;
    let facts = context.store.call_facts(&scope.community, scope.server, scope.span).await?;
    let counts = Counts::of(&facts, |at| scope.zone.hour(at));
    if counts.calls() == 0 {
        return Err(Error::refused(safe!(
            "No call was opened {}, as far as the bot has seen. Try more `days:`, or see `/cad status` for whether events arrive.",
            scope.words()
        )));
    }
    let mut lines = counts.lines(&scope.words());
    lines.push(scope.small_print());
    if facts.len() >= MAX_CALLS {
        lines.push(safe!("-# Only the last {} calls were looked at: ask for fewer days.", MAX_CALLS));
    }
    let mut pages = vec![ReplyPage::new("📊 Calls", SafeText::join(lines, "\n"), reply::BLUE).picture(HOURS_FILE)];
    let says = format!("Column chart: calls by hour of the day, {}. {}", scope.subtitle(), counts.busiest());
    let mut files = vec![drawn(context, counts.by_hour(scope.subtitle()), HOURS_FILE, &says).await?];
    if let Some(chart) = counts.by_priority(scope.subtitle()) {
        let says = format!("Column chart: time to the first unit by priority, median and 90th percentile, {}.", scope.subtitle());
        files.push(drawn(context, chart, WAIT_FILE, &says).await?);
        pages.push(ReplyPage::new("⏱️ Time to the first unit", SafeText::join(counts.waits(), "\n"), reply::BLUE).picture(WAIT_FILE));
    }
    reply::enclose(ctx, pages, files, shared).await
}

/// Priorities in their order: numbers, then words, then none.
type Priority = (u8, i64, String);

/// Dispatch calls of one priority.
#[derive(Debug, Default)]
struct Of {
    calls: usize,
    /// How long each waited for its first unit, in order.
    waits: Vec<Duration>,
    /// Over without a unit.
    unserved: usize,
}

/// The statistics.
#[derive(Debug, Default)]
struct Counts {
    emergencies: [i64; 24],
    dispatches: [i64; 24],
    /// Open before the bot started: of unknown age.
    late: usize,
    by_priority: BTreeMap<Priority, Of>,
}

impl Counts {
    fn of(facts: &[Fact], hour: impl Fn(crate::clock::UnixMs) -> usize) -> Self {
        let mut counts = Self::default();
        for fact in facts {
            if fact.joined_late {
                counts.late += 1;
                continue;
            }
            let hours = if fact.emergency { &mut counts.emergencies } else { &mut counts.dispatches };
            if let Some(count) = hours.get_mut(hour(fact.opened)) {
                *count += 1;
            }
            if fact.emergency {
                continue;
            }
            let of = counts.by_priority.entry(priority(fact.priority.as_deref())).or_default();
            of.calls += 1;
            match fact.first_unit.map(|at| at.since(fact.opened)) {
                // Created with its units: nobody waited. Calls of one moment are a millisecond apart.
                Some(wait) if wait <= Duration::from_millis(1) => {}
                Some(wait) => of.waits.push(wait),
                None => of.unserved += usize::from(fact.closed.is_some()),
            }
        }
        counts.by_priority.values_mut().for_each(|of| of.waits.sort_unstable());
        counts
    }

    fn calls(&self) -> i64 {
        self.emergencies.iter().chain(&self.dispatches).sum()
    }

    fn lines(&self, when: &SafeText) -> Vec<SafeText> {
        let total = |hours: &[i64; 24], one: &'static str, many: &'static str| {
            let total: i64 = hours.iter().sum();
            safe!("**{}** {}", quoted(&chart::count(total)), if total == 1 { one } else { many })
        };
        let mut lines = vec![safe!(
            "{} and {} {}. {}",
            total(&self.emergencies, "911 or civil call", "911 and civil calls"),
            total(&self.dispatches, "dispatch call", "dispatch calls"),
            when,
            self.busiest()
        )];
        if !self.by_priority.is_empty() {
            let said = self
                .by_priority
                .iter()
                .take(PRIORITIES)
                .map(|(priority, of)| safe!("{}: **{}**", quoted(&label(priority)), quoted(&chart::count_of(of.calls))));
            let rest: usize = self.by_priority.values().skip(PRIORITIES).map(|of| of.calls).sum();
            let rest = (rest > 0).then(|| safe!("others: **{}**", quoted(&chart::count_of(rest))));
            lines.push(safe!("Dispatch calls by priority: {}", SafeText::join(said.chain(rest), " · ")));
        }
        let unserved: usize = self.by_priority.values().map(|of| of.unserved).sum();
        if unserved > 0 {
            lines.push(safe!("Closed without any unit: **{}**", quoted(&chart::count_of(unserved))));
        }
        if self.late > 0 {
            let rest = match self.late {
                1 => "was open before the bot looked: when it began is not known, so it is not counted.",
                _ => "were open before the bot looked: when they began is not known, so they are not counted.",
            };
            lines.push(safe!("-# {} more {}", quoted(&chart::count_of(self.late)), rest));
        }
        lines
    }

    /// `Busiest hour of the day: 20:00 to 21:00.`
    fn busiest(&self) -> SafeText {
        let all = (0_usize..24).zip(self.emergencies.iter().zip(&self.dispatches)).map(|(hour, (one, other))| (one + other, hour));
        // The first of several.
        let busiest = all.max_by_key(|(calls, hour)| (*calls, std::cmp::Reverse(*hour))).map_or(0, |(_, hour)| hour);
        quoted(&format!("Busiest hour of the day: {busiest:02}:00 to {:02}:00.", (busiest + 1) % 24))
    }

    fn by_hour(&self, subtitle: String) -> Chart {
        let series = |name: &str, hours: &[i64; 24]| Series { name: name.to_owned(), values: hours.iter().copied().map(Some).collect() };
        Chart::Columns(Columns {
            heading: Heading { title: "Calls by hour of the day".to_owned(), subtitle },
            categories: (0..24).map(|hour| format!("{hour:02}")).collect(),
            series: vec![series("911 and civil calls", &self.emergencies), series("Dispatch calls", &self.dispatches)],
            measure: Measure::Count,
        })
    }

    fn measured(&self) -> impl Iterator<Item = (String, &[Duration])> {
        let with = self.by_priority.iter().filter(|(_, of)| !of.waits.is_empty());
        with.take(PRIORITIES).map(|(priority, of)| (label(priority), of.waits.as_slice()))
    }

    /// `None` if no call waited.
    fn by_priority(&self, subtitle: String) -> Option<Chart> {
        let (categories, waits): (Vec<String>, Vec<&[Duration]>) = self.measured().unzip();
        if categories.is_empty() {
            return None;
        }
        let series = |name: &str, percent| Series {
            name: name.to_owned(),
            values: waits.iter().map(|waits| percentile(waits, percent).map(millis)).collect(),
        };
        Some(Chart::Columns(Columns {
            heading: Heading { title: "Time to the first unit by priority".to_owned(), subtitle },
            categories,
            series: vec![series("Median", 50), series("90th percentile", 90)],
            measure: Measure::Duration,
        }))
    }

    fn waits(&self) -> Vec<SafeText> {
        let line = |(label, waits): (String, &[Duration])| {
            let (median, most) = (percentile(waits, 50).unwrap_or_default(), percentile(waits, 90).unwrap_or_default());
            let calls = counted(waits.len(), "call", "calls");
            safe!(
                "**{}**: half within {}, nine in ten within {} ({})",
                quoted(&label),
                quoted(&chart::duration(median)),
                quoted(&chart::duration(most)),
                calls
            )
        };
        let mut lines: Vec<SafeText> = self.measured().map(line).collect();
        lines.push("-# From a dispatch call's creation to its first unit. Calls that were made with a unit on them are left out.".into());
        lines
    }
}

fn priority(raw: Option<&str>) -> Priority {
    match raw.map(str::trim).filter(|raw| !raw.is_empty()) {
        None => (2, 0, String::new()),
        Some(raw) => raw.parse().map_or_else(|_| (1, 0, raw.to_owned()), |level| (0, level, String::new())),
    }
}

fn label((kind, level, word): &Priority) -> String {
    match kind {
        0 => format!("Priority {level}"),
        1 => word.clone(),
        _ => "No priority".to_owned(),
    }
}

/// The nearest rank: this percentage of the sorted values is not above it.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{UnixMs, ms};

    fn fact(priority: Option<&str>, opened: i64, first_unit: Option<i64>, closed: Option<i64>) -> Fact {
        Fact {
            emergency: false,
            priority: priority.map(str::to_owned),
            opened: UnixMs(opened),
            joined_late: false,
            first_unit: first_unit.map(UnixMs),
            closed: closed.map(UnixMs),
        }
    }

    fn hour(at: UnixMs) -> usize {
        usize::try_from(at.0 / 3_600_000 % 24).unwrap()
    }

    #[test]
    fn percentiles_by_nearest_rank() {
        let ten: Vec<Duration> = (1..=10).map(ms).collect();
        assert_eq!((percentile(&ten, 50), percentile(&ten, 90)), (Some(ms(5)), Some(ms(9))));
        assert_eq!((percentile(&[ms(7)], 50), percentile(&[ms(7)], 90), percentile(&[], 50)), (Some(ms(7)), Some(ms(7)), None));
        assert_eq!(percentile(&[1, 2, 3].map(ms), 50), Some(ms(2)));
    }

    #[test]
    fn the_statistics_in_words() {
        const HOUR: i64 = 3_600_000;
        let mut late = fact(Some("1"), 0, None, None);
        late.joined_late = true;
        let mut emergency = fact(None, 20 * HOUR, None, None);
        emergency.emergency = true;
        let facts = [
            late,
            emergency,
            fact(Some("10"), 20 * HOUR, Some(20 * HOUR + 90_000), None),
            fact(Some("2"), 3 * HOUR, Some(3 * HOUR + 30_000), None),
            fact(Some("2"), 3 * HOUR, Some(3 * HOUR + 10_000), None),
            // Created with a unit, and over without one.
            fact(Some("2"), 4 * HOUR, Some(4 * HOUR + 1), None),
            fact(Some("Code *3*"), 4 * HOUR, None, Some(5 * HOUR)),
            fact(None, 5 * HOUR, None, None),
        ];
        let counts = Counts::of(&facts, hour);
        assert_eq!(counts.calls(), 7);
        assert_eq!(
            counts.lines(&"in the last 7 days".into()),
            [
                "**1** 911 or civil call and **6** dispatch calls in the last 7 days. Busiest hour of the day: 03:00 to 04:00.",
                "Dispatch calls by priority: Priority 2: **3** · Priority 10: **1** · Code \\*3\\*: **1** · No priority: **1**",
                "Closed without any unit: **1**",
                "-# 1 more was open before the bot looked: when it began is not known, so it is not counted.",
            ]
        );
        assert_eq!(
            counts.waits()[..2],
            [
                "**Priority 2**: half within 10 s, nine in ten within 30 s (2 calls)",
                "**Priority 10**: half within 1 min 30 s, nine in ten within 1 min 30 s (1 call)"
            ]
        );
        let two = Counts::of(&[facts[0].clone(), facts[0].clone(), facts[1].clone(), facts[1].clone(), facts[2].clone()], hour)
            .lines(&"today".into());
        assert!(two[0].starts_with("**2** 911 and civil calls and **1** dispatch call today."), "{two:?}");
        assert!(two[2].starts_with("-# 2 more were open before the bot looked: when they began"), "{two:?}");
        assert!(Counts::of(&facts[..2], hour).by_priority(String::new()).is_none(), "nobody waited");
    }
}
