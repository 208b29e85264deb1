//! What is mounted where: Secrets as files, and the volume of a file source or sink. Pure.

use std::{collections::BTreeSet, path::Path};

use batchpipe_api::report::Role;
use k8s_openapi::api::core::v1::{
    KeyToPath, PersistentVolumeClaimVolumeSource, SecretVolumeSource, Volume, VolumeMount,
};

use super::{names, secrets::secrets};
use crate::pipeline::Pipeline;

/// Where Secrets are mounted: `/etc/batchpipe/secrets/NAME/KEY`.
pub(super) const SECRETS_FOLDER: &str = "/etc/batchpipe/secrets";
/// Readable for the owner and the pods' group, which `fsGroup` makes the files belong to, and for nobody else.
const SECRET_MODE: i32 = 0o440;
const DATA: &str = "data";

/// One volume and where it is mounted.
struct Mounted {
    volume: Volume,
    mount: VolumeMount,
}

/// The volumes of one side's pods and their places in the container.
pub(super) fn build_volumes(pipeline: &Pipeline, role: Role) -> (Vec<Volume>, Vec<VolumeMount>) {
    let secrets = secrets(pipeline, role).into_iter().map(|(name, keys)| secret(&name, &keys));
    secrets.chain(data(pipeline, role)).map(|it| (it.volume, it.mount)).unzip()
}

/// A Secret that is missing must not keep a pod from starting: the workload says what it waits for, and takes it up
/// when it appears. That needs a mounted folder; files mounted one by one (subPath) are never updated.
fn secret(name: &str, keys: &BTreeSet<String>) -> Mounted {
    let item =
        |key: &String| KeyToPath { key: key.clone(), path: key.clone(), ..KeyToPath::default() };
    let source = SecretVolumeSource {
        secret_name: Some(name.to_owned()),
        items: Some(keys.iter().map(item).collect()),
        optional: Some(true),
        default_mode: Some(SECRET_MODE),
        ..SecretVolumeSource::default()
    };
    let volume = names::secret_volume(name);
    Mounted {
        mount: VolumeMount {
            name: volume.clone(),
            mount_path: format!("{SECRETS_FOLDER}/{name}"),
            read_only: Some(true),
            ..VolumeMount::default()
        },
        volume: Volume { name: volume, secret: Some(source), ..Volume::default() },
    }
}

fn data(pipeline: &Pipeline, role: Role) -> Option<Mounted> {
    let (claim, folder) = match role {
        Role::Producer => {
            let file = pipeline.spec.producer.as_ref()?.source.file.as_ref()?;
            let folder = Path::new(&file.path).parent().unwrap_or_else(|| Path::new("/"));
            (&file.volume_claim, folder.display().to_string())
        }
        Role::Consumer => {
            let file = pipeline.spec.consumer.as_ref()?.sink.file.as_ref()?;
            (&file.volume_claim, file.path.clone())
        }
    };
    let claim = PersistentVolumeClaimVolumeSource { claim_name: claim.clone(), read_only: None };
    Some(Mounted {
        volume: Volume {
            name: DATA.to_owned(),
            persistent_volume_claim: Some(claim),
            ..Volume::default()
        },
        mount: VolumeMount { name: DATA.to_owned(), mount_path: folder, ..VolumeMount::default() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::fixture::{EVERYTHING, FILES, TELEMETRY, pipeline};

    fn mounts(text: &str, role: Role) -> Vec<String> {
        let (_, mounts) = build_volumes(&pipeline(text), role);
        mounts.into_iter().map(|mount| mount.mount_path).collect()
    }

    #[test]
    fn secrets_are_mounted_by_their_names() {
        let expected = [
            "/etc/batchpipe/secrets/intake-cert",
            "/etc/batchpipe/secrets/intake-token",
            "/etc/batchpipe/secrets/lab-cluster-ca-cert",
            "/etc/batchpipe/secrets/telemetry",
        ];
        assert_eq!(mounts(EVERYTHING, Role::Producer), expected);
    }

    #[test]
    fn a_missing_secret_or_key_does_not_keep_a_pod_from_starting() {
        let (volumes, _) = build_volumes(&pipeline(EVERYTHING), Role::Consumer);
        let mut sources = volumes.iter().map(|volume| volume.secret.as_ref().unwrap());
        assert!(sources.all(|source| source.optional == Some(true)));
    }

    #[test]
    fn only_the_keys_that_are_named_are_mounted() {
        let (volumes, _) = build_volumes(&pipeline(EVERYTHING), Role::Consumer);
        let user = volumes.iter().filter_map(|it| it.secret.as_ref());
        let user =
            user.into_iter().find(|it| it.secret_name.as_deref() == Some("telemetry")).unwrap();
        let keys: Vec<_> = user.items.iter().flatten().map(|item| item.key.as_str()).collect();
        assert_eq!(keys, ["user.crt", "user.key"]);
    }

    #[test]
    fn a_file_source_has_its_claim_at_the_files_folder() {
        assert_eq!(mounts(FILES, Role::Producer).last().unwrap(), "/data/in");
    }

    #[test]
    fn a_file_sink_has_its_claim_at_its_folder() {
        assert_eq!(mounts(FILES, Role::Consumer).last().unwrap(), "/data/out");
    }

    #[test]
    fn a_pipeline_without_files_and_secrets_mounts_nothing() {
        assert_eq!(mounts(TELEMETRY, Role::Consumer), Vec::<String>::new());
    }
}
