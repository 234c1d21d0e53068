use std::collections::BTreeMap;

use super::*;

/// The samples of our own series, by series with labels. `process_…` changes by itself.
fn samples(metrics: &Metrics) -> BTreeMap<String, f64> {
    let text = metrics.encode();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    };
    text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("process_")).map(sample).collect()
}

/// The samples that a call changes.
fn moved(servers: &[ServerId], call: impl Fn(&Metrics)) -> BTreeMap<String, f64> {
    let metrics = Metrics::new(servers, &["panic"]);
    let before = samples(&metrics);
    call(&metrics.clone());
    let after = samples(&metrics);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "a call made or took away series");
    let changed = |(series, value): (String, f64)| (before[&series] != value).then_some((series, value));
    after.into_iter().filter_map(changed).collect()
}

#[test]
fn every_series_is_there_at_zero() {
    let there = samples(&Metrics::new(&[ServerId(1), ServerId(2)], &["panic"]));
    let series = |name: &str| there.keys().filter(|key| key.split('{').next() == Some(name)).count();
    for (name, many) in [
        ("tenfour_build_info", 1),
        ("tenfour_events_total", 4 * Outcome::ALL.len()),
        ("tenfour_event_types_total", 4 * (known_kinds().count() + 1)),
        ("tenfour_topic_events_total", 2),
        ("tenfour_decode_failures_total", known_kinds().count()),
        ("tenfour_last_event_timestamp_seconds", 2),
        ("tenfour_hub_connected", 2),
        ("tenfour_hub_reconnects_total", 2),
        ("tenfour_reconciliations_total", 2 * ReadOutcome::ALL.len()),
        ("tenfour_cad_budget_left", 2),
        ("tenfour_store_commit_events_count", 1),
        ("tenfour_store_commit_seconds_count", 1),
        ("tenfour_store_commit_failures_total", 1),
        ("tenfour_queue_depth", 6),
        ("tenfour_queue_oldest_seconds", 6),
        ("tenfour_delivery_delay_seconds_bucket", 6 * 18),
        ("tenfour_posts_total", PostOutcome::ALL.len()),
        ("tenfour_packed_messages_total", 1),
        ("tenfour_packed_cards_total", 1),
        ("tenfour_rate_limit_waits_total", WaitCause::ALL.len()),
        ("tenfour_rate_limit_wait_seconds_total", WaitCause::ALL.len()),
        ("tenfour_discord_answers_total", AnswerClass::ALL.len()),
        ("tenfour_discord_rate_limited_total", LimitScope::ALL.len()),
        ("tenfour_discord_invalid_requests", 1),
        ("tenfour_sending_stopped", 1),
        ("tenfour_parked_channels", 1),
        ("tenfour_gateway_unknown_events_total", 1),
        ("tenfour_cad_actions_total", CadActionOutcome::ALL.len()),
    ] {
        assert_eq!(series(name), many, "{name} in {there:#?}");
    }
    for (series, value) in &there {
        assert!(series.starts_with("tenfour_") && (*value == 0.0 || series.contains("_build_")), "{series} starts at {value}");
    }
}

