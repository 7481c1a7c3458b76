use super::*;
use crate::spec::{self, SchedulerPolicy};
use serde_json::{Value, json};

fn spec(process: Value, resources: Value, annotations: Value) -> Spec {
    let config = json!({
        "ociVersion": "1.3.0", "process": process, "linux": {"resources": resources}, "annotations": annotations
    });
    spec::parse(config.to_string().as_bytes(), "test").unwrap()
}

fn profile(process: Value, resources: Value, annotations: Value) -> Profile {
    Profile::of(&spec(process, resources, annotations)).unwrap().unwrap()
}

fn problem(process: Value, resources: Value, annotations: Value) -> String {
    Profile::of(&spec(process, resources, annotations)).unwrap_err().to_string()
}

#[test]
fn a_plain_container_has_none() {
    let cpus = json!({"cpu": {"cpus": "0", "realtimeRuntime": 0}});
    assert!(Profile::of(&spec(json!({}), cpus, json!({"com.example": "x"}))).unwrap().is_none());
}

#[test]
fn annotations_alone() {
    let fifo = profile(json!({}), json!({}), json!({"org.rtrun.sched.policy": "FIFO", "org.rtrun.cpus": "1"}));
    let scheduler = fifo.scheduler.as_ref().unwrap();
    assert_eq!((scheduler.policy, scheduler.priority), (SchedulerPolicy::SchedFifo, Some(50)));
    assert_eq!(fifo.budget, Some(Budget { runtime: None, period: Duration::from_secs(1) }));
    assert_eq!(
        (fifo.verify, fifo.partition, fifo.asked("cpus")),
        (Verify::Strict, Partition::Member, "org.rtrun.cpus")
    );
    assert_eq!((fifo.asked("verify"), fifo.priority()), ("default", Some(50)));

    let nice = profile(json!({}), json!({}), json!({"org.rtrun.sched.nice": "-5"}));
    assert_eq!(nice.scheduler.unwrap().policy, SchedulerPolicy::SchedOther);
    assert_eq!(nice.budget, None);

    let deadline = json!({
        "org.rtrun.sched.policy": "DEADLINE", "org.rtrun.sched.runtime": "1ms", "org.rtrun.sched.period": "10ms",
        "org.rtrun.sched.reset-on-fork": "true"
    });
    let deadline = profile(json!({}), json!({}), deadline).scheduler.unwrap();
    assert_eq!((deadline.runtime, deadline.deadline), (Some(1_000_000), Some(10_000_000)));
    assert_eq!(deadline.flags, ["SCHED_FLAG_RESET_ON_FORK"]);
}

#[test]
fn fields_and_annotations_complete_each_other() {
    let process = json!({"scheduler": {"policy": "SCHED_FIFO", "priority": 80}});
    let resources = json!({"cpu": {"cpus": "2-3", "realtimeRuntime": 1000}});
    let annotations = json!({"org.rtrun.sched.priority": "80", "org.rtrun.cpus": "3,2", "org.rtrun.cpus.exclusive": "true",
        "org.rtrun.sched.period": "100ms", "org.rtrun.sched.reset-on-fork": "true"});
    let both = profile(process, resources, annotations);
    assert_eq!(both.asked("cpus"), "linux.resources.cpu.cpus");
    assert_eq!(both.asked("sched.priority"), "process.scheduler.priority");
    let period = Duration::from_millis(100);
    assert_eq!(both.budget, Some(Budget { runtime: Some(Duration::from_millis(1)), period }));
    assert!(both.exclusive && both.scheduler.unwrap().flags.len() == 1);
}

