//! The broker's data folder, formatted by copying: the same files with ids of their own.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use crate::{Result, error::Context};

/// The alphabet of Kafka's ids (base64 for addresses).
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const META: &str = "meta.properties";
const CLUSTER: &str = "cluster.id=";

/// Makes `data` a formatted folder, unless it already is one.
pub(crate) fn prepare(formatted: &Path, data: &Path) -> Result<()> {
    let meta = data.join(META);
    if meta.exists() {
        return Ok(());
    }
    fs::create_dir_all(data).context("create", data)?;
    let checkpoint = "bootstrap.checkpoint";
    fs::copy(formatted.join(checkpoint), data.join(checkpoint)).context("copy into", data)?;
    describe(&meta, &id()?)
}

/// Makes `folder` one more of the broker that has `data`, for topics alone, unless it already is one.
pub(crate) fn extend(data: &Path, folder: &Path) -> Result<()> {
    let (own, meta) = (data.join(META), folder.join(META));
    if meta.exists() {
        return Ok(());
    }
    fs::create_dir_all(folder).context("create", folder)?;
    let text = fs::read_to_string(&own).context("read", &own)?;
    let cluster = text.lines().find_map(|line| line.strip_prefix(CLUSTER)).unwrap_or_default();
    describe(&meta, cluster)
}

fn describe(meta: &Path, cluster: &str) -> Result<()> {
    let directory = id()?;
    let text = format!("version=1\nnode.id=1\n{CLUSTER}{cluster}\ndirectory.id={directory}\n");
    fs::write(meta, text).context("write", meta)
}

/// 128 random bits as Kafka writes them: 21 letters of 6 bits, one of 2.
fn id() -> Result<String> {
    let mut bytes = [0; 22];
    let source = "/dev/urandom";
    File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).context("read", source)?;
    let mut sixes = bytes.map(|byte| byte & 0b11_1111);
    sixes[21] &= 0b11_0000;
    // Tools would read a leading dash as an option.
    sixes[0] &= 0b01_1111;
    Ok(sixes.iter().map(|six| char::from(ALPHABET[usize::from(*six)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ids_differ_and_have_the_length_of_16_bytes() {
        let (one, other) = (id().unwrap(), id().unwrap());
        assert_ne!(one, other);
        assert_eq!((one.len(), other.len()), (22, 22));
    }

    #[test]
    fn a_further_folder_is_of_the_same_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let [data, further] = ["data", "further"].map(|name| folder.path().join(name));
        fs::write(folder.path().join("bootstrap.checkpoint"), "").unwrap();
        prepare(folder.path(), &data).unwrap();
        extend(&data, &further).unwrap();
        let lines = |of: &Path| {
            let text = fs::read_to_string(of.join(META)).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let (own, its) = (lines(&data), lines(&further));
        assert_eq!(own[..3], its[..3]);
        assert_ne!(own[3], its[3]);
    }

    #[test]
    fn a_folder_that_holds_data_keeps_its_identity() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bootstrap.checkpoint"), "").unwrap();
        let data = folder.path().join("data");
        prepare(folder.path(), &data).unwrap();
        let before = fs::read_to_string(data.join(META)).unwrap();
        prepare(folder.path(), &data).unwrap();
        assert_eq!(fs::read_to_string(data.join(META)).unwrap(), before);
    }
}
