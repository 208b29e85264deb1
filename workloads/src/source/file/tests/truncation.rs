//! Files that are shortened or overwritten while they are followed, with and without a copy.

use super::*;

/// Copies a file and empties it, as `logrotate` does with `copytruncate`.
fn copy_and_truncate(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::File::options().write(true).open(from).unwrap().set_len(0).unwrap();
}

#[test]
fn a_truncated_file_is_read_again_from_its_start() {
    let mut scene = Scene::followed("old 1\nold 2\n");
    assert_eq!(scene.read_and_acknowledge(), "old 1\nold 2\n");
    fs::write(scene.path("app.log"), "new\n").unwrap();
    assert_eq!(scene.read_and_acknowledge(), "new\n");
    assert_eq!(scene.notices(), (0, 1, 0));
    scene.kill();
    scene.append("app.log", "more\n");
    assert_eq!(scene.read(), "more\n");
}

#[test]
fn a_file_that_was_truncated_and_has_grown_past_the_old_place_is_noticed() {
    let mut scene = Scene::followed("old\n");
    assert_eq!(scene.read(), "old\n");
    copy_and_truncate(&scene.path("app.log"), &scene.path("app.log.1"));
    scene.append("app.log", "new 1\nnew 2\n");
    assert_eq!(scene.read(), "new 1\nnew 2\n");
    assert_eq!(scene.notices(), (0, 1, 0));
}

#[test]
fn a_file_cut_short_behind_its_first_bytes_is_noticed() {
    let line = format!("{}\n", "x".repeat(999));
    let mut scene = Scene::followed(&line.repeat(3));
    assert_eq!(scene.read().len(), 3000);
    let file = fs::File::options().write(true).open(scene.path("app.log")).unwrap();
    file.set_len(2000).unwrap();
    assert_eq!(scene.read(), line.repeat(2));
    assert_eq!(scene.notices(), (0, 1, 0));
}

#[test]
fn a_line_cut_off_by_a_truncation_is_handed_over_as_it_is() {
    let mut scene = Scene::followed("1\n{\"cut");
    assert_eq!(scene.read(), "1\n");
    copy_and_truncate(&scene.path("app.log"), &scene.path("app.log.1"));
    scene.append("app.log", "2\n");
    assert_eq!(scene.read(), "{\"cut\n2\n");
}

#[test]
fn what_was_not_read_before_a_file_was_copied_and_truncated_is_read_from_the_copy() {
    let mut scene = Scene::followed("1\n2 is be");
    assert_eq!(scene.read(), "1\n");
    scene.append("app.log", "gun\n3\n");
    copy_and_truncate(&scene.path("app.log"), &scene.path("app.log.1"));
    assert_eq!(scene.read(), "2 is begun\n3\n");
    scene.append("app.log", "4\n");
    assert_eq!(scene.read_and_acknowledge(), "4\n");
    assert_eq!(scene.notices(), (1, 1, 0));
    // The same while nobody looks.
    scene.kill();
    scene.append("app.log", "5\n");
    scene.rename("app.log.1", "app.log.2");
    copy_and_truncate(&scene.path("app.log"), &scene.path("app.log.1"));
    scene.append("app.log", "6\n");
    assert_eq!(scene.read(), "5\n6\n");
}

#[test]
fn an_older_copy_is_not_taken_for_the_one_of_now() {
    let mut scene = Scene::followed("1\n2\n");
    let old = scene.path("app.log.1");
    fs::copy(scene.path("app.log"), &old).unwrap();
    scene.append("app.log.1", "long ago\n");
    let file = fs::File::options().append(true).open(&old).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(1)).unwrap();
    assert_eq!(scene.read(), "1\n2\n");
    fs::write(scene.path("app.log"), "3\n").unwrap();
    assert_eq!(scene.read(), "3\n");
    assert_eq!(scene.notices(), (0, 1, 0));
}

#[test]
fn unread_lines_that_were_truncated_away_are_a_loss_that_is_told() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(
        scene.source().read(&mut Block::default(), Duration::ZERO).unwrap(),
        Read::Lines(Position(2))
    );
    scene.append("app.log", "2\n");
    fs::write(scene.path("app.log"), "").unwrap();
    assert_eq!(scene.read(), "");
    assert_eq!(scene.notices(), (0, 1, 1));
}

#[test]
fn a_file_overwritten_while_nobody_looked_is_read_from_its_start() {
    let mut scene = Scene::followed("old\n");
    assert_eq!(scene.read_and_acknowledge(), "old\n");
    scene.kill();
    fs::write(scene.path("app.log"), "new and longer\n").unwrap();
    assert_eq!(scene.read(), "new and longer\n");
    assert_eq!(scene.notices(), (0, 1, 1), "nobody knows what it held");
}
