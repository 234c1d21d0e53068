use proptest::prelude::*;

use super::*;
use crate::render::text;
use crate::route::Listens;

fn filter(criteria: &[(Criterion, &str)]) -> Filter {
    let mut filter = Filter::default();
    for (criterion, typed) in criteria {
        filter.change(*criterion, typed).unwrap_or_else(|error| panic!("{typed}: {error}"));
    }
    filter
}

fn one(criterion: Criterion, typed: &str) -> Filter {
    filter(&[(criterion, typed)])
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn of(topic: Topic) -> FilterFacts<'static> {
    FilterFacts::unknown(topic)
}

#[test]
fn priority_judges_dispatches_strictly_and_calls_that_say_one() {
    let high = one(Criterion::Priority, "1-2, Code 3");
    let admitted = |topic, priority: Option<&Priority>| high.admits(&FilterFacts { priority, ..of(topic) });
    for topic in [Topic::Dispatch, Topic::Emergency, Topic::Civil] {
        assert!(admitted(topic, Some(&Priority::Level(1))), "{topic:?}");
        assert!(admitted(topic, Some(&Priority::Level(2))), "{topic:?}");
        assert!(!admitted(topic, Some(&Priority::Level(3))), "{topic:?}");
        assert!(admitted(topic, Some(&Priority::Word("CODE 3 ".into()))), "{topic:?}");
        assert!(!admitted(topic, Some(&Priority::Word("1".into()))), "a word is no level: {topic:?}");
    }
    assert!(!admitted(Topic::Dispatch, None));
    for topic in Topic::ALL.into_iter().filter(|topic| *topic != Topic::Dispatch) {
        assert!(admitted(topic, None), "{topic:?}");
    }
    assert!(admitted(Topic::Panic, Some(&Priority::Level(3))), "a panic has none");
}

#[test]
fn departments_and_services_judge_what_units_do() {
    let with_units = [Topic::Dispatch, Topic::Panic, Topic::Duty, Topic::Status, Topic::Pager];
    let (departments, services) = (one(Criterion::Department, "LSPD, bcso"), one(Criterion::Service, "Fire, EMS"));
    let (lspd, fd, bcso) = (texts(&["lspd "]), texts(&["LSFD", "LSPD Air"]), texts(&["LSFD", "BCSO"]));
    for topic in Topic::ALL {
        let judged = with_units.contains(&topic);
        let department = |departments: &[String], filter: &Filter| filter.admits(&FilterFacts { departments, ..of(topic) });
        assert!(department(&lspd, &departments), "{topic:?}");
        assert!(department(&bcso, &departments), "one of the units is enough: {topic:?}");
        assert_eq!(department(&fd, &departments), !judged, "{topic:?}");
        // A panic is never held back by unknown facts.
        let unknown = !judged || topic == Topic::Panic;
        assert_eq!(department(&[], &departments), unknown, "no unit yet: {topic:?}");
        let service = |services: &[Service], filter: &Filter| filter.admits(&FilterFacts { services, ..of(topic) });
        assert!(service(&[Service::Police, Service::Ems], &services), "{topic:?}");
        assert_eq!(service(&[Service::Police], &services), !judged, "{topic:?}");
        assert_eq!(service(&[], &services), unknown, "{topic:?}");
    }
}

