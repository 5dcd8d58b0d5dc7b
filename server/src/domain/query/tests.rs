//! What is read as which query, what is refused where, and that a query prints as itself.

use std::ops::Bound;

use proptest::prelude::*;
use time::OffsetDateTime;
use time::macros::datetime;

use super::*;

/// A query as it prints itself.
fn printed(text: &str) -> String {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

fn clause(text: &str) -> Clause {
    match parse(text).unwrap().expr {
        Some(Expr::Is(clause)) => clause,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_query_means_what_it_says() {
    for (text, expected) in [
        ("", ""),
        ("  ", ""),
        ("status:failed", "status:failed"),
        ("status:failed,completed", "status:failed OR status:completed"),
        ("status=failed", "status:failed"),
        ("status!=failed", "NOT status:failed"),
        ("-tag:baseline", "NOT tag:baseline"),
        ("tag:\"two words\"", "tag:\"two words\""),
        ("metrics.accuracy > 0.9", "metrics.accuracy > 0.9"),
        ("metrics.accuracy>0.9", "metrics.accuracy > 0.9"),
        ("metrics.accuracy:>0.9", "metrics.accuracy > 0.9"),
        ("metrics.lr:[1e-4 TO 1e-2]", "metrics.lr:[0.0001 TO 0.01]"),
        ("metrics.lr:{0 TO 1]", "metrics.lr:{0 TO 1]"),
        ("metrics.lr:[* TO 1}", "metrics.lr < 1"),
        ("metrics.loss:*", "has:metrics.loss"),
        ("metrics.\"val loss\":nan", "metrics.\"val loss\":nan"),
        ("metrics.model:resnet50", "metrics.model:\"resnet50\""),
        ("NOT has:metrics.loss", "NOT has:metrics.loss"),
        ("config.lr:[1e-4 TO 1e-2]", "config.lr:[0.0001 TO 0.01]"),
        ("config.optimizer.lr=3e-7", "config.optimizer.lr:3e-7"),
        ("config.optimizer:adam", "config.optimizer:\"adam\""),
        ("config.seed:\"1\"", "config.seed:\"1\""),
        ("config.mode:nan", "config.mode:\"nan\""),
        ("config.\"batch size\" > 32", "config.\"batch size\" > 32"),
        ("config.lr:*", "has:config.lr"),
        ("NOT has:config.\"batch size\"", "NOT has:config.\"batch size\""),
        ("has:metrics.\"val loss\"", "has:metrics.\"val loss\""),
        ("author:me", "author:me"),
        ("author:\"me\"", "author:\"me\""),
        ("parent:exp7", "parent:exp007"),
        ("commit:ABC", "commit:abc"),
        ("duration > 1h30m", "duration > 5400"),
        ("exit:-1", "exit:-1"),
        ("number >= exp012", "number >= 12"),
        ("started:>7d", "started > 604800s"),
        ("started:7d", "started >= 604800s"),
        ("created:2026-06-01", "created:[2026-06-01T00:00:00Z TO 2026-06-02T00:00:00Z}"),
        ("created > 2026-06-01", "created >= 2026-06-02T00:00:00Z"),
        ("created <= 2026-06-01", "created < 2026-06-02T00:00:00Z"),
        ("a b", "a b"),
        ("a AND b", "a b"),
        ("a b OR c", "(a b) OR c"),
        ("a (b OR c)", "a (b OR c)"),
        ("((a))", "a"),
        ("NOT (a b)", "NOT (a b)"),
        ("far-field train.py", "far-field train.py"),
        ("\"free text\"", "\"free text\""),
        ("\"free te\"*", "\"free te\"*"),
        ("base*", "base"),
        ("title:tiny", "title:tiny"),
        ("\"AND\"*", "\"AND\"*"),
        ("ANDROID", "ANDROID"),
        (
            "status:failed tag:baseline metrics.accuracy > 0.9 config.lr:[1e-4 TO 1e-2] author:me started:>7d \
             (branch:main OR commit:abc) NOT has:metrics.loss \"free text\"",
            "status:failed tag:baseline metrics.accuracy > 0.9 config.lr:[0.0001 TO 0.01] author:me \
             started > 604800s (branch:main OR commit:abc) NOT has:metrics.loss \"free text\"",
        ),
    ] {
        assert_eq!(printed(text), expected, "{text}");
        assert_eq!(printed(expected), expected, "{text}");
    }
}

#[test]
fn an_error_points_at_the_character() {
    for (text, character, part) in [
        ("stauts:failed", 1, "did you mean status?"),
        ("tag:µ stauts:failed", 7, "did you mean status?"),
        ("lr:1", 1, "there are status, tag,"),
        ("config.:1", 1, "metrics.NAME and config.NAME"),
        ("config.lr > fast", 13, "\"fast\" is no number"),
        ("has:config.", 5, "nothing that a run may lack"),
        ("status:faild", 8, "there are created, running,"),
        ("status:failed,", 15, "a value is missing behind status"),
        ("status > failed", 1, "only times and numbers are compared"),
        ("metrics.loss > small", 16, "\"small\" is no number"),
        ("metrics.loss > nan", 16, "\"nan\" is no number"),
        ("metrics.loss:[1 TO", 19, "a range has two ends"),
        ("metrics.loss:[1 2]", 17, "a range needs TO"),
        ("metrics.loss:[1 TO 2", 21, "a range is closed by ]"),
        ("started:tomorrow", 9, "\"tomorrow\" is no time"),
        ("duration:long", 10, "\"long\" is no duration"),
        ("has:status", 5, "nothing that a run may lack"),
        ("has:nothing", 5, "nothing that a run may lack"),
        ("commit:main", 8, "hex digits"),
        ("parent:7", 8, "write one as exp042"),
        ("(a", 1, "this ( is not closed"),
        ("a)", 2, "closes nothing"),
        ("a \"b", 3, "this quote is not closed"),
        ("a OR", 5, "a condition is missing here"),
        ("OR a", 1, "need a condition before"),
        ("()", 2, "before this )"),
        ("NOT", 4, "a condition is missing here"),
        (":x", 1, "a field is missing here"),
        ("!!!", 1, "no word in it"),
        ("a\0", 2, "no NUL"),
    ] {
        let error = parse(text).map(|query| query.to_string()).unwrap_err();
        assert_eq!(error.character, character, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
    let error = parse("stauts:failed").unwrap_err().to_string();
    assert!(error.starts_with("At character 1 of the query: \"stauts\" is no field"), "{error}");
}

#[test]
fn a_query_has_its_limits() {
    assert!(parse(&"(".repeat(100)).unwrap_err().message.contains("deep"));
    assert!(parse(&"-".repeat(4000)).unwrap_err().message.contains("deep"));
    assert!(parse(&"a ".repeat(51)).unwrap_err().message.contains("conditions"));
    assert!(parse(&format!("tag:{}", vec!["a"; 51].join(","))).unwrap_err().message.contains("conditions"));
    assert!(parse(&"µ".repeat(2049)).unwrap_err().message.contains("4096 bytes"));
}

#[test]
fn times_are_seen_from_the_moment_of_asking() {
    let now = datetime!(2026-06-08 12:00 UTC);
    let Clause::Time(TimeField::Started, Span { from: Bound::Excluded(moment), to: Bound::Unbounded }) =
        clause("started:>7d")
    else {
        panic!("no such time");
    };
    assert_eq!(moment.when(now), datetime!(2026-06-01 12:00 UTC));
    assert_eq!(Moment::At(now).when(datetime!(2030-01-01 0:00 UTC)), now);
}

#[test]
fn words_lose_what_stands_between_them() {
    let Clause::Words(None, words) = clause("configs/base.json") else { panic!("no words") };
    assert_eq!(words.plain(), "configs base json");
}

#[test]
fn conditions_are_added_to_a_query() {
    let add = |text: &str| parse(text).unwrap().and(Expr::Is(Clause::Tag("new".to_owned()))).to_string();
    assert_eq!(add(""), "tag:new");
    assert_eq!(add("a"), "a tag:new");
    assert_eq!(add("a b"), "a b tag:new");
    assert_eq!(add("a OR b"), "(a OR b) tag:new");
}

#[test]
fn orders_print_as_they_are_read() {
    for text in
        ["created", "-created", "duration", "-title", "metrics.val loss", "-metrics.accuracy", "config.lr", "number"]
    {
        assert_eq!(text.parse::<Sort>().unwrap().to_string(), text);
    }
    for text in ["", "-", "--created", "size", "metrics.", "metrics.\0", "config.", "created desc"] {
        assert!(text.parse::<Sort>().is_err(), "{text}");
    }
    assert_eq!(Sort::default().to_string(), "-created");
}

#[test]
fn a_cursor_holds_in_its_own_order_only() {
    let sort = |text: &str| text.parse::<Sort>().unwrap();
    let place = Place { key: Key::Text("a\nb".to_owned()), number: 3 };
    let cursor = place.to_cursor(&sort("title"));
    assert_eq!(Place::from_cursor(&cursor, &sort("title")), Ok(place));
    for other in ["-title", "status", "created", "metrics.title", "config.title"] {
        assert!(Place::from_cursor(&cursor, &sort(other)).is_err(), "{other}");
    }
    let missing = Place { key: Key::Missing, number: 1 }.to_cursor(&sort("created"));
    for junk in ["", "x", "%", &cursor[1..], missing.as_str()] {
        assert!(Place::from_cursor(junk, &sort("created")).is_err(), "{junk}");
    }
}

/// Pieces of which queries are made, so that many of them are read.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "status:",
        "failed",
        "tag:",
        "a",
        "\"b c\"",
        "\"",
        "*",
        " ",
        " ",
        " ",
        " AND ",
        " OR ",
        "NOT ",
        "-",
        "(",
        ")",
        "metrics.x",
        "metrics.\"y z\"",
        "config.x",
        "config.\"y z\"",
        ":",
        "=",
        "!=",
        ">",
        ">=",
        "<",
        "<=",
        "0.5",
        "-1e9",
        "nan",
        "inf",
        "[",
        "]",
        "{",
        "}",
        " TO ",
        "7d",
        "1h30m",
        "2026-06-01",
        "2026-06-01T12:00:00Z",
        "started",
        "duration",
        "exit",
        "has:",
        "title:",
        "author:me",
        "branch:main",
        "commit:abc",
        "parent:exp007",
        "µ",
        ",",
        "\\",
        ".",
        "number",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Whole conditions, put together.
fn conditions() -> impl Strategy<Value = String> {
    let one = prop::sample::select(vec![
        "a",
        "\"b c\"",
        "\"b c\"*",
        "x*",
        "status:failed",
        "tag:a,b",
        "metrics.x > 0.1",
        "metrics.x:[* TO 3e-7}",
        "metrics.\"y z\":nan",
        "metrics.m:true",
        "config.x:{0.1 TO 3]",
        "config.\"y z\":Adam,1e-3",
        "has:config.a.b",
        "has:note",
        "started:>7d",
        "finished:2026-06-01",
        "title:\"OR\"*",
        "duration:{1m TO 2h]",
        "author:\"Ada \\\"L\\\"\"",
        "branch:\"a b\"",
        "exit!=0",
        "created = 2026-06-01T12:00:00.5Z",
    ]);
    one.prop_map(str::to_owned).prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|all| all.join(" ")),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|all| format!("({})", all.join(" OR "))),
            inner.prop_map(|one| format!("NOT ({one})")),
        ]
    })
}

