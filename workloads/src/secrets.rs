//! Reading the keys of a Secret that is mounted as a folder.
//!
//! Kubernetes keeps the files in a folder with a name of its own, to which the link `..data` points, and replaces
//! that link when the Secret changes. All keys of a Secret are read through one resolution of it, so that a
//! certificate and its key belong together.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{ErrorKind, Read as _},
    path::{Path, PathBuf},
};

/// The link to the present files.
const DATA: &str = "..data";
/// The most that a Secret may hold, in bytes, by the rules of Kubernetes.
const MAX_BYTES: u64 = 1024 * 1024;
/// How often a Secret is read that is replaced meanwhile.
const TRIES: u32 = 3;

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretFile {
    /// The Secret.
    pub secret: String,
    /// The key.
    pub key: String,
}

impl SecretFile {
    /// The file of a key of a Secret.
    pub fn new(secret: &str, key: &str) -> Self {
        Self { secret: secret.to_owned(), key: key.to_owned() }
    }
}

impl fmt::Display for SecretFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.secret, self.key)
    }
}

/// Why credentials cannot be read now. All of these may pass. No message tells of contents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Some are not there, or are empty.
    #[error(
        "{} missing or empty in {}; give the Secret that key: it is taken up without a restart", list(.files), .root.display()
    )]
    Missing {
        /// The keys.
        files: Vec<SecretFile>,
        /// Where the folders of Secrets are.
        root: PathBuf,
    },
    /// One is there and cannot be read.
    #[error("{file} cannot be read in {}: {kind}; mend the rights of that file", .root.display())]
    Unreadable {
        /// The key.
        file: SecretFile,
        /// Where the folders of Secrets are.
        root: PathBuf,
        /// What the system says.
        kind: ErrorKind,
    },
    /// One that should hold certificates holds none.
    #[error("{file} holds no certificate in PEM; correct the Secret")]
    NoCertificate {
        /// The key.
        file: SecretFile,
    },
    /// One holds something that can be no certificate, key or password.
    #[error("{file} is no text of at most {MAX_BYTES} bytes in one piece; correct the Secret")]
    NotText {
        /// The key.
        file: SecretFile,
    },
}

fn list(files: &[SecretFile]) -> String {
    let names: Vec<_> = files.iter().map(ToString::to_string).collect();
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

/// The contents of these files, none of which is empty.
pub(crate) fn read(
    root: &Path,
    files: &[SecretFile],
) -> Result<BTreeMap<SecretFile, String>, SecretError> {
    let mut secrets: BTreeMap<&str, Vec<&SecretFile>> = BTreeMap::new();
    for file in files {
        secrets.entry(&file.secret).or_default().push(file);
    }
    let (mut contents, mut missing) = (BTreeMap::new(), Vec::new());
    for (secret, files) in secrets {
        let found = read_secret(&root.join(secret), &files);
        for (file, content) in files.into_iter().zip(found) {
            match content.map_err(|why| explain(why, file, root))? {
                Some(text) => drop(contents.insert(file.clone(), text)),
                None => missing.push(file.clone()),
            }
        }
    }
    if missing.is_empty() {
        Ok(contents)
    } else {
        Err(SecretError::Missing { files: missing, root: root.to_owned() })
    }
}

/// Why one file has no content to give.
#[derive(Clone, Copy)]
enum Why {
    Unreadable(ErrorKind),
    NotText,
}

fn explain(why: Why, file: &SecretFile, root: &Path) -> SecretError {
    match why {
        Why::Unreadable(kind) => {
            SecretError::Unreadable { file: file.clone(), root: root.to_owned(), kind }
        }
        Why::NotText => SecretError::NotText { file: file.clone() },
    }
}

/// The keys of one Secret, as they were at one moment.
fn read_secret(folder: &Path, files: &[&SecretFile]) -> Vec<Result<Option<String>, Why>> {
    let target = || fs::read_link(folder.join(DATA)).ok();
    let mut before = target();
    let mut tries = 0;
    loop {
        let present = before.as_ref().map_or_else(|| folder.to_owned(), |data| folder.join(data));
        let found = files.iter().map(|file| read_file(&present.join(&file.key))).collect();
        let after = target();
        tries += 1;
        if after == before || tries == TRIES {
            return found;
        }
        before = after;
    }
}

fn read_file(path: &Path) -> Result<Option<String>, Why> {
    // Opening a pipe would wait for its writer.
    let is_file = fs::metadata(path).map(|metadata| metadata.is_file());
    let mut bytes = Vec::new();
    let read = is_file.and_then(|is_file| {
        if !is_file {
            return Err(ErrorKind::InvalidInput.into());
        }
        File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    });
    match read {
        Ok(_) => text(bytes),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Why::Unreadable(error.kind())),
    }
}

