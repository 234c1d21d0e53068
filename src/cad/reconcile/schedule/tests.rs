use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::cad::reconcile::budget::MINUTE;

const ONE: ServerId = ServerId(1);
const TWO: ServerId = ServerId(2);

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn pace(period: Option<u64>) -> PollLimits {
    PollLimits { period: period.map(s), calls_per_minute: 2, units_per_minute: 1 }
}

/// Begins everything that may begin now, and ends it at once.
fn read_all(schedule: &mut Schedule, now: Duration) -> Vec<(u32, Part)> {
    let mut read = Vec::new();
    while let Some((server, part)) = schedule.next(now) {
        read.push((server.0, part));
        schedule.done(part, Ending::Read, now, 0.0);
    }
    read
}

/// Lets time pass. Returns what is read and when (s).
fn run(schedule: &mut Schedule, from: u64, until: u64) -> Vec<(u64, u32, Part)> {
    let mut now = s(from);
    let mut read = Vec::new();
    loop {
        read.extend(read_all(schedule, now).into_iter().map(|(server, part)| (now.as_secs(), server, part)));
        match schedule.wake_at() {
            Some(at) if at < s(until) => {
                assert!(at > now, "nothing could begin at {now:?}, yet it woke up for it");
                now = at;
            }
            _ => return read,
        }
    }
}

#[test]
fn a_connected_server_is_read_at_once_units_before_calls() {
    let mut schedule = Schedule::new(&[ONE], pace(None));
    assert_eq!((schedule.next(s(1)), schedule.wake_at()), (None, None));
    schedule.request(ONE, Reason::Connected, s(1));
    assert_eq!(schedule.next(s(1)), Some((ONE, Part::Units)));
    // The calls name units, so they wait for them; but not for long.
    assert_eq!((schedule.next(s(1)), schedule.wake_at()), (None, Some(s(4))));
    schedule.done(Part::Units, Ending::Read, s(2), 0.0);
    assert_eq!(schedule.next(s(2)), Some((ONE, Part::Calls)));
    schedule.done(Part::Calls, Ending::Read, s(2), 0.0);
    assert_eq!((schedule.next(s(2)), schedule.wake_at()), (None, None));

    schedule.request(ONE, Reason::Connected, s(100));
    assert_eq!(schedule.next(s(100)), Some((ONE, Part::Units)));
    assert_eq!(schedule.next(ms(102_999)), None);
    assert_eq!(schedule.next(s(103)), Some((ONE, Part::Calls)));
}

#[test]
fn calls_do_not_wait_for_units_that_have_no_budget_or_are_of_another_server() {
    let mut schedule = Schedule::new(&[ONE, TWO], pace(None));
    schedule.request(ONE, Reason::Connected, s(0));
    assert_eq!(schedule.next(s(0)), Some((ONE, Part::Units)));
    schedule.request(TWO, Reason::Connected, s(0));
    assert_eq!(schedule.next(s(0)), Some((TWO, Part::Calls)));
    schedule.done(Part::Calls, Ending::Read, s(1), 0.0);
    schedule.done(Part::Units, Ending::Read, s(1), 0.0);
    schedule.request(ONE, Reason::Connected, s(1));
    assert_eq!(read_all(&mut schedule, s(1)), [(1, Part::Calls)]);
}

#[test]
fn every_server_is_read_each_period() {
    let mut schedule = Schedule::new(&[ONE], pace(Some(60)));
    let read = run(&mut schedule, 0, 200);
    let each = |at| [(at, 1, Part::Units), (at, 1, Part::Calls)];
    assert_eq!(read, [10, 70, 130, 190].map(each).concat());
    // A read for another reason counts.
    schedule.request(ONE, Reason::Connected, s(200));
    assert_eq!(
        run(&mut schedule, 200, 311),
        [vec![(200, 1, Part::Calls)], each(250).to_vec()[..1].to_vec(), vec![(260, 1, Part::Calls), (310, 1, Part::Units)]].concat()
    );
}

