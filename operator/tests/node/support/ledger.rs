//! The end of every test: nothing is left to deliver, nothing is missing, and the tests' own count agrees.

use std::process::{Command, Output};

use batchpipe_api::report::AuditReport;
use batchpipe_testbed::Kafka;
use serde_json::json;

use super::{Pipeline, Side};

impl Pipeline {
    /// Drains it, and proves that every record was delivered.
    #[track_caller]
    pub(crate) fn finish(&self) {
        self.finish_at(self.bed.stage.kafka());
    }

    /// The same for a topic of another broker.
    #[track_caller]
    pub(crate) fn finish_at(&self, kafka: &Kafka) {
        self.drain();
        let audit = self.audit(kafka);
        let printed = self.bed.printed.count(&self.name);
        println!("{}: {audit:?}, printed {printed:?}", self.name);
        assert!(audit.records > 0 && audit.unverified == 0, "{}: {audit:?}", self.name);
        let sent = audit.records - audit.duplicated;
        assert_eq!(printed.distinct, sent, "{}: printed and sent, {audit:?}", self.name);
        self.bed.kubectl(&["delete", &self.object(), "--wait=false"]);
    }

    /// Has it work off what is left, and waits until no pod of it is there.
    #[track_caller]
    pub(crate) fn drain(&self) {
        self.patch(&json!({"state": "Drained"}));
        self.await_phase("Drained");
        let data = self.get()["status"]["data"].clone();
        assert_eq!((&data["lagMessages"], &data["lagRecords"]), (&json!(0), &json!(0)), "{data}");
        super::wait_for("the last pods to go", || {
            let sides = [Side::Producer, Side::Consumer];
            sides.iter().all(|side| self.all_pods(*side).is_empty()).then_some(())
        });
    }

    /// What `batchpipe audit` says of its topic; it has nothing to complain about.
    #[track_caller]
    pub(crate) fn audit(&self, kafka: &Kafka) -> AuditReport {
        let output = self.run_audit(kafka);
        let [printed, said] =
            [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it).into_owned());
        assert!(output.status.success(), "{}: {printed} {said}", self.name);
        let audit: AuditReport = serde_json::from_str(&printed).unwrap();
        assert_eq!((audit.missing, audit.corrupt), (0, 0), "{}: {printed}", self.name);
        audit
    }

    /// The same, whatever it complains about.
    pub(crate) fn read_audit(&self, kafka: &Kafka) -> AuditReport {
        serde_json::from_slice(&self.run_audit(kafka).stdout).unwrap()
    }

    fn run_audit(&self, kafka: &Kafka) -> Output {
        let mut audit = Command::new(&self.bed.batchpipe);
        audit.args(["audit", "--json", "--topic", &self.name]);
        audit.args(["--brokers", &kafka.bootstrap_servers()]).output().unwrap()
    }
}