#[test]
fn postal_judges_calls_and_callouts() {
    let area = one(Criterion::Postal, "9001, 80*, 7000-7099, ls-12");
    for topic in [Topic::Emergency, Topic::Civil, Topic::Dispatch] {
        let admitted = |postal| area.admits(&FilterFacts { postal, ..of(topic) });
        for within in ["9001", " 9001 ", "80", "8014", "80A", "7000", "7050", "7099", "07050", "LS-12"] {
            assert!(admitted(Some(within)), "{topic:?} {within}");
        }
        for outside in ["9002", "90010", "780", "6999", "7100", "7050A", "70500000000000000000", "-7050", "", "LS-1"] {
            assert!(!admitted(Some(outside)), "{topic:?} {outside}");
        }
        assert!(!admitted(None), "{topic:?}");
    }
    assert!(area.admits(&of(Topic::Other)), "a street sign has no postal");
    let callout = |postal| FilterFacts { callout: true, postal, ..of(Topic::Other) };
    assert!(area.admits(&callout(Some("8014"))));
    assert!(!area.admits(&callout(Some("1"))));
    assert!(!area.admits(&callout(None)));
    for topic in [Topic::Panic, Topic::Duty, Topic::Status, Topic::Record, Topic::Bolo, Topic::Station, Topic::Pager, Topic::Tone] {
        assert!(area.admits(&of(topic)), "{topic:?}");
    }
}

#[test]
fn words_judge_everything_and_exclude_beats_include() {
    let admits = |filter: &Filter, topic, said: &[&str]| filter.admits(&FilterFacts { texts: &texts(said), ..of(topic) });
    let fire = one(Criterion::Include, "fire, smoke");
    let no_drill = one(Criterion::Exclude, "drill");
    let both = filter(&[(Criterion::Include, "fire"), (Criterion::Exclude, "drill")]);
    for topic in Topic::ALL {
        assert!(admits(&fire, topic, &["Alta St", "structure FIREfighters"]), "{topic:?}");
        assert!(admits(&fire, topic, &["Smoke"]), "{topic:?}");
        assert!(!admits(&fire, topic, &["Alta St"]), "{topic:?}");
        assert!(!admits(&fire, topic, &[]), "{topic:?}");
        assert!(!admits(&fire, topic, &["fi", "re"]), "texts are not joined: {topic:?}");
        assert!(admits(&no_drill, topic, &[]), "{topic:?}");
        assert!(!admits(&no_drill, topic, &["x", "a Drill again"]), "{topic:?}");
        assert!(admits(&both, topic, &["fire"]), "{topic:?}");
        assert!(!admits(&both, topic, &["fire", "drill"]), "{topic:?}");
    }
    // A final sigma has another lower case than one inside a word.
    assert!(admits(&one(Criterion::Include, "ΟΔΟΣ"), Topic::Civil, &["η οδοσ"]));
    assert!(admits(&one(Criterion::Include, "ΟΔΟΣ"), Topic::Civil, &["ΟΔΟΣΑ"]));
    assert!(admits(&one(Criterion::Include, "straße"), Topic::Civil, &["HauptSTRAßE"]));
}

#[test]
fn several_criteria_must_all_agree() {
    let picky = filter(&[(Criterion::Priority, "1"), (Criterion::Department, "LSPD"), (Criterion::Postal, "90*")]);
    let (lspd, high) = (texts(&["LSPD"]), Priority::Level(1));
    let all = FilterFacts { priority: Some(&high), departments: &lspd, postal: Some("9001"), ..of(Topic::Dispatch) };
    assert!(picky.admits(&all));
    assert!(!picky.admits(&FilterFacts { priority: None, ..all }));
    assert!(!picky.admits(&FilterFacts { departments: &[], ..all }));
    assert!(!picky.admits(&FilterFacts { postal: None, ..all }));
    assert!(picky.admits(&of(Topic::Tone)), "judged by none of them");
}

