//! What an image needs around a program: its shared libraries, certificates to trust, a user, name lookup.

use std::{path::Path, process::Command};

use super::archive::Content;
use crate::{Error, Result, process};

const PASSWD: &str =
    "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n";
const GROUP: &str = "root:x:0:\nnonroot:x:65532:\n";
const LOOKUP: &str = "hosts: files dns\n";

/// Where distributions keep the certificates that they trust: Debian's place, then Fedora's.
const CERTIFICATES: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The files around `binary`, which becomes `entry`; their paths have no leading slash.
pub(crate) fn around(binary: &Path, entry: &str) -> Result<Vec<(String, Content)>> {
    let mut files = vec![(relative(entry), Content::program(binary)?)];
    files.extend(beside(binary)?);
    Ok(files)
}

/// The files around `binary` without itself.
pub(crate) fn beside(binary: &Path) -> Result<Vec<(String, Content)>> {
    let mut files = vec![];
    for library in libraries(binary)? {
        files.push((relative(&library), Content::program(Path::new(&library))?));
    }
    if let Some(found) = CERTIFICATES.into_iter().find(|path| Path::new(path).is_file()) {
        files.push((relative(CERTIFICATES[0]), Content::data(Path::new(found))?));
    }
    files.push(("etc/passwd".to_owned(), Content::text(PASSWD)));
    files.push(("etc/group".to_owned(), Content::text(GROUP)));
    files.push(("etc/nsswitch.conf".to_owned(), Content::text(LOOKUP)));
    Ok(files)
}

fn relative(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

/// The shared libraries of a program, and its loader, by their places on this machine.
fn libraries(binary: &Path) -> Result<Vec<String>> {
    let mut ldd = Command::new("ldd");
    // Cargo sets it for tests; the image has no such folders.
    let printed = process::run(ldd.arg(binary).env_remove("LD_LIBRARY_PATH"))?;
    match places(&printed) {
        Ok(places) => Ok(places),
        Err(name) => Err(Error::MissingLibrary { binary: binary.to_owned(), name }),
    }
}

/// The places that `ldd` printed, or the name of a library that it did not find.
fn places(printed: &str) -> std::result::Result<Vec<String>, String> {
    let lines = printed.lines().map(str::trim).filter(|line| !line.contains("statically linked"));
    let found = lines.filter_map(|line| match line.split_once(" => ") {
        Some((name, "not found")) => Some(Err(name.to_owned())),
        Some((_, place)) => first_word(place).map(Ok),
        // The loader has a place but no arrow; the kernel's own library has neither.
        None => first_word(line).filter(|word| word.starts_with('/')).map(Ok),
    });
    found.collect()
}

fn first_word(text: &str) -> Option<String> {
    text.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_taken_and_the_kernels_is_not() {
        let printed = "\tlinux-vdso.so.1 (0x00007f56c3968000)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f56c201e000)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f56c396a000)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(places(printed).unwrap(), expected);
    }

    #[test]
    fn a_static_program_needs_nothing() {
        assert!(places("\tstatically linked\n").unwrap().is_empty());
    }

    #[test]
    fn a_library_that_is_nowhere_is_named() {
        assert_eq!(places("\tlibodd.so.1 => not found\n").unwrap_err(), "libodd.so.1");
    }

    #[test]
    fn a_program_of_this_machine_comes_with_its_loader() {
        let files = around(Path::new("/bin/sh"), "/usr/local/bin/shell").unwrap();
        let has = |part: &str| files.iter().any(|(path, _)| path.contains(part));
        assert!(has("usr/local/bin/shell") && has("libc.so") && has("ld-linux"));
        assert!(files.iter().all(|(path, _)| !path.starts_with('/')));
    }
}