/// The text without the line break that editors and `echo` put at its end; nothing when it is empty.
fn text(bytes: Vec<u8>) -> Result<Option<String>, Why> {
    if bytes.len() as u64 > MAX_BYTES || bytes.contains(&0) {
        return Err(Why::NotText);
    }
    let mut text = String::from_utf8(bytes).map_err(|_| Why::NotText)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn file(key: &str) -> SecretFile {
        SecretFile::new("me", key)
    }

    /// Puts a Secret with these keys where Kubernetes would.
    fn mount(root: &Path, version: &str, keys: &[(&str, &str)]) {
        let folder = root.join("me");
        fs::create_dir_all(folder.join(version)).unwrap();
        for (key, value) in keys {
            fs::write(folder.join(version).join(key), value).unwrap();
            let _ = symlink(Path::new(DATA).join(key), folder.join(key));
        }
        let aside = folder.join("..data_tmp");
        symlink(version, &aside).unwrap();
        fs::rename(aside, folder.join(DATA)).unwrap();
    }

    #[test]
    fn keys_are_read_through_the_link_that_kubernetes_replaces() {
        let root = tempfile::tempdir().unwrap();
        mount(root.path(), "..1", &[("crt", "old"), ("key", "old")]);
        let files = [file("crt"), file("key")];
        let contents = || read(root.path(), &files).unwrap().into_values().collect::<Vec<String>>();
        assert_eq!(contents(), ["old", "old"]);
        mount(root.path(), "..2", &[("crt", "new"), ("key", "new")]);
        assert_eq!(contents(), ["new", "new"]);
    }

    #[test]
    fn certificate_and_key_are_never_of_two_versions() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().to_owned();
        mount(&place, "..0", &[("crt", "0"), ("key", "0")]);
        let writer = std::thread::spawn(move || {
            for version in 1..300 {
                let text = version.to_string();
                mount(&place, &format!("..{version}"), &[("crt", &text), ("key", &text)]);
                fs::remove_dir_all(place.join("me").join(format!("..{}", version - 1))).unwrap();
            }
        });
        let files = [file("crt"), file("key")];
        let mut complete = 0;
        while !writer.is_finished() {
            // The replacement may be quicker than three tries; what was read then is not used.
            let Ok(contents) = read(root.path(), &files) else { continue };
            let values: Vec<_> = contents.into_values().collect();
            assert_eq!(values[0], values[1]);
            complete += 1;
        }
        writer.join().unwrap();
        assert!(complete > 0);
    }

    #[test]
    fn all_missing_keys_are_named_at_once() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("me")).unwrap();
        fs::write(root.path().join("me/empty"), "\n").unwrap();
        let error = read(root.path(), &[file("empty"), file("none")]).unwrap_err();
        assert!(error.to_string().starts_with("me/empty, me/none are missing"), "{error}");
    }

    #[test]
    fn a_folder_without_the_link_will_do() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("me")).unwrap();
        fs::write(root.path().join("me/password"), "pass word \r\n").unwrap();
        let contents = read(root.path(), &[file("password")]).unwrap();
        assert_eq!(contents[&file("password")], "pass word ");
    }

    #[test]
    fn what_is_no_text_is_refused_without_being_shown() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("me")).unwrap();
        for content in [b"se\0cret".as_slice(), b"se\xffcret"] {
            fs::write(root.path().join("me/key"), content).unwrap();
            let error = read(root.path(), &[file("key")]).unwrap_err();
            assert_eq!(error, SecretError::NotText { file: file("key") });
            assert!(!error.to_string().contains("cret,"), "{error}");
        }
        fs::remove_file(root.path().join("me/key")).unwrap();
        fs::create_dir(root.path().join("me/key")).unwrap();
        let error = read(root.path(), &[file("key")]).unwrap_err();
        assert!(matches!(error, SecretError::Unreadable { .. }), "{error}");
    }
}