#[test]
fn contradictions_show_both() {
    let process = |scheduler: Value| json!({"scheduler": scheduler});
    let fifo = || process(json!({"policy": "SCHED_FIFO", "priority": 10}));
    let deadline = || {
        process(json!({"policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 2_000_000, "period": 2_000_000}))
    };
    let key = |name: &str, value: &str| {
        let mut map = serde_json::Map::new();
        map.insert(format!("org.rtrun.{name}"), json!(value));
        Value::Object(map)
    };
    for (process, resources, annotations, expected) in [
        (
            fifo(),
            json!({}),
            key("sched.policy", "RR"),
            "process.scheduler.policy=SCHED_FIFO contradicts org.rtrun.sched.policy=RR",
        ),
        (
            fifo(),
            json!({}),
            key("sched.priority", "20"),
            "process.scheduler.priority=10 contradicts org.rtrun.sched.priority=20",
        ),
        (
            fifo(),
            json!({}),
            key("sched.nice", "1"),
            "sched.nice=\"1\" contradicts process.scheduler.policy=\"SCHED_FIFO\"",
        ),
        (fifo(), json!({}), key("sched.deadline", "1ms"), "contradicts process.scheduler.policy=\"SCHED_FIFO\""),
        (
            process(json!({"policy": "SCHED_OTHER", "nice": 3})),
            json!({}),
            key("sched.nice", "4"),
            "process.scheduler.nice=3 contradicts org.rtrun.sched.nice=4",
        ),
        (
            deadline(),
            json!({}),
            key("sched.runtime", "500us"),
            "process.scheduler.runtime=1ms contradicts org.rtrun.sched.runtime=500us",
        ),
        (deadline(), json!({}), key("sched.deadline", "3ms"), "process.scheduler.deadline=2ms contradicts"),
        (deadline(), json!({}), key("sched.period", "3ms"), "process.scheduler.period=2ms contradicts"),
        (
            process(json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_RESET_ON_FORK"]})),
            json!({}),
            key("sched.reset-on-fork", "false"),
            "process.scheduler.flags=SCHED_FLAG_RESET_ON_FORK contradicts org.rtrun.sched.reset-on-fork=false",
        ),
        (
            json!({}),
            json!({"cpu": {"cpus": "0-1"}}),
            key("cpus", "1"),
            "linux.resources.cpu.cpus=0-1 contradicts org.rtrun.cpus=1",
        ),
        (
            fifo(),
            json!({"cpu": {"realtimeRuntime": 1000}}),
            key("sched.runtime", "2ms"),
            "linux.resources.cpu.realtimeRuntime=1ms contradicts org.rtrun.sched.runtime=2ms",
        ),
        (
            fifo(),
            json!({"cpu": {"realtimePeriod": 1000}}),
            key("sched.period", "2ms"),
            "linux.resources.cpu.realtimePeriod=1ms contradicts org.rtrun.sched.period=2ms",
        ),
        (
            json!({}),
            json!({"cpu": {"cpus": "1"}, "unified": {"cpuset.cpus.partition": "root"}}),
            key("cpus.partition", "isolated"),
            "linux.resources.unified[cpuset.cpus.partition]=root contradicts org.rtrun.cpus.partition=isolated",
        ),
        (
            json!({"rlimits": [{"type": "RLIMIT_MEMLOCK", "soft": 64, "hard": 64}]}),
            json!({}),
            key("memory.lock", "1Mi"),
            "process.rlimits[RLIMIT_MEMLOCK]=64 contradicts org.rtrun.memory.lock=1Mi",
        ),
        (
            json!({}),
            json!({"memory": {"limit": 1024}}),
            key("memory.lock", "1Mi"),
            "org.rtrun.memory.lock=1Mi is more than linux.resources.memory.limit=1024",
        ),
        (
            json!({}),
            json!({}),
            key("sched.priority", "5"),
            "org.rtrun.sched.priority=\"5\" needs org.rtrun.sched.policy",
        ),
        (
            json!({}),
            json!({}),
            key("sched.policy", "DEADLINE"),
            "sched.policy=\"DEADLINE\" needs org.rtrun.sched.runtime",
        ),
        (
            json!({}),
            json!({}),
            key("cpus.exclusive", "true"),
            "org.rtrun.cpus.exclusive=\"true\" needs org.rtrun.cpus or",
        ),
        (
            json!({}),
            json!({}),
            key("cpus.partition", "isolated"),
            "org.rtrun.cpus.partition=\"isolated\" needs org.rtrun.cpus or",
        ),
        (json!({}), json!({}), key("cpu.governor", "performance"), "needs org.rtrun.cpus or"),
        (json!({}), json!({}), key("cpu.max-latency", "1us"), "needs org.rtrun.cpus or"),
        (json!({}), json!({}), key("irq.affinity", "housekeeping"), "needs org.rtrun.cpus or"),
        (json!({}), json!({}), key("irq.devices", "bc635:0"), "needs org.rtrun.cpus or"),
        (
            process(json!({"policy": "SCHED_OTHER", "priority": 3})),
            json!({}),
            key("verify", "off"),
            "process.scheduler.priority: 3 contradicts SCHED_OTHER",
        ),
    ] {
        let text = problem(process, resources, annotations);
        assert!(text.contains(expected), "{text}\nnot: {expected}");
    }
}

#[test]
fn a_sandbox_is_checked_and_left_alone() {
    let with = |policy: &str| json!({"org.rtrun.sched.policy": policy, "io.kubernetes.cri.container-type": "sandbox"});
    assert!(Profile::of(&spec(json!({}), json!({}), with("FIFO"))).unwrap().is_none());
    assert!(problem(json!({}), json!({}), with("FIF")).contains("the nearest is SCHED_FIFO"));
}
