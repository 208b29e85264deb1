//! Members come and go every two seconds, under load, with each of the two group protocols: nothing is lost, nothing is
//! doubled, and somebody always gets on.

use std::{
    collections::VecDeque,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use batchpipe_testbed::shared_kafka;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::support::{Child, PATIENCE, Records, Scene, Tally};

const PARTITIONS: usize = 6;
const RECORDS_PER_SECOND: u32 = 5000;
const BETWEEN: Duration = Duration::from_secs(2);
/// What happens in turn; between one and four members are there.
const CHANGES: [Change; 6] =
    [Change::Join, Change::Join, Change::Leave, Change::Join, Change::Leave, Change::Leave];
/// So long nobody may stand still while there is something to do.
const LONGEST_STANDSTILL: Duration = Duration::from_secs(10);

#[derive(Clone, Copy)]
enum Change {
    Join,
    Leave,
}

/// A member, and how much it had delivered at the last look.
struct Member {
    child: Child,
    delivered: u64,
}

impl Member {
    /// Whether it delivered more since.
    fn has_moved(&mut self) -> bool {
        // It answers as soon as it has found its way into the log.
        let now = if self.child.listens() { self.child.report().accounting.delivered } else { 0 };
        std::mem::replace(&mut self.delivered, now) < now
    }
}

/// All members there are and were.
struct Group {
    scene: Scene,
    folders: Vec<PathBuf>,
    members: VecDeque<Member>,
    leaving: Vec<Member>,
    moved: Instant,
    longest: Duration,
}

impl Group {
    fn new(scene: Scene) -> Self {
        let (folders, members, leaving) = (Vec::new(), VecDeque::new(), Vec::new());
        Self { scene, folders, members, leaving, moved: Instant::now(), longest: Duration::ZERO }
    }

    /// Starts a member that writes to a folder of its own.
    fn join(&mut self) {
        let folder = self.scene.folder.path().join(format!("output-{}", self.folders.len()));
        self.scene.spec["consumer"]["sink"]["file"]["path"] = folder.display().to_string().into();
        self.members.push_back(Member { child: self.scene.consume(), delivered: 0 });
        self.folders.push(folder);
    }

    /// Asks the oldest member to stop.
    fn leave(&mut self) {
        let member = self.members.pop_front().unwrap();
        member.child.signal(Signal::TERM);
        self.leaving.push(member);
    }

    /// Notes whether anybody got on since the last look.
    fn look(&mut self) {
        let mut has_moved = false;
        for member in &mut self.members {
            has_moved |= member.has_moved();
        }
        let gone: Vec<_> = self.leaving.extract_if(.., |member| !member.child.runs()).collect();
        for Member { child, delivered } in gone {
            has_moved |= child.wait().well().delivered > delivered;
        }
        if has_moved {
            self.moved = Instant::now();
        }
        self.longest = self.longest.max(self.moved.elapsed());
    }

    /// Looks again and again until something holds.
    fn watch(&mut self, mut is_over: impl FnMut(&Self) -> bool) {
        while !is_over(self) {
            self.look();
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether the members have all partitions, and nothing in these is unread.
    fn has_all(&self) -> bool {
        let reports: Vec<_> = self.members.iter().map(|member| member.child.report()).collect();
        let lag =
            || reports.iter().flat_map(|report| report.lag.iter().map(move |it| (report, it)));
        let is_read = lag().all(|(report, partition)| {
            let is_dated = partition.asked_at_ms.is_some_and(|asked| asked <= report.begun_at_ms);
            partition.messages == Some(0) && is_dated
        });
        lag().count() == PARTITIONS && is_read
    }

    /// Stops everybody.
    fn end(&mut self) {
        self.members.iter().for_each(|member| member.child.signal(Signal::TERM));
        for member in self.leaving.drain(..).chain(self.members.drain(..)) {
            member.child.wait().well();
        }
    }
}

/// Lets members join and leave so often, while records come; for how long nobody got on, at most.
fn storm(name: &str, options: Value, changes: usize) -> Duration {
    let seconds = changes * usize::try_from(BETWEEN.as_secs()).unwrap();
    let total = seconds * RECORDS_PER_SECOND as usize;
    let mut scene = Scene::new(shared_kafka().unwrap(), name);
    scene.generate(RECORDS_PER_SECOND, total);
    scene.spec["kafka"]["options"] = options;
    scene.spec["topic"]["partitions"] = json!(PARTITIONS);
    let mut producer = scene.produce();
    let mut group = Group::new(scene);
    group.join();
    group.members[0].child.await_delivered(1);
    group.moved = Instant::now();
    for change in CHANGES.into_iter().cycle().take(changes) {
        match change {
            Change::Join => group.join(),
            Change::Leave => group.leave(),
        }
        let since = Instant::now();
        group.watch(|_| since.elapsed() >= BETWEEN);
    }
    group.watch(|_| !producer.runs());
    producer.wait().well();
    let standstill = group.longest;
    let asked = Instant::now();
    group.watch(|group| {
        assert!(asked.elapsed() < PATIENCE, "{name}: the members do not catch up");
        group.has_all()
    });
    group.end();
    let mut found = Tally::new(&Records::of_seed(total));
    group.folders.iter().filter(|folder| folder.exists()).for_each(|folder| found.folder(folder));
    println!("{name}: {changes} changes, longest standstill {standstill:.1?}");
    found.check_complete(name);
    let logs = group.scene.logs();
    // On a machine that is too busy for heartbeats the group gives a member up, which is no graceful stop.
    if logs.contains(r#""is_lost":true"#) {
        println!("{name}: the group gave a member up; duplicates were not looked at");
    } else {
        found.check_no_duplicates(name);
    }
    standstill
}

/// The intervals of the scene: a change is noticed within half a second.
fn classic() -> Value {
    json!({"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"})
}

fn consumer() -> Value {
    json!({"group.protocol": "consumer"})
}

#[test]
fn a_classic_group_loses_nothing_while_members_come_and_go() {
    storm("storm-classic", classic(), 12);
}

#[test]
fn a_group_of_the_new_protocol_loses_nothing_while_members_come_and_go() {
    storm("storm-consumer", consumer(), 12);
}

/// A million records each.
#[test]
#[ignore = "takes minutes: make test-long"]
fn a_hundred_changes_lose_nothing() {
    for (name, options) in [("storm-classic-100", classic()), ("storm-consumer-100", consumer())] {
        let standstill = storm(name, options, 100);
        assert!(standstill < LONGEST_STANDSTILL, "{name}: nobody got on for {standstill:?}");
    }
}