#[test]
fn with_little_budget_servers_take_turns() {
    let servers = [1, 2, 3].map(ServerId);
    let mut schedule = Schedule::new(&servers, pace(Some(10)));
    let read = run(&mut schedule, 0, 400);
    let of = |part| read.iter().filter(|(_, _, p)| *p == part).map(|(_, server, _)| *server).collect::<Vec<_>>();
    assert_eq!(of(Part::Units), [1, 2, 3, 1, 2, 3, 1]);
    assert_eq!(of(Part::Calls), [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2]);
}

#[test]
fn what_is_triggered_goes_first_but_starves_nobody() {
    let mut schedule = Schedule::new(&[ONE, TWO], PollLimits { calls_per_minute: 1, ..pace(Some(10)) });
    let mut read = Vec::new();
    for minute in 1..=9 {
        let now = s(minute * 61);
        schedule.request(TWO, Reason::Removed, now - s(2));
        read.extend(read_all(&mut schedule, now).into_iter().filter(|(_, part)| *part == Part::Calls).map(|(server, _)| server));
    }
    assert_eq!(read, [2, 2, 1, 2, 2, 1, 2, 2, 1]);
}

#[test]
fn removals_are_gathered_until_there_are_none_for_two_seconds() {
    let mut schedule = Schedule::new(&[ONE], pace(None));
    for at in [1_000, 1_500, 2_900] {
        schedule.request(ONE, Reason::Removed, ms(at));
        assert_eq!(read_all(&mut schedule, ms(at)), []);
    }
    assert_eq!(schedule.wake_at(), Some(ms(4_900)));
    assert_eq!(read_all(&mut schedule, ms(4_900)), [(1, Part::Calls)]);
    assert_eq!(schedule.wake_at(), None);
    // The first of many doesn't wait forever.
    for at in 100..106 {
        schedule.request(ONE, Reason::Removed, s(at));
        assert_eq!(read_all(&mut schedule, s(at)), []);
    }
    assert_eq!(read_all(&mut schedule, s(106)), [(1, Part::Calls)]);
    assert_eq!(schedule.wake_at(), None);
}

#[test]
fn a_reading_in_between_does_not_stand_for_one_that_is_waited_for() {
    let mut schedule = Schedule::new(&[ONE], PollLimits { calls_per_minute: 5, ..pace(None) });
    schedule.request(ONE, Reason::Removed, s(0));
    schedule.request(ONE, Reason::Connected, s(1));
    schedule.request(ONE, Reason::Connected, s(1));
    assert_eq!(run(&mut schedule, 1, 50), [(1, 1, Part::Units), (1, 1, Part::Calls), (2, 1, Part::Calls)]);
    // But a recheck does: it finds out for itself whether another is needed.
    schedule.again(ONE, Part::Calls, s(50));
    schedule.request(ONE, Reason::Removed, s(50));
    assert_eq!(run(&mut schedule, 50, 100), [(52, 1, Part::Calls)]);
}

#[test]
fn a_removal_during_a_reading_is_read_again() {
    let mut schedule = Schedule::new(&[ONE], pace(None));
    schedule.request(ONE, Reason::Removed, s(0));
    assert_eq!(schedule.next(s(2)), Some((ONE, Part::Calls)));
    schedule.request(ONE, Reason::Removed, s(3));
    assert_eq!(schedule.next(s(5)), None, "two at once");
    schedule.done(Part::Calls, Ending::Read, s(6), 0.0);
    assert_eq!(read_all(&mut schedule, s(6)), [(1, Part::Calls)]);
}

#[test]
fn what_was_left_out_is_read_again_soon_and_then_less_soon() {
    let mut schedule = Schedule::new(&[ONE], PollLimits { calls_per_minute: 5, ..pace(None) });
    schedule.request(ONE, Reason::Removed, s(0));
    assert_eq!(read_all(&mut schedule, s(2)), [(1, Part::Calls)]);
    schedule.again(ONE, Part::Calls, s(2));
    assert_eq!(schedule.wake_at(), Some(s(6)));
    assert_eq!(read_all(&mut schedule, s(6)), [(1, Part::Calls)]);
    schedule.again(ONE, Part::Calls, s(6));
    assert_eq!(schedule.wake_at(), Some(s(36)));
    assert_eq!(read_all(&mut schedule, s(36)), [(1, Part::Calls)]);
    // Something else in between: hurried again.
    schedule.request(ONE, Reason::Removed, s(40));
    assert_eq!(read_all(&mut schedule, s(42)), [(1, Part::Calls)]);
    schedule.request(ONE, Reason::Recheck, s(42));
    assert_eq!(schedule.wake_at(), Some(s(46)));
}

