//! A test that fails half-way leaves no container, no engine, no control group and no file.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use crate::project::Project;

/// By what all of an engine can be found.
#[derive(Clone)]
struct Marks {
    folder: PathBuf,
    group: String,
    /// The namespace of its processes, as links in `/proc` name it.
    processes: String,
}

#[test]
fn a_test_that_panics_leaves_nothing() {
    let mut marks = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let Some(project) = Project::start() else { return };
        project.run("docker compose up --detach --no-deps producer");
        let processes = project.run("readlink /proc/self/ns/pid").trim().to_owned();
        let (folder, group) =
            (project.docker.folder().to_owned(), project.docker.group().to_owned());
        let found = Marks { folder, group, processes };
        assert!(found.left().len() > 3, "{:?}", found.left());
        marks = Some(found);
        panic!("half-way, on purpose");
    }));
    let Some(marks) = marks else { return outcome.unwrap() };
    assert_eq!(marks.left(), Vec::<String>::new());
}

impl Marks {
    /// What is there, in words.
    fn left(&self) -> Vec<String> {
        let mut left = groups(Path::new("/sys/fs/cgroup"), &self.group);
        left.extend(self.folder.exists().then(|| self.folder.display().to_string()));
        let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let inside = processes.filter(|process| {
            fs::read_link(process.join("ns/pid"))
                .is_ok_and(|link| link == Path::new(&self.processes))
        });
        left.extend(inside.map(|process| process.display().to_string()));
        left
    }
}

/// Control groups of this name: with cgroup v1 there is one in each hierarchy.
fn groups(root: &Path, name: &str) -> Vec<String> {
    let hierarchies = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let places = hierarchies.chain([root.to_owned()]).map(|place| place.join(name));
    places.filter(|place| place.is_dir()).map(|place| place.display().to_string()).collect()
}
