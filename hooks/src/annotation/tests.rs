use super::*;

fn parse(pairs: &[(&str, &str)]) -> Result<Annotations, Error> {
    let full = |key: &str| if key.contains(".io") { key.to_owned() } else { format!("{PREFIX}{key}") };
    Annotations::parse(&pairs.iter().map(|(key, value)| (full(key), (*value).to_owned())).collect())
}

fn problem(pairs: &[(&str, &str)]) -> String {
    parse(pairs).unwrap_err().to_string()
}

/// A key's own company: what it needs to be legal.
fn with_company<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![(name, value)];
    match name {
        "sched.priority" => pairs.push(("sched.policy", "FIFO")),
        "sched.nice" => pairs.push(("sched.policy", "OTHER")),
        "sched.runtime" | "sched.deadline" | "sched.period" => pairs.push(("sched.policy", "DEADLINE")),
        "clock.source" | "clock.max-offset" | "clock.timeout" | "clock.on-timeout" => {
            pairs.push(("clock.require", "locked"));
        }
        _ => {}
    }
    pairs
}

#[test]
fn absent_is_nothing() {
    let none = parse(&[]).unwrap();
    assert!(none.is_empty() && none == Annotations::default());
    assert!(!Annotations::any(&BTreeMap::from([("com.example/key".to_owned(), "x".to_owned())])));
}

#[test]
fn every_example_is_legal_and_changes_something() {
    for key in KEYS {
        let company = with_company(key.name, key.example);
        let without = parse(&company[1..]).unwrap();
        let all = parse(&company).unwrap_or_else(|error| panic!("{error}"));
        let forgotten = Annotations { given: without.given.clone(), ..all.clone() };
        assert_ne!(forgotten, without, "{}", key.name);
        assert_eq!(all.given(key.name).unwrap().1, key.example);
    }
}

#[test]
fn a_misspelt_key_names_the_nearest() {
    for key in KEYS {
        // A letter too many is nearer to the key than to any other.
        let wrong = format!("{}x", key.name);
        let text = problem(&[(&wrong, key.example)]);
        assert_eq!(
            text,
            format!(
                "annotations: unknown key \"org.rtrun.{wrong}\"; did you mean \"org.rtrun.{}\"? `rtrun annotations` lists them all",
                key.name
            )
        );
    }
    assert!(problem(&[("sched-policy", "FIFO")]).contains("did you mean \"org.rtrun.sched.policy\""));
}

#[test]
fn an_illegal_value_names_key_value_and_what_is_legal() {
    // Key, illegal values (another kind, another unit, out of range), and a part of each problem.
    let cases: &[(&str, &[(&str, &str)])] = &[
        (
            "sched.policy",
            &[("SCHED_FIFOO", "the nearest is SCHED_FIFO"), ("", "none of these"), ("7", "none of these")],
        ),
        (
            "sched.priority",
            &[("0", "not within 1 to 99"), ("100", "not within"), ("high", "no whole number"), ("5us", "no whole")],
        ),
        ("sched.priority.force", &[("yes", "neither true nor false"), ("", "neither")]),
        ("sched.nice", &[("-21", "not within -20 to 19"), ("20", "not within"), ("1.5", "no whole number")]),
        (
            "sched.runtime",
            &[
                ("500", "write 500us"),
                ("1us", "not within 1024ns to 3600s"),
                ("2h", "\"h\" is no unit"),
                ("4000s", "not within"),
            ],
        ),
        ("sched.deadline", &[("2", "no unit"), ("0s", "not within"), ("x", "whole number")]),
        ("sched.period", &[("2", "no unit"), ("0s", "not within"), ("-2ms", "whole number")]),
        ("sched.reset-on-fork", &[("1", "neither")]),
        ("cpus", &[("", "names no CPU"), ("3-1", "runs backwards"), ("a", "is not a number"), ("9000", "below 8192")]),
        ("cpus.partition", &[("isolatd", "the nearest is isolated"), ("true", "none of these")]),
        ("cpus.exclusive", &[("yes", "neither")]),
        ("cpu.governor", &[("", "no name"), ("../x", "no name"), ("a_name_too_long_for_it", "no name")]),
        (
            "cpu.max-latency",
            &[("10", "no unit"), ("3000s", "more than the kernel"), ("1500ns", "whole number of microseconds")],
        ),
        ("cpu.quota", &[("enable", "is not disable"), ("50000", "is not disable")]),
        ("memory.lock", &[("256", "write 256Mi"), ("1ms", "is no unit"), ("yes", "whole number")]),
        ("memory.prefault", &[("all", "neither")]),
        (
            "devices",
            &[
                ("", "names no device"),
                ("bc635", "is no family"),
                ("bc635:0,", "names no device"),
                ("bc635:0+rw", "+rw is no option"),
            ],
        ),
        ("irq.affinity", &[("housekeepin", "is not a number"), ("", "names no CPU"), ("9999", "below 8192")]),
        ("irq.devices", &[("bc635:0+ro", "is no number"), ("bc635:0,bc635:0", "there twice")]),
        ("clock.require", &[("lock", "the nearest is locked"), ("true", "none of these")]),
        (
            "clock.source",
            &[
                ("ntp", "is no clock"),
                ("ptp:ptp0", "no absolute path"),
                ("chrony,chrony", "twice"),
                ("", "is no clock"),
            ],
        ),
        ("clock.max-offset", &[("10", "no unit"), ("0ns", "not within"), ("2h", "is no unit")]),
        ("clock.timeout", &[("30", "write 30us"), ("4000s", "not within 0s to 3600s")]),
        ("clock.on-timeout", &[("ignore", "none of these")]),
        ("latency.budget", &[("50", "no unit"), ("0us", "not within")]),
        ("verify", &[("strickt", "the nearest is strict"), ("false", "none of these")]),
    ];
    assert_eq!(
        cases.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        KEYS.iter().map(|key| key.name).collect::<Vec<_>>()
    );
    for (name, values) in cases {
        for (value, part) in *values {
            let text = problem(&with_company(name, value));
            let legal = Key::of(name).unwrap().values;
            assert!(text.starts_with(&format!("annotations: org.rtrun.{name}: {value:?}: ")), "{text}");
            assert!(text.contains(part) && text.contains(legal), "{text}");
        }
    }
}