#[test]
fn a_429_keeps_the_request_and_leaves_the_other_endpoint_alone() {
    let mut schedule = Schedule::new(&[ONE, TWO], pace(None));
    schedule.request(ONE, Reason::Connected, s(0));
    schedule.request(TWO, Reason::Connected, s(0));
    assert_eq!(schedule.next(s(0)), Some((ONE, Part::Units)));
    schedule.done(Part::Units, Ending::Limited(Some(s(90))), s(0), 0.0);
    assert_eq!((schedule.left(Part::Units, s(1)), schedule.wait(Part::Units, s(1))), ((0, 1), s(119)));
    assert_eq!(read_all(&mut schedule, s(1)), [(1, Part::Calls), (2, Part::Calls)]);
    // Half of one a minute: one in two minutes, and the rejected one isn't forgotten.
    assert_eq!(run(&mut schedule, 1, 300), [(120, 2, Part::Units), (240, 1, Part::Units)]);
}

#[test]
fn refused_credentials_rest_the_endpoint_an_unknown_server_only_itself() {
    let mut schedule = Schedule::new(&[ONE, TWO], pace(None));
    for server in [ONE, TWO] {
        schedule.request(server, Reason::Removed, s(0));
    }
    assert_eq!(schedule.next(s(2)), Some((ONE, Part::Calls)));
    schedule.done(Part::Calls, Ending::NoSuchServer, s(2), 0.0);
    assert_eq!(schedule.next(s(2)), Some((TWO, Part::Calls)));
    schedule.done(Part::Calls, Ending::Refused, s(2), 0.0);
    assert_eq!(schedule.left(Part::Calls, s(301)), (0, 2));
    assert_eq!(run(&mut schedule, 3, 1_000), [(302, 1, Part::Calls), (302, 2, Part::Calls)]);
}

#[test]
fn failures_double_their_wait_to_five_minutes_and_are_forgotten_by_success() {
    let mut schedule = Schedule::new(&[ONE, TWO], PollLimits { calls_per_minute: 5, ..pace(None) });
    schedule.request(ONE, Reason::Removed, s(0));
    let mut now = s(2);
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(schedule.next(now), Some((ONE, Part::Calls)));
        schedule.done(Part::Calls, Ending::Failed, now, 1.0);
        // Another request does not hurry it.
        schedule.request(ONE, Reason::Removed, now - s(2));
        assert_eq!(schedule.next(now), None);
        let next = [schedule.endpoints[1].servers[&ONE].blocked_until, schedule.endpoints[1].budget.free_at()].into_iter().max().unwrap();
        waits.push((schedule.endpoints[1].servers[&ONE].blocked_until - now).as_secs());
        now = next;
    }
    assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
    assert_eq!(failed_wait(0, 0.0), ms(2_500));
    assert_eq!(failed_wait(u32::MAX, f64::NAN.max(0.5)), s(225));
    // The other server is not held up.
    schedule.request(TWO, Reason::Removed, now - s(60));
    assert!(read_all(&mut schedule, now).contains(&(2, Part::Calls)));
    assert_eq!(schedule.endpoints[1].servers[&ONE].failures, 0);
}

#[test]
fn a_new_session_ends_the_wait_after_failures_but_not_after_a_refusal() {
    let mut schedule = Schedule::new(&[ONE], PollLimits { calls_per_minute: 5, ..pace(None) });
    schedule.request(ONE, Reason::Removed, s(0));
    assert_eq!(schedule.next(s(2)), Some((ONE, Part::Calls)));
    schedule.done(Part::Calls, Ending::Failed, s(2), 1.0);
    assert_eq!(schedule.next(s(3)), None);
    schedule.request(ONE, Reason::Connected, s(3));
    assert_eq!(read_all(&mut schedule, s(3)), [(1, Part::Units), (1, Part::Calls)]);

    schedule.request(ONE, Reason::Removed, s(3));
    assert_eq!(schedule.next(s(5)), Some((ONE, Part::Calls)));
    schedule.done(Part::Calls, Ending::NoSuchServer, s(5), 1.0);
    schedule.request(ONE, Reason::Connected, s(100));
    assert_eq!(read_all(&mut schedule, s(100)), [(1, Part::Units)]);
}