fn prints_back(query: &Query) -> Result<(), TestCaseError> {
    let printed = query.to_string();
    let again = parse(&printed).map_err(|error| TestCaseError::fail(format!("{printed}: {error}")))?;
    prop_assert_eq!(&again, query, "{}", printed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_text_makes_the_reader_panic_or_point_outside(text in ".{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!((1..=text.chars().count() + 1).contains(&error.character), "{}", error);
        }
    }

    #[test]
    fn what_pieces_of_queries_are_read_as_prints_back(text in pieces()) {
        match parse(&text) {
            Ok(query) => prints_back(&query)?,
            Err(error) => prop_assert!((1..=text.chars().count() + 1).contains(&error.character), "{}", error),
        }
    }

    #[test]
    fn queries_print_back(text in conditions()) {
        match parse(&text) {
            Ok(query) => prints_back(&query)?,
            Err(error) => prop_assert!(error.message.contains("deep") || error.message.contains("conditions"), "{}", error),
        }
    }

    #[test]
    fn a_place_comes_back_from_its_cursor(
        number in any::<i32>(), bits in any::<u64>(), text in ".{0,20}", nanos in -1_000_000_000_000_i64..i64::MAX,
    ) {
        let time = OffsetDateTime::from_unix_timestamp_nanos(nanos.into()).unwrap();
        for (sort, key) in [
            ("number", Key::Own),
            ("-metrics.x", Key::Number(f64::from_bits(bits))),
            ("config.x", Key::Number(f64::from_bits(bits))),
            ("duration", Key::Missing),
            ("created", Key::Time(time)),
            ("title", Key::Text(text.replace('\0', ""))),
        ] {
            let sort: Sort = sort.parse().unwrap();
            let cursor = Place { key, number }.to_cursor(&sort);
            let place = Place::from_cursor(&cursor, &sort).unwrap();
            prop_assert_eq!(place.to_cursor(&sort), cursor);
        }
    }
}
