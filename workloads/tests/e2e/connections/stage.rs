//! A pipeline with a secured connection: its topics are there, and its Secrets are files.

use std::path::{Path, PathBuf};

use batchpipe_testbed::{Operation, Resource};
use serde_json::json;

use super::{kafka, secrets::Secrets, security};
use crate::faults::support::Scene;

const RECORDS: usize = 20_000;
/// The Secret of the authority and the one of the pipeline's own credentials.
const CA: &str = "cluster-ca";
pub(super) const MINE: &str = "mine";

/// A pipeline and its Secrets.
pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) secrets: Secrets,
}

impl Stage {
    /// A pipeline whose topics everybody may use.
    pub(super) fn open(topic: &str) -> Self {
        let stage = Self::closed(topic);
        let dead = format!("{topic}.dlq");
        for resource in [Resource::Topic(topic), Resource::Topic(&dead), Resource::Group(topic)] {
            kafka().grant("*", Operation::All, resource).unwrap();
        }
        stage
    }

    /// A pipeline whose topics are there, and which nobody may use.
    pub(super) fn closed(topic: &str) -> Self {
        let mut scene = Scene::new(kafka(), topic);
        kafka().create_topic(topic, 3, &[]).unwrap();
        kafka().create_topic(&format!("{topic}.dlq"), 1, &[]).unwrap();
        scene.spec["topic"]["provision"] = json!("Never");
        scene.spec["consumer"]["deadLetter"] = json!({"provision": "Never"});
        let secrets = Secrets::new();
        scene.environment.push(("BATCHPIPE_SECRETS", secrets.root()));
        Self { scene, secrets }
    }

    /// Connects to this listener.
    pub(super) fn to(mut self, servers: &str) -> Self {
        self.scene.spec["kafka"]["bootstrapServers"] = json!(servers);
        self
    }

    /// Encrypts, and trusts the broker's authority.
    pub(super) fn trusting(self) -> Self {
        self.trusting_authority(&security().authority())
    }

    /// Encrypts, and trusts this authority.
    pub(super) fn trusting_authority(mut self, authority: &Path) -> Self {
        self.scene.spec["kafka"]["tls"]["ca"] = json!({"secret": CA});
        self.secrets.put_files(CA, &[("ca.crt", authority)]);
        self
    }

    /// Asks for a certificate, which is not there yet.
    pub(super) fn certified(mut self) -> Self {
        self.scene.spec["kafka"]["tls"]["certificate"] = json!({"secret": MINE});
        self
    }

    /// Makes a certificate for this user and puts it there.
    pub(super) fn put_certificate(&self, user: &str) {
        self.put_pair(&security().client_certificate(user).unwrap());
    }

    /// Puts a certificate and its key there.
    pub(super) fn put_pair(&self, (certificate, key): &(PathBuf, PathBuf)) {
        self.secrets.put_files(MINE, &[("tls.crt", certificate), ("tls.key", key)]);
    }

    /// Asks for a password, which is not there yet.
    pub(super) fn logging_in(mut self, mechanism: &str, user: &str) -> Self {
        self.scene.spec["kafka"]["sasl"] = json!({
            "mechanism": mechanism,
            "username": user,
            "password": {"secret": MINE, "key": "password"},
        });
        self
    }

    pub(super) fn put_password(&self, password: &str) {
        self.secrets.put(MINE, &[("password", password)]);
    }

    /// Produces and consumes, and fails unless every record arrives once.
    pub(super) fn carries(&self) {
        let records = self.scene.write_input(RECORDS);
        self.scene.produce_all().well();
        self.scene.consume_all().well();
        self.scene.tally_output(&records).check_exact(&self.scene.topic);
    }
}