#[test]
fn strangers_are_nobodys_business() {
    let mut schedule = Schedule::new(&[ONE], pace(None));
    schedule.request(ServerId(9), Reason::Connected, s(0));
    schedule.done(Part::Calls, Ending::Read, s(0), 0.0);
    assert_eq!((schedule.next(s(9)), schedule.wake_at()), (None, None));
    assert_eq!(schedule.left(Part::Calls, s(0)), (2, 2));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Request(u32, Reason),
    End(Part, Ending, f64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reason = prop_oneof![Just(Reason::Connected), Just(Reason::Removed), Just(Reason::Recheck)];
    let part = || prop_oneof![Just(Part::Calls), Just(Part::Units)];
    let ending = prop_oneof![
        8 => Just(Ending::Read),
        1 => (0_u64..100).prop_map(|wait| Ending::Limited((wait > 10).then(|| s(wait)))),
        1 => Just(Ending::Refused),
        1 => Just(Ending::NoSuchServer),
        2 => Just(Ending::Failed),
    ];
    let step = prop_oneof![
        4 => (0_u64..20_000).prop_map(Step::Wait),
        3 => (1_u32..5, reason).prop_map(|(server, reason)| Step::Request(server, reason)),
        6 => (part(), ending, 0.0..1.0).prop_map(|(part, ending, jitter)| Step::End(part, ending, jitter)),
    ];
    proptest::collection::vec(step, 1..400)
}

proptest! {
    #[test]
    fn no_minute_ever_sees_more_than_the_budget_and_no_endpoint_two_at_once(
        steps in steps(), period in proptest::option::of(10_u64..120), calls in 1_u32..6, units in 1_u32..4
    ) {
        let pace = PollLimits { period: period.map(s), calls_per_minute: calls, units_per_minute: units };
        let mut schedule = Schedule::new(&[1, 2, 3].map(ServerId), pace);
        let mut now = s(0);
        // From beginning to end: the CAD may have counted it at any moment in between.
        let mut seen: HashMap<Part, Vec<(Duration, Option<Duration>)>> = HashMap::new();
        for step in steps {
            match step {
                Step::Wait(wait) => now += ms(wait),
                Step::Request(server, reason) => schedule.request(ServerId(server), reason, now),
                Step::End(part, ending, jitter) => {
                    if let Some(last) = seen.entry(part).or_default().last_mut().filter(|(_, end)| end.is_none()) {
                        last.1 = Some(now);
                        schedule.done(part, ending, now, jitter);
                    }
                }
            }
            while let Some((_, part)) = schedule.next(now) {
                let readings = seen.entry(part).or_default();
                prop_assert!(readings.last().is_none_or(|(_, end)| end.is_some()), "two at once");
                let limit = if part == Part::Calls { calls } else { units };
                let left = schedule.left(part, now).0;
                prop_assert!(left < limit, "{left} left of {limit}");
                let limit = limit as usize;
                let near = readings.iter().filter(|(_, end)| end.is_some_and(|end| end + MINUTE > now)).count();
                prop_assert!(near < limit, "{part:?}: {near} in the minute before {now:?}");
                readings.push((now, None));
            }
            // The timer misses nothing that could begin, and never fires for nothing.
            prop_assert!(schedule.wake_at().is_none_or(|at| at > now));
        }
        // Once everything works, every request is satisfied in the end.
        for part in Part::ALL {
            schedule.done(part, Ending::Read, now, 0.0);
        }
        let end = now + s(3_600);
        while let Some(at) = schedule.wake_at().filter(|at| *at < end) {
            read_all(&mut schedule, at);
        }
        let requests = schedule.endpoints.iter().flat_map(|endpoint| endpoint.servers.values()).filter(|cell| cell.request.is_some());
        prop_assert_eq!(requests.count(), 0);
    }
}
