//! A source in another cluster with a login of its own, whose password changes.

use batchpipe_testbed::{Operation, Resource, shared_kafka};
use serde_json::json;

use super::stage::Stage;
use crate::{
    connections::{kafka as secured, secrets::Secrets, security},
    faults::support::until,
};

const RENEWED: &str = "connecting with the new ones";

#[test]
fn the_login_of_the_other_cluster_is_awaited_and_taken_up_when_it_changes() {
    const TOTAL: usize = 3000;
    let (source, target) = (secured(), shared_kafka().unwrap());
    source.set_password("SCRAM-SHA-512", "rebatching", "secret-0").unwrap();
    let mut stage = Stage::new(source, "rebatched-login");
    let secrets = Secrets::new();
    stage.scene.environment.push(("BATCHPIPE_SECRETS", secrets.root()));
    stage.scene.environment.push(("BATCHPIPE_LOG", "debug,librdkafka=debug".into()));
    for resource in [Resource::Topic(&stage.raw), Resource::Group(&stage.raw)] {
        source.grant("*", Operation::All, resource).unwrap();
    }
    stage.scene.spec["kafka"]["bootstrapServers"] = target.bootstrap_servers().into();
    let from = &mut stage.scene.spec["producer"]["source"]["kafka"];
    from["bootstrapServers"] = security().sasl_tls_servers().into();
    from["tls"] = json!({"ca": {"secret": "authority"}});
    from["sasl"] = json!({
        "mechanism": "SCRAM-SHA-512",
        "username": "rebatching",
        "password": {"secret": "login", "key": "password"},
    });
    secrets.put_files("authority", &[("ca.crt", &security().authority())]);
    let (records, pairs) = stage.records(TOTAL);
    stage.send(&pairs[..1000]);
    let producer = stage.scene.produce();
    producer.await_unready("login/password");
    secrets.put("login", &[("password", "secret-0")]);
    producer.await_delivered(1000);
    source.set_password("SCRAM-SHA-512", "rebatching", "secret-1").unwrap();
    secrets.put("login", &[("password", "secret-1")]);
    until("it has the new credentials", || producer.log().contains(RENEWED));
    stage.send(&pairs[1000..]);
    producer.await_delivered(TOTAL as u64);
    let pages = ["/readyz", "/status", "/metrics"].map(|path| producer.get(path).1);
    let said = pages.concat() + &producer.log();
    assert!(!said.contains("secret-0") && !said.contains("secret-1"), "said: {said}");
    producer.terminate().well();
    stage.tally(target, &records).check_exact("rebatched-login");
}