#[test]
fn what_people_type_becomes_values() {
    let levels = |typed| one(Criterion::Priority, typed).priorities;
    let level = Priority::Level;
    assert_eq!(levels("1, 2"), [level(1), level(2)]);
    assert_eq!(levels(" 3-1 ,2"), [level(1), level(2), level(3)]);
    assert_eq!(levels("P1,p1–2"), [level(1), level(2)]);
    assert_eq!(levels("Hot, hot, code-3"), [Priority::Word("Hot".into()), Priority::Word("code-3".into())]);
    assert_eq!(one(Criterion::Department, "LSPD, lspd,, “BCSO” ,").departments, ["LSPD", "BCSO"]);
    assert_eq!(one(Criterion::Service, "ems,POLICE, ems").services, [Service::Police, Service::Ems]);
    assert_eq!(one(Criterion::Include, "\"10-50\", shots fired").include, ["10-50", "shots fired"]);
    assert_eq!(one(Criterion::Include, "“ \"smoke\" ”").include, ["smoke"], "quotes behind a blank");
    let postals = one(Criterion::Postal, "9001, 90*, 9099 - 9000, LS-12, 9001").postals;
    let expected = [
        PostalPattern::One("9001".into()),
        PostalPattern::Prefix("90".into()),
        PostalPattern::Range(9_000, 9_099),
        PostalPattern::One("LS-12".into()),
    ];
    assert_eq!(postals, expected);
}

#[test]
fn a_priority_that_no_call_has_is_refused_with_the_choices() {
    let names = [(1, "Hot"), (2, "Warm"), (5, "Cold")].map(|(level, name)| (level, name.to_owned()));
    let mut known = KnownPriorities::named(&names.into_iter().collect());
    known.add(&Priority::Word("Code 3".into()));
    known.add(&Priority::Level(7));
    let asked = |typed: &str| {
        let mut filter = one(Criterion::Priority, "1");
        let changed = filter.change_known(Criterion::Priority, typed, &known);
        changed.map(|()| filter.priorities).map_err(|error| error.to_string())
    };
    let level = Priority::Level;
    assert_eq!(asked("hot, WARM"), Ok(vec![level(1), level(2)]));
    assert_eq!(asked("code 3, 7, P3"), Ok(vec![Priority::Word("Code 3".into()), level(7), level(3)]));
    assert_eq!(asked("1-9"), Ok(vec![level(1), level(2), level(3), level(5), level(7)]), "those of a range that there are");
    assert_eq!(asked("any"), Ok(vec![]));
    assert_eq!(
        asked("high").unwrap_err(),
        "“high” isn't a priority here. Choose from 1 (Hot), 2 (Warm), 3, 5 (Cold), 7 or Code 3, e.g. `1, 2`. If your CAD has another one, name it with `/cad labels` first."
    );
    for nonsense in ["1, high", "4", "1, 4", "8-9", "hot warm", "Code 4", "urgent!"] {
        assert!(asked(nonsense).unwrap_err().contains("isn't a priority here"), "{nonsense}");
    }
}

#[test]
fn a_filter_that_could_let_nothing_through_is_refused() {
    let of = |include, exclude| filter(&[(Criterion::Include, include), (Criterion::Exclude, exclude)]).check();
    assert_eq!(of("fire, fires", "FIRE"), Err(FilterError::Nothing));
    assert_eq!(of("fire, smoke", "fire"), Ok(()));
    assert_eq!(of("any", "fire"), Ok(()));
    assert_eq!(of("fire", "big fire"), Ok(()));
}