#[test]
fn contradictions_show_both() {
    for (pairs, expected) in [
        (
            &[("sched.policy", "OTHER"), ("sched.priority", "5")][..],
            "annotations: org.rtrun.sched.priority=\"5\" contradicts org.rtrun.sched.policy=\"OTHER\": only SCHED_FIFO and SCHED_RR have a priority",
        ),
        (
            &[("sched.policy", "FIFO"), ("sched.nice", "5")],
            "org.rtrun.sched.nice=\"5\" contradicts org.rtrun.sched.policy",
        ),
        (&[("sched.policy", "BATCH"), ("sched.runtime", "5ms")], "org.rtrun.sched.runtime=\"5ms\" contradicts"),
        (&[("sched.policy", "IDLE"), ("sched.period", "5ms")], "org.rtrun.sched.period=\"5ms\" contradicts"),
        (&[("sched.policy", "RR"), ("sched.deadline", "5ms")], "only SCHED_DEADLINE has a deadline"),
        (&[("sched.priority", "91")], "org.rtrun.sched.priority=\"91\" needs org.rtrun.sched.priority.force=true"),
        (&[("sched.priority", "91"), ("sched.priority.force", "false")], "needs org.rtrun.sched.priority.force=true"),
        (&[("sched.runtime", "5ms"), ("sched.deadline", "4ms")], "contradicts org.rtrun.sched.deadline=\"4ms\""),
        (&[("sched.runtime", "5ms"), ("sched.period", "4ms")], "contradicts org.rtrun.sched.period=\"4ms\""),
        (&[("sched.deadline", "5ms"), ("sched.period", "4ms")], "contradicts org.rtrun.sched.period=\"4ms\""),
        (
            &[("clock.source", "chrony")],
            "org.rtrun.clock.source=\"chrony\" needs org.rtrun.clock.require=locked or holdover",
        ),
        (&[("clock.require", "none"), ("clock.max-offset", "1us")], "org.rtrun.clock.max-offset=\"1us\" needs"),
        (&[("clock.timeout", "1s")], "org.rtrun.clock.timeout=\"1s\" needs"),
        (&[("clock.on-timeout", "warn")], "org.rtrun.clock.on-timeout=\"warn\" needs"),
        (
            &[("cpus.partition", "root"), ("cpu-load-balancing.crio.io", "disable")],
            "org.rtrun.cpus.partition=\"root\" contradicts cpu-load-balancing.crio.io=\"disable\"",
        ),
        (
            &[("cpu.max-latency", "1us"), ("cpu-c-states.crio.io", "disable")],
            "contradicts cpu-c-states.crio.io=\"disable\"",
        ),
        (&[("cpu.governor", "a"), ("cpu-freq-governor.crio.io", "b")], "contradicts cpu-freq-governor.crio.io=\"b\""),
        (&[("irq.affinity", "0"), ("irq-load-balancing.crio.io", "disable")], "contradicts irq-load-balancing.crio.io"),
    ] {
        let text = problem(pairs);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_policy_from_elsewhere_is_held_against_the_keys() {
    let all = parse(&[("sched.priority", "5")]).unwrap();
    let text = all.check_policy(Policy::Idle, "process.scheduler.policy", "SCHED_IDLE").unwrap_err().to_string();
    assert!(text.contains("contradicts process.scheduler.policy=\"SCHED_IDLE\""), "{text}");
    assert_eq!(all.check_policy(Policy::Rr, "process.scheduler.policy", "SCHED_RR"), Ok(()));
}

#[test]
fn policies_are_read_with_and_without_their_prefix() {
    for (text, policy) in [
        ("SCHED_FIFO", Policy::Fifo),
        ("FIFO", Policy::Fifo),
        ("rr", Policy::Rr),
        ("sched_deadline", Policy::Deadline),
        ("Batch", Policy::Batch),
        ("IDLE", Policy::Idle),
        ("OTHER", Policy::Other),
    ] {
        assert_eq!(parse(&[("sched.policy", text)]).unwrap().sched.policy, Some(policy));
    }
}

#[test]
fn values_have_their_types() {
    let all = parse(&[
        ("cpus", "2-3"),
        ("cpu.max-latency", "20us"),
        ("memory.lock", "256Mi"),
        ("irq.affinity", "0-1"),
        ("devices", "bc635:0, 03:00.0+ro"),
        ("clock.require", "holdover"),
        ("clock.source", "adjtimex,chrony:/run/c.sock,ptp:/dev/ptp0,bc635:0"),
        ("sched.priority", "95"),
        ("sched.priority.force", "true"),
    ])
    .unwrap();
    assert_eq!(all.cpus.as_ref().unwrap().to_string(), "2-3");
    assert_eq!(all.max_latency.unwrap().pm_qos(), "20");
    assert_eq!(all.memory_lock, Some(MemoryLock::Bytes(256 << 20)));
    assert_eq!(all.irq_affinity, Some(IrqAffinity::Cpus(CpuSet::parse("0-1").unwrap())));
    assert_eq!(all.devices.iter().map(ToString::to_string).collect::<Vec<_>>(), ["bc635:0", "0000:03:00.0+ro"]);
    let sources: Vec<String> = all.clock.sources.iter().map(ToString::to_string).collect();
    assert_eq!(sources, ["adjtimex", "chrony:/run/c.sock", "ptp:/dev/ptp0", "bc635:0"]);
    assert_eq!(all.sched.priority, Some(95));
    assert_eq!(parse(&[("memory.lock", "true")]).unwrap().memory_lock, Some(MemoryLock::All));
    assert_eq!(parse(&[("cpu.max-latency", "0us")]).unwrap().max_latency.unwrap().pm_qos(), "n/a");
    assert_eq!(parse(&[("cpu.max-latency", "any")]).unwrap().max_latency.unwrap().pm_qos(), "0");
}

#[test]
fn cri_o_s_annotations_are_aliases() {
    let all = parse(&[
        ("cpu-load-balancing.crio.io", "disable"),
        ("cpu-quota.crio.io", "true"),
        ("irq-load-balancing.crio.io", "housekeeping"),
        ("cpu-c-states.crio.io", "max_latency:10"),
        ("cpu-freq-governor.crio.io", "performance"),
        ("cpu-shared.crio.io", "enable"),
    ])
    .unwrap();
    assert_eq!((all.partition, all.no_quota), (Some(Partition::Isolated), true));
    assert_eq!(all.irq_affinity, Some(IrqAffinity::Housekeeping));
    assert_eq!((all.max_latency.unwrap().pm_qos().as_str(), all.governor.as_deref()), ("10", Some("performance")));
    assert_eq!(all.given("cpu.max-latency"), Some(("cpu-c-states.crio.io", "max_latency:10")));
    for (key, value) in [
        ("cpu-load-balancing.crio.io", "no"),
        ("cpu-quota.crio.io", "enable"),
        ("irq-load-balancing.crio.io", "0-1"),
        ("cpu-c-states.crio.io", "max_latency:x"),
        ("cpu-freq-governor.crio.io", "no such"),
    ] {
        let text = problem(&[(key, value)]);
        assert!(text.starts_with(&format!("annotations: {key}: {value:?}: ")), "{text}");
    }
    for alias in ALIASES {
        assert!(parse(&[(alias.key, alias.example)]).unwrap().given(alias.name).is_some());
    }
    assert!(parse(&[("cpus.partition", "isolated"), ("cpu-load-balancing.crio.io", "disable")]).is_ok());
}

#[test]
fn a_key_for_one_container_counts_for_it_alone_and_more() {
    let of = |name: &str| {
        let pairs = [
            ("io.kubernetes.cri.container-name", name),
            ("org.rtrun.cpus", "0"),
            ("org.rtrun.cpus/app", "1"),
            ("cpu-quota.crio.io/app", "disable"),
        ];
        Annotations::parse(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
            .unwrap()
    };
    let (app, other) = (of("app"), of("side"));
    assert_eq!(app.cpus, Some(CpuSet::parse("1").unwrap()));
    assert_eq!(other.cpus, Some(CpuSet::parse("0").unwrap()));
    assert_eq!((app.no_quota, other.no_quota), (true, false));
}

#[test]
fn sandboxes_are_told() {
    let kind = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    assert!(is_sandbox(&kind("io.kubernetes.cri.container-type", "sandbox")));
    assert!(is_sandbox(&kind("io.kubernetes.cri-o.ContainerType", "sandbox")));
    assert!(!is_sandbox(&kind("io.kubernetes.cri.container-type", "container")));
}
