//! The OCI archive (pure): uncompressed layers, their configuration, and what names them. The same files give
//! the same bytes, so an image that did not change is not unpacked again.

use std::{fs, io, path::Path};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{Result, error::Context};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What containerd reads an image's name from.
const NAME: &str = "io.containerd.image.name";

/// A file of an image.
#[derive(Debug)]
pub(crate) struct Content {
    bytes: Vec<u8>,
    mode: u32,
}

impl Content {
    pub(crate) fn text(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), mode: 0o644 }
    }

    pub(crate) fn data(path: &Path) -> Result<Self> {
        Ok(Self { bytes: fs::read(path).context("read", path)?, mode: 0o644 })
    }

    pub(crate) fn program(path: &Path) -> Result<Self> {
        Ok(Self { mode: 0o755, ..Self::data(path)? })
    }
}

/// A part of the archive that is found by its digest.
struct Blob {
    bytes: Vec<u8>,
    digest: String,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let hash = Sha256::digest(&bytes);
        let digest = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Self { bytes, digest }
    }

    fn json(value: &Value) -> Self {
        Self::new(value.to_string().into_bytes())
    }

    fn descriptor(&self, kind: &str) -> Value {
        let digest = format!("sha256:{}", self.digest);
        json!({"mediaType": kind, "digest": digest, "size": self.bytes.len()})
    }
}

/// The archive of an image with these files, run as `config` says. Paths in the image have no leading slash.
pub(crate) fn assemble(name: &str, config: &Value, files: &[(String, Content)]) -> Result<Vec<u8>> {
    stack(name, config, vec![pack(files).context("pack", name)?])
}

/// The same of tar archives, each laid over those before.
pub(crate) fn stack(name: &str, config: &Value, layers: Vec<Vec<u8>>) -> Result<Vec<u8>> {
    let layers: Vec<Blob> = layers.into_iter().map(Blob::new).collect();
    let contents: Vec<String> =
        layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect();
    let history = vec![json!({"created_by": "batchpipe-testbed"}); layers.len()];
    let configuration = Blob::json(&json!({
        "architecture": architecture(),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": contents},
        "history": history,
    }));
    let manifest = Blob::json(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": configuration.descriptor(CONFIG),
        "layers": layers.iter().map(|layer| layer.descriptor(LAYER)).collect::<Vec<_>>(),
    }));
    let mut named = manifest.descriptor(MANIFEST);
    named["annotations"] = json!({ NAME: name });
    let index = json!({"schemaVersion": 2, "manifests": [named]}).to_string();
    let mut parts = vec![
        ("oci-layout".to_owned(), Content::text(r#"{"imageLayoutVersion":"1.0.0"}"#)),
        ("index.json".to_owned(), Content::text(&index)),
    ];
    let blobs = [configuration, manifest].into_iter().chain(layers);
    parts.extend(blobs.map(|blob| {
        (format!("blobs/sha256/{}", blob.digest), Content { bytes: blob.bytes, mode: 0o644 })
    }));
    pack(&parts).context("pack", name)
}

/// The files as a tar archive.
pub(crate) fn pack(files: &[(String, Content)]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.bytes.len() as u64);
        header.set_mode(content.mode);
        archive.append_data(&mut header, path, content.bytes.as_slice())?;
    }
    archive.into_inner()
}

/// The machine's kind in the words of images.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read};

    use super::*;

    fn unpack(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().display().to_string(), bytes)
        });
        entries.collect()
    }

    fn follow(parts: &BTreeMap<String, Vec<u8>>, descriptor: &Value) -> Vec<u8> {
        let digest = descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:");
        let blob = parts[&format!("blobs/sha256/{digest}")].clone();
        assert_eq!(descriptor["size"], blob.len());
        assert_eq!(Blob::new(blob.clone()).digest, digest);
        blob
    }

    fn json(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    fn files() -> [(String, Content); 1] {
        [("etc/greeting".to_owned(), Content::text("hello"))]
    }

    #[test]
    fn index_manifest_and_layer_lead_to_the_files() {
        let parts = unpack(&assemble("a.b/c:1", &json!({"User": "7"}), &files()).unwrap());
        let index = json(&parts["index.json"]);
        assert_eq!(index["manifests"][0]["annotations"][NAME], "a.b/c:1");
        let manifest = json(&follow(&parts, &index["manifests"][0]));
        let configuration = json(&follow(&parts, &manifest["config"]));
        assert_eq!(configuration["config"]["User"], "7");
        assert_eq!(configuration["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        let layer = unpack(&follow(&parts, &manifest["layers"][0]));
        assert_eq!(layer["etc/greeting"], b"hello");
    }

    #[test]
    fn layers_keep_their_order() {
        let layers = vec![pack(&files()).unwrap(), pack(&[]).unwrap()];
        let digests = layers.iter().map(|layer| Blob::new(layer.clone()).digest);
        let digests: Vec<String> = digests.map(|digest| format!("sha256:{digest}")).collect();
        let parts = unpack(&stack("a.b/c:1", &json!({}), layers).unwrap());
        let index = json(&parts["index.json"]);
        let manifest = json(&follow(&parts, &index["manifests"][0]));
        let configuration = json(&follow(&parts, &manifest["config"]));
        assert_eq!(configuration["rootfs"]["diff_ids"], json!(digests));
        assert_eq!(configuration["history"].as_array().unwrap().len(), 2);
        for (layer, digest) in manifest["layers"].as_array().unwrap().iter().zip(&digests) {
            assert_eq!(layer["digest"], **digest);
            follow(&parts, layer);
        }
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let build = || assemble("a.b/c:1", &json!({}), &files()).unwrap();
        assert_eq!(build(), build());
    }
}