#[test]
fn postals_of_earlier_versions_are_still_read() {
    let read = serde_json::from_str::<Filter>(r#"{"postals":["abc-xyz","LS*"],"priorities":["high"]}"#).unwrap();
    assert_eq!((read.count(Criterion::Postal), read.count(Criterion::Priority)), (2, 1));
}

#[test]
fn any_a_dash_or_nothing_clears_one_criterion() {
    for clears in ["any", " ANY ", "-", "", "  ", ",", " , \"\" ,"] {
        for criterion in Criterion::ALL {
            let mut changed = filter(&Criterion::ALL.map(|criterion| (criterion, criterion.example())));
            changed.change(criterion, clears).unwrap();
            for other in Criterion::ALL {
                assert_eq!(changed.count(other) == 0, other == criterion, "{clears:?} {criterion:?} {other:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_a_value_is_refused_in_a_sentence_and_changes_nothing() {
    use Criterion::{Department, Exclude, Include, Postal, Priority, Service};
    let many = (0..21).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    // Twenty as typed, more as stored.
    let ranges = format!("1-9,{}", (0..19).map(|n| format!("w{n}")).collect::<Vec<_>>().join(","));
    let long = "x".repeat(61);
    for (criterion, typed, said) in [
        (Priority, "0", "There is no priority “0”: 1 is the highest and 3 usually the lowest, e.g. `1, 2` or `1-2`."),
        (Priority, "1, 12", "There is no priority “12”: 1 is the highest and 3 usually the lowest, e.g. `1, 2` or `1-2`."),
        (Priority, "-1", "There is no priority “\\-1”"),
        (Priority, "1-x", "There is no priority “1-x”"),
        (Priority, "1-99999999999999999999", "There is no priority"),
        (Priority, "2nd", "There is no priority “2nd”"),
        (Priority, &ranges, "At most 20 values fit into `priority`"),
        (Service, "fire, navy", "“navy” isn't a service. Choose from police, fire, ems and dispatch, e.g. `fire, ems`."),
        (Service, "@everyone", "“@\u{200B}everyone” isn't a service"),
        (Postal, "*", "“\\*” isn't a postal, a prefix or a range. Each needs a number, e.g. `9001`, `90*` or `9000-9099`."),
        (Postal, "9*1", "“9\\*1” isn't a postal"),
        (Postal, "90**", "isn't a postal"),
        (Postal, "9000-", "“9000-” isn't a postal"),
        (Postal, "-9000", "isn't a postal"),
        (Postal, "9000-90x", "“9000-90x” isn't a postal"),
        (Postal, "1-12345678901", "isn't a postal"),
        (Postal, "abc-xyz", "“abc-xyz” isn't a postal"),
        (Postal, "9001, abc", "“abc” isn't a postal"),
        (Postal, "abc*", "isn't a postal"),
        (Postal, "９００１", "isn't a postal"),
        (Postal, "90;01", "isn't a postal"),
        (Postal, "9001 or <@1>", "isn't a postal"),
        (Include, &many, "At most 20 values fit into `include`: leave some out, e.g. `fire, smoke`."),
        (Exclude, &long, "A value of `exclude` may have at most 60 characters"),
        (Department, "LSPD, \u{200B}\u{3164}", "A value of `department` holds only characters that nobody can see"),
    ] {
        let mut changed = filter(&Criterion::ALL.map(|criterion| (criterion, criterion.example())));
        let before = changed.clone();
        let error = changed.change(criterion, typed).unwrap_err().to_string();
        assert!(error.contains(said), "{typed}: {error}");
        assert!(error.contains("e.g. `"), "an example: {error}");
        assert!(error.ends_with('.') && !error.contains('\n'), "{error}");
        assert_eq!(changed, before, "{typed}");
    }
    let twenty = (0..20).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(one(Include, &twenty).include.len(), 20);
    assert_eq!(one(Include, &"é".repeat(60)).include.len(), 1);
}

#[test]
fn sentences_for_people() {
    use Criterion::{Department, Exclude, Include, Postal, Priority, Service};
    let dispatch = Listens::To(Topic::Dispatch);
    for (criteria, listens, said) in [
        (vec![], dispatch, "Lets everything through."),
        (
            vec![(Priority, "1,2"), (Include, "fire, smoke"), (Exclude, "drill")],
            dispatch,
            "Lets through dispatches of priority 1 or 2, and only what mentions “fire” or “smoke”, but nothing that mentions “drill”.",
        ),
        (
            vec![(Priority, "1, Hot"), (Department, "LSPD, BCSO, SAHP"), (Service, "police, fire"), (Postal, "9001, 90*, 9000-9099")],
            dispatch,
            "Lets through dispatches of priority 1 or “Hot” and with a unit of LSPD, BCSO or SAHP and with a police or fire unit and at postal \
             9001, 90\\* or 9000-9099.",
        ),
        (vec![(Priority, "1")], Listens::To(Topic::Emergency), "Lets through emergency calls of priority 1 or without a priority."),
        (vec![(Service, "ems")], Listens::To(Topic::Duty), "Lets through duty changes with an EMS unit."),
        (vec![(Include, "fire")], Listens::To(Topic::Tone), "Lets through only what mentions “fire”."),
        (vec![(Exclude, "drill, test")], Listens::All, "Lets everything through but what mentions “drill” or “test”."),
        (
            vec![(Exclude, "drill"), (Include, "fire")],
            Listens::All,
            "Lets through only what mentions “fire”, but nothing that mentions “drill”.",
        ),
        (
            vec![(Priority, "1"), (Postal, "9001")],
            Listens::To(Topic::Tone),
            "Lets everything through (priority and postal do not count: tones have none).",
        ),
        (
            vec![(Priority, "1"), (Department, "LSPD")],
            Listens::To(Topic::Panic),
            "Lets through panics with a unit of LSPD (or while that is not known) (priority does not count: panics have none).",
        ),
        (vec![(Postal, "9001")], Listens::To(Topic::Other), "Lets through other news, callouts only at postal 9001."),
        (
            vec![(Priority, "1"), (Department, "LSPD"), (Postal, "9001"), (Include, "fire"), (Exclude, "drill")],
            Listens::All,
            "Lets everything through, but dispatches (and other calls that have a priority) only of priority 1; dispatches, panics, pages \
             and news of units only with a unit of LSPD (panics also while that is not known); calls and callouts only at postal 9001; and of all that only what mentions “fire”, \
             but nothing that mentions “drill”.",
        ),
        (
            vec![(Include, "@everyone **x**, [a](https://evil.example), # <@&1>")],
            Listens::All,
            "Lets through only what mentions “@\u{200B}everyone \\*\\*x\\*\\*”, “\\[a\\](https:\u{200B}//evil.\u{200B}example)” or \
             “\\# <\u{200B}@\u{200B}&1>”.",
        ),
    ] {
        assert_eq!(filter(&criteria).sentence(listens), said, "{listens:?} {criteria:?}");
    }
}

#[test]
fn a_long_list_is_counted_and_the_sentence_fits_into_a_message() {
    let words = (0..20).map(|n| format!("{n:02}{}", "*".repeat(58))).collect::<Vec<_>>().join(", ");
    let postals = (0..20).map(|n| format!("a{n:02}{}", "_".repeat(50))).collect::<Vec<_>>().join(", ");
    let full = filter(&[
        (Criterion::Priority, &postals),
        (Criterion::Department, &words),
        (Criterion::Service, "police, fire, ems, dispatch"),
        (Criterion::Include, &words),
        (Criterion::Exclude, &words),
        (Criterion::Postal, &postals),
    ]);
    for listens in std::iter::once(Listens::All).chain(Topic::ALL.map(Listens::To)) {
        let said = full.sentence(listens);
        assert!(said.contains("or 17 more"), "{said}");
        assert!(text::units(&said) <= 2_000, "{}: {said}", text::units(&said));
    }
}

#[test]
fn one_json_column_that_may_grow() {
    assert_eq!(serde_json::from_str::<Filter>("{}").unwrap(), Filter::default());
    assert_eq!(serde_json::from_str::<Filter>(r#"{"priorities":[1],"later":true}"#).unwrap(), one(Criterion::Priority, "1"));
    let all = filter(&Criterion::ALL.map(|criterion| (criterion, criterion.example())));
    let written = serde_json::to_value(&all).unwrap();
    let expected = serde_json::json!({
        "priorities": [1, 2], "departments": ["LSPD", "BCSO"], "services": ["fire", "ems"], "include": ["fire", "smoke"],
        "exclude": ["drill", "training"], "postals": ["9001", "90*", "9000-9099"],
    });
    assert_eq!(written, expected);
    assert!(serde_json::from_str::<Filter>(r#"{"postals":["*"]}"#).is_err());
}

/// Hostile text.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "@everyone", "@here", "<@&1>", "<#1>", "</x:1>", "<t:1:R>", "<:a:1>", "[x](https://evil.example)", "http://", "discord.gg/abc",
            "**", "__", "||", "`", "~~", "\\", "# ", "> ", "- ", "\n", "\r\n", "\u{2028}", "\u{202E}", "\u{200B}", "\u{FE0F}", "\u{3164}",
            "any", "-", ",", "\"", "“", "*", "9000", "-9099", "90*", "1", "2", "fire", "LSPD", "police", " ",
        ]).prop_map(str::to_owned),
        2 => any::<char>().prop_map(String::from),
        1 => "[a-zA-Z0-9 ,*-]{1,12}",
        1 => ("\\PC{1,3}", 1_usize..200).prop_map(|(t, n)| t.repeat(n)),
    ];
    proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn any_topic() -> impl Strategy<Value = Topic> {
    proptest::sample::select(&Topic::ALL[..])
}

fn any_listens() -> impl Strategy<Value = Listens> {
    prop_oneof![Just(Listens::All), any_topic().prop_map(Listens::To)]
}

fn any_criterion() -> impl Strategy<Value = Criterion> {
    proptest::sample::select(&Criterion::ALL[..])
}

/// A few typical values of a criterion, so that random inputs match the facts below.
fn typed(criterion: Criterion) -> impl Strategy<Value = String> {
    let pool = match criterion {
        Criterion::Priority => vec!["1", "2", "3", "1-2", "Hot"],
        Criterion::Department => vec!["LSPD", "BCSO", "fd"],
        Criterion::Service => vec!["police", "fire", "ems", "dispatch"],
        Criterion::Include | Criterion::Exclude => vec!["fire", "smoke", "drill", "a", "é"],
        Criterion::Postal => vec!["9001", "90*", "8000-8999", "1"],
    };
    proptest::collection::vec(proptest::sample::select(pool), 1..4).prop_map(|values| values.join(","))
}

prop_compose! {
    /// Any filter that people could make.
    fn any_filter()(
        changes in proptest::collection::vec(any_criterion().prop_flat_map(|c| (Just(c), prop_oneof![3 => typed(c), 1 => hostile()])), 0..6)
    ) -> Filter {
        let mut filter = Filter::default();
        for (criterion, typed) in changes {
            let _ = filter.change(criterion, &typed);
        }
        filter
    }
}

/// Facts that own what they hold.
#[derive(Debug)]
struct Owned {
    topic: Topic,
    callout: bool,
    priority: Option<Priority>,
    departments: Vec<String>,
    services: Vec<Service>,
    postal: Option<String>,
    texts: Vec<String>,
}

impl Owned {
    fn facts(&self) -> FilterFacts<'_> {
        FilterFacts {
            topic: self.topic,
            callout: self.callout,
            priority: self.priority.as_ref(),
            departments: &self.departments,
            services: &self.services,
            postal: self.postal.as_deref(),
            texts: &self.texts,
        }
    }
}

prop_compose! {
    fn any_facts()(
        topic in any_topic(),
        callout in any::<bool>(),
        priority in proptest::option::of(prop_oneof![any::<i64>().prop_map(Priority::Level), (1_i64..4).prop_map(Priority::Level), Just(Priority::Word("hot".into()))]),
        departments in proptest::collection::vec(prop_oneof![Just("lspd".to_owned()), Just("FD".to_owned()), hostile()], 0..3),
        services in proptest::collection::vec(proptest::sample::select(&Service::ALL[..]), 0..3),
        postal in proptest::option::of(prop_oneof![Just("9001".to_owned()), "[0-9]{1,5}", hostile()]),
        texts in proptest::collection::vec(prop_oneof![Just("Fire drill".to_owned()), Just("SMOKE".to_owned()), hostile()], 0..4),
    ) -> Owned {
        Owned { topic, callout, priority, departments, services, postal, texts }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_empty_filter_lets_everything_through(facts in any_facts()) {
        prop_assert!(Filter::default().is_empty());
        prop_assert!(Filter::default().admits(&facts.facts()));
    }

    #[test]
    fn an_exclude_more_never_lets_more_through(filter in any_filter(), facts in any_facts(), word in prop_oneof![Just("fire".to_owned()), hostile()]) {
        let mut stricter = filter.clone();
        stricter.exclude.push(word);
        prop_assert!(!stricter.admits(&facts.facts()) || filter.admits(&facts.facts()));
    }

    #[test]
    fn a_value_more_of_a_criterion_that_is_set_never_lets_less_through(
        filter in any_filter(),
        facts in any_facts(),
        (criterion, first, more) in any_criterion().prop_flat_map(|c| (Just(c), typed(c), typed(c))),
    ) {
        let (mut filter, added) = (filter, one(criterion, &more));
        if filter.count(criterion) == 0 {
            filter.change(criterion, &first).unwrap();
        }
        let mut wider = filter.clone();
        wider.priorities.extend(added.priorities);
        wider.departments.extend(added.departments);
        wider.services.extend(added.services);
        wider.include.extend(added.include);
        wider.postals.extend(added.postals);
        prop_assert!(!filter.admits(&facts.facts()) || wider.admits(&facts.facts()));
    }

    #[test]
    fn a_criterion_more_never_lets_more_through(
        filter in any_filter(),
        facts in any_facts(),
        (criterion, typed) in any_criterion().prop_flat_map(|c| (Just(c), typed(c))),
    ) {
        let (mut filter, mut stricter) = (filter.clone(), filter);
        filter.change(criterion, "any").unwrap();
        stricter.change(criterion, &typed).unwrap();
        prop_assert!(!stricter.admits(&facts.facts()) || filter.admits(&facts.facts()));
    }

    #[test]
    fn what_was_changed_is_written_and_read_alike(filter in any_filter()) {
        let written = serde_json::to_string(&filter).unwrap();
        prop_assert_eq!(serde_json::from_str::<Filter>(&written).unwrap(), filter);
    }

    #[test]
    fn hostile_words_are_refused_in_one_harmless_line_or_are_bounded_values(criterion in any_criterion(), typed in hostile()) {
        let mut filter = Filter::default();
        match filter.change(criterion, &typed) {
            Ok(()) => prop_assert!(filter.count(criterion) <= 20),
            Err(error) => {
                // The examples and the criterion's name are formatted as code; typed text never is.
                let said = error.to_string();
                let (before, _) = said.rsplit_once("e.g. `").unwrap();
                assert_inert(&before.replace(&format!("`{}`", criterion.as_str()), ""));
                prop_assert!(filter.is_empty() && text::units(&said) < 250, "{}", said);
            }
        }
    }

    #[test]
    fn a_sentence_is_one_harmless_line(filter in any_filter(), listens in any_listens()) {
        let said = filter.sentence(listens);
        prop_assert!(said.starts_with("Lets ") && said.ends_with('.'), "{}", said);
        prop_assert!(text::units(&said) <= 2_000, "{}", said);
        assert_inert(&said);
    }
}

/// Contains no line break, and nothing that Discord would act on.
fn assert_inert(said: &str) {
    let chars: Vec<char> = said.chars().collect();
    let mut escaped = false;
    for (at, c) in chars.iter().enumerate() {
        assert!(!c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{202E}'), "{said:?}");
        match c {
            // Broken, or cut right after it.
            '@' | '<' => assert!(matches!(chars.get(at + 1), Some('\u{200B}' | '…')), "{said:?}"),
            '*' | '_' | '~' | '`' | '|' | '[' | ']' => assert!(escaped, "{c} in {said:?}"),
            _ => {}
        }
        escaped = *c == '\\' && !escaped;
    }
    assert!(!said.contains("://") && !said.contains("discord.gg") && !said.contains("evil.example"), "{said:?}");
}