#[test]
fn each_method_moves_its_series_and_no_other() {
    let one = &[ServerId(1)][..];
    let check = |call: &dyn Fn(&Metrics), wanted: &[(&str, f64)]| {
        let wanted: BTreeMap<String, f64> = wanted.iter().map(|(series, value)| (format!("tenfour_{series}"), *value)).collect();
        let mut moved = moved(one, call);
        // Of a histogram's buckets the test below asks.
        moved.retain(|series, _| !series.contains("_bucket{"));
        assert_eq!(moved, wanted);
    };
    check(&|m| m.event(Source::Http, Outcome::Committed), &[(r#"events_total{source="http",outcome="committed"}"#, 1.0)]);
    check(&|m| m.event_type("EVENT_911", Source::Hub), &[(r#"event_types_total{type="EVENT_911",source="hub"}"#, 1.0)]);
    check(&|m| m.event_type("EVENT_OF_TOMORROW", Source::Http), &[(r#"event_types_total{type="unknown",source="http"}"#, 1.0)]);
    check(&|m| m.topic("panic"), &[(r#"topic_events_total{topic="panic"}"#, 1.0)]);
    check(&|m| m.topic("not announced"), &[(r#"topic_events_total{topic="other"}"#, 1.0)]);
    check(&|m| m.decode_failure("EVENT_UNIT_PANIC"), &[(r#"decode_failures_total{type="EVENT_UNIT_PANIC"}"#, 1.0)]);
    check(&|m| m.last_event(ServerId(1), UnixMs(2_000)), &[(r#"last_event_timestamp_seconds{server="1"}"#, 2.0)]);
    check(&|m| m.hub_connected(ServerId(1), true), &[(r#"hub_connected{server="1"}"#, 1.0)]);
    check(&|m| m.hub_reconnect(ServerId(1)), &[(r#"hub_reconnects_total{server="1"}"#, 1.0)]);
    check(&|m| m.reading(Part::Calls, ReadOutcome::Refused), &[(r#"reconciliations_total{part="calls",outcome="refused"}"#, 1.0)]);
    check(&|m| m.cad_budget_left(Part::Units, 3), &[(r#"cad_budget_left{part="units"}"#, 3.0)]);
    check(
        &|m| m.commit(7, Duration::from_millis(4)),
        &[
            ("store_commit_events_count", 1.0),
            ("store_commit_events_sum", 7.0),
            ("store_commit_seconds_count", 1.0),
            ("store_commit_seconds_sum", 0.004),
        ],
    );
    check(&|m| m.commit(0, Duration::from_millis(2)), &[("store_commit_seconds_count", 1.0), ("store_commit_seconds_sum", 0.002)]);
    check(&Metrics::commit_failed, &[("store_commit_failures_total", 1.0)]);
    check(
        &|m| m.queue(Lane::Panic, 7, Duration::from_millis(1_500)),
        &[(r#"queue_depth{lane="panic"}"#, 7.0), (r#"queue_oldest_seconds{lane="panic"}"#, 1.5)],
    );
    check(
        &|m| m.delivery_delay(Lane::Edit, Duration::from_millis(1_500)),
        &[(r#"delivery_delay_seconds_count{lane="edit"}"#, 1.0), (r#"delivery_delay_seconds_sum{lane="edit"}"#, 1.5)],
    );
    check(&|m| m.post(PostOutcome::Refused), &[(r#"posts_total{outcome="refused"}"#, 1.0)]);
    check(&|m| m.batched(10), &[("packed_messages_total", 1.0), ("packed_cards_total", 10.0)]);
    check(
        &|m| m.rate_wait(WaitCause::RetryAfter, Duration::from_millis(250)),
        &[(r#"rate_limit_waits_total{cause="told"}"#, 1.0), (r#"rate_limit_wait_seconds_total{cause="told"}"#, 0.25)],
    );
    check(&|m| m.answer(AnswerClass::of(503)), &[(r#"discord_answers_total{class="server_error"}"#, 1.0)]);
    check(&|m| m.limited(LimitScope::Shared), &[(r#"discord_rate_limited_total{scope="shared"}"#, 1.0)]);
    check(&|m| m.invalid_requests(12), &[("discord_invalid_requests", 12.0)]);
    check(&|m| m.sending_stopped(true), &[("sending_stopped", 1.0)]);
    check(&|m| m.parked_channels(2), &[("parked_channels", 2.0)]);
    check(&|m| m.cad_action(CadActionOutcome::Done), &[(r#"cad_actions_total{outcome="done"}"#, 1.0)]);
    check(&Metrics::gateway_unknown, &[("gateway_unknown_events_total", 1.0)]);
}

/// Unregistered labels have no series.
#[test]
fn strange_values_do_no_harm() {
    let strange = moved(&[ServerId(1)], |m| {
        m.delivery_delay(Lane::Panic, Duration::ZERO);
        m.rate_wait(WaitCause::Guard, Duration::ZERO);
        m.queue(Lane::Log, 0, Duration::ZERO);
        m.hub_connected(ServerId(9), true);
        m.hub_reconnect(ServerId(9));
        m.last_event(ServerId(9), UnixMs(1));
        m.decode_failure("not a type");
        m.event_type("EVENT_911", Source::Rest);
    });
    let mut series: Vec<&str> = strange.keys().map(String::as_str).filter(|series| !series.contains("_bucket{")).collect();
    series.sort_unstable();
    assert_eq!(series, [r#"tenfour_delivery_delay_seconds_count{lane="panic"}"#, r#"tenfour_rate_limit_waits_total{cause="guard"}"#]);
}

#[test]
fn without_a_hub_nothing_of_it_is_down() {
    let metrics = Metrics::new(&[ServerId(1)], &[]);
    metrics.without_hub();
    metrics.hub_connected(ServerId(1), false);
    assert!(!samples(&metrics).keys().any(|series| series.starts_with("tenfour_hub_")));
}

#[test]
fn delays_have_buckets_from_a_millisecond_to_a_quarter_of_an_hour() {
    let metrics = Metrics::new(&[], &[]);
    for ms in [1, 3, 900_000, 900_001] {
        metrics.delivery_delay(Lane::New, Duration::from_millis(ms));
    }
    let there = samples(&metrics);
    let under = |le: &str| there[&format!(r#"tenfour_delivery_delay_seconds_bucket{{le="{le}",lane="new"}}"#)];
    assert_eq!(
        (under("0.001"), under("0.002"), under("0.005"), under("300.0"), under("900.0"), under("+Inf")),
        (1.0, 1.0, 2.0, 2.0, 3.0, 4.0)
    );
}

#[test]
fn answers_fall_into_classes() {
    for (status, class) in [(204, "success"), (304, "other"), (400, "other"), (401, "unauthorised"), (403, "forbidden"), (404, "not_found")]
    {
        assert_eq!(AnswerClass::of(status).as_str(), class);
    }
    assert_eq!(AnswerClass::of(429), AnswerClass::RateLimited);
    assert_eq!(AnswerClass::of(599), AnswerClass::ServerError);
}

#[test]
fn process_series_stand_beside_ours_without_our_prefix() {
    let text = Metrics::new(&[], &[]).encode();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.contains(&"process_start_time_seconds") && names.contains(&"tenfour_build"), "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("process_") || name.starts_with("tenfour_")), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("tenfour_process_")), "{names:?}");
}
