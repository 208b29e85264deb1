//! A benchmark, which asserts nothing about time: many pipelines on a real API server, looked after by the program
//! itself. `make bench-operator` runs it and shows what it prints.

mod figures;
mod program;

use std::{
    env, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::{figures::Figures, program::Program};
use crate::support::{Namespace, Rights, Server, attend, install, within};

/// Pipelines are spread over so many namespaces.
const NAMESPACES: usize = 10;
/// How many of them are changed to see what a change costs.
const CHANGED: usize = 100;
/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_mins(20);
/// Without a write for so long, everything is as it should be.
const REST: Duration = Duration::from_secs(20);

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// The place of one pipeline.
fn path(namespaces: &[String], index: usize) -> String {
    let namespace = &namespaces[index % namespaces.len()];
    format!("/apis/batchpipe.dev/v1alpha1/namespaces/{namespace}/batchpipelines")
}

fn pipeline(index: usize) -> Value {
    let pod = json!({"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}});
    json!({
        "apiVersion": "batchpipe.dev/v1alpha1", "kind": "BatchPipeline",
        "metadata": {"name": format!("pipeline-{index}")},
        "spec": {
            "kafka": {"bootstrapServers": "kafka:9093"},
            "producer": {"source": {"generator": {}}, "pod": pod},
            "consumer": {"sink": {"blackhole": {}}, "pod": pod},
        },
    })
}

/// Does something to each of the first `count` pipelines, several at a time.
fn each(count: usize, work: impl Fn(usize) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let take = || next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(index) = Some(take()).filter(|index| *index < count) {
                    work(index);
                }
            });
        }
    });
}

/// Waits until the program has not written for a while; gives its figures.
fn await_rest(program: &Program) -> Figures {
    let mut last = (program.figures(), Instant::now());
    within(PATIENCE, "rest", || {
        let now = program.figures();
        if now.writes() != last.0.writes() {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > REST).then(|| program.figures())
    })
}

/// Creates all pipelines, and tells how long their Deployments and their readiness take.
fn create_all(server: &Server, program: &Program, namespaces: &[String], count: usize) -> Figures {
    let begun = Instant::now();
    each(count, |index| server.create(&path(namespaces, index), &pipeline(index)));
    println!("{:<44} {:>10.1} s", "to create them", begun.elapsed().as_secs_f64());
    within(PATIENCE, "all Deployments", || {
        thread::sleep(Duration::from_millis(500));
        (server.count("/apis/apps/v1/deployments") == 2 * count).then_some(())
    });
    println!("{:<44} {:>10.1} s", "until all have their children", begun.elapsed().as_secs_f64());
    within(PATIENCE, "all pipelines to run", || {
        thread::sleep(Duration::from_millis(500));
        (program.figures().running() == count as u64).then_some(())
    });
    println!("{:<44} {:>10.1} s", "until all are said to run", begun.elapsed().as_secs_f64());
    let after = await_rest(program);
    after.print_per("created", count);
    after
}

fn change_some(server: &Server, program: &Program, namespaces: &[String], count: usize) {
    let before = program.figures();
    each(count, |index| {
        let path = format!("{}/pipeline-{index}", path(namespaces, index));
        server.merge(&path, &json!({"spec": {"batch": {"maxRecords": 7}}}));
    });
    await_rest(program).since(&before).print_per("changed", count);
}

fn stay_quiet(program: &Program, minutes: usize) {
    let (before, cpu) = (program.figures(), program.cpu_seconds());
    let window = Duration::from_secs(60 * minutes as u64);
    thread::sleep(window);
    let during = program.figures().since(&before);
    let share = (program.cpu_seconds() - cpu) / window.as_secs_f64() * 100.0;
    println!("{minutes} quiet minutes");
    println!("{:<44} {:>10}", "  writes", during.writes());
    println!("{:<44} {:>10}", "  reconciliations", during.reconciliations());
    println!("{:<44} {share:>10.1} % of a core", "  CPU");
    during.print_latencies();
}

#[test]
#[ignore = "a benchmark: make bench-operator"]
fn a_thousand_pipelines() {
    let (count, minutes) = (number("PIPELINES", 1000), number("QUIET_MINUTES", 5));
    let cluster = batchpipe_testbed::control_plane().unwrap();
    install(&cluster);
    let server = Server::of(&cluster);
    attend(&server);
    let home = Namespace::new(&cluster, "home");
    let namespaces: Vec<String> =
        (0..NAMESPACES).map(|_| Namespace::new(&cluster, "many").name.to_owned()).collect();
    let wide = ["clusterWide=true", "rbac.aggregate=false"];
    let kubeconfig = Rights::of_release(home.name, &wide).give(&cluster, home.name);
    let program = Program::start(&kubeconfig, home.name);
    println!("{count} pipelines, both sides, a pod each");
    create_all(&server, &program, &namespaces, count).print_latencies();
    program.print_memory();
    stay_quiet(&program, minutes);
    program.print_memory();
    change_some(&server, &program, &namespaces, CHANGED.min(count));
    drop(program);
    let program = Program::start(&kubeconfig, home.name);
    let after = await_rest(&program);
    println!("after a restart");
    println!("{:<44} {:>10}", "  writes", after.writes());
    program.print_memory();
}
