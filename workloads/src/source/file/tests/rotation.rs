//! Files that are renamed or removed while they are followed, and what is written to them late.

use super::*;

#[test]
fn a_renamed_file_is_read_to_its_end_before_the_new_one() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.append("app.log", "2\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "4\n");
    scene.append("app.log.1", "3\n");
    assert_eq!(scene.read_and_acknowledge(), "2\n3\n4\n");
    assert_eq!(scene.notices(), (1, 0, 0));
    scene.kill();
    scene.append("app.log", "5\n");
    assert_eq!(scene.read(), "5\n");
}

#[test]
fn a_renamed_file_is_read_on_until_somebody_writes_to_the_new_one() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log.1", "2\n");
    assert_eq!(scene.read(), "2\n");
    assert_eq!(
        scene.source().waiting_for(),
        Some(format!("{} to appear", scene.path("app.log").display()))
    );
    scene.append("app.log", "");
    assert_eq!(scene.read(), "");
    assert_eq!(scene.source().waiting_for(), None);
    scene.append("app.log.1", "3\n");
    assert_eq!(scene.read(), "3\n");
    scene.append("app.log", "4\n");
    assert_eq!(scene.read(), "4\n");
}

#[test]
fn files_that_are_rotated_while_the_new_one_is_empty_are_read() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.2");
    scene.append("app.log", "");
    assert_eq!(scene.read(), "");
    scene.append("app.log", "2\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "");
    assert_eq!(scene.read(), "2\n");
    scene.append("app.log", "3\n");
    assert_eq!(scene.read(), "3\n");
}

#[test]
fn a_rotated_file_is_given_time_to_grow() {
    let mut scene = Scene::followed("1\n");
    scene.options.grace = Duration::from_hours(1);
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "3\n");
    assert_eq!(scene.read(), "");
    let before = scene.source().quiet_since.unwrap();
    scene.append("app.log.1", "2\n");
    assert_eq!(scene.read(), "2\n");
    assert!(scene.source().quiet_since.unwrap() > before, "growth starts the time anew");
    scene.source().options.grace = Duration::ZERO;
    assert_eq!(scene.read(), "3\n");
}

#[test]
fn a_removed_file_is_read_to_its_end_before_the_new_one() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.append("app.log", "2");
    fs::remove_file(scene.path("app.log")).unwrap();
    scene.append("app.log", "3\n");
    assert_eq!(scene.read(), "2\n3\n", "the last line of the old file has no end");
    assert_eq!(scene.notices(), (1, 0, 0));
}

#[test]
fn files_of_several_rotations_at_once_are_all_read_in_order() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.append("app.log", "2\n");
    scene.rename("app.log", "app.log.2");
    scene.append("app.log.1", "3\n");
    scene.append("app.log", "4\n");
    let later = fs::metadata(scene.path("app.log.2")).unwrap().modified().unwrap();
    let file = fs::File::options().append(true).open(scene.path("app.log.1")).unwrap();
    file.set_modified(later + Duration::from_millis(1)).unwrap();
    assert_eq!(scene.read(), "2\n3\n4\n");
    assert_eq!(scene.notices(), (2, 0, 0));
}

#[test]
fn files_written_to_at_the_same_moment_are_read_once_each() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.2");
    scene.append("app.log.1", "2\n");
    scene.append("app.log", "3\n");
    let time = fs::metadata(scene.path("app.log.2")).unwrap().modified().unwrap();
    let file = fs::File::options().append(true).open(scene.path("app.log.1")).unwrap();
    file.set_modified(time).unwrap();
    assert_eq!(scene.read(), "2\n3\n");
}

#[test]
fn what_is_written_to_a_rotated_file_late_is_read_when_it_comes() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "2\n");
    assert_eq!(scene.read(), "2\n");
    scene.append("app.log.1", "late 1\n");
    assert_eq!(scene.read(), "late 1\n");
    scene.append("app.log", "3\n{\"half\":");
    assert_eq!(scene.read(), "3\n");
    scene.append("app.log.1", "late 2\n");
    assert_eq!(scene.read(), "", "a line that was begun is waited for");
    scene.append("app.log", "1}\n");
    assert_eq!(scene.read_and_acknowledge(), "{\"half\":1}\nlate 2\n");
    assert_eq!(scene.notices(), (1, 0, 0));
    scene.kill();
    scene.append("app.log.1", "late 3\n");
    scene.append("app.log", "4\n");
    assert_eq!(scene.read_and_acknowledge(), "4\nlate 3\n", "also after a restart");
    scene.kill();
    assert_eq!(scene.read(), "");
}

#[test]
fn a_late_line_of_a_file_that_was_removed_is_read_too() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    let mut writer = fs::File::options().append(true).open(scene.path("app.log")).unwrap();
    fs::remove_file(scene.path("app.log")).unwrap();
    scene.append("app.log", "2\n");
    assert_eq!(scene.read(), "2\n");
    writer.write_all(b"late\n").unwrap();
    assert_eq!(scene.read(), "late\n");
    scene.append("app.log", "3\n");
    assert_eq!(scene.read(), "3\n");
}

#[test]
fn a_rotation_while_a_late_line_is_read_leaves_nothing_out() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "2\n");
    assert_eq!(scene.read(), "2\n");
    scene.append("app.log.1", "late\n");
    scene.append("app.log", "3\n");
    scene.rename("app.log", "app.log.0");
    scene.append("app.log", "4\n");
    assert_eq!(scene.read(), "3\nlate\n4\n");
}

#[test]
fn a_file_that_never_stops_growing_does_not_keep_the_next_one_waiting_for_ever() {
    let mut scene = Scene::followed("1\n");
    scene.options.grace = Duration::from_hours(1);
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "2\n");
    assert_eq!(scene.read(), "");
    let long_ago = Instant::now().checked_sub(Duration::from_hours(11)).unwrap();
    scene.source().next_waits_since = Some(long_ago);
    scene.append("app.log.1", "3\n");
    assert_eq!(scene.read(), "3\n2\n");
}

#[test]
fn a_line_that_was_begun_is_waited_for_however_long_the_next_file_waits() {
    let mut scene = Scene::followed("1\n2 is be");
    scene.options.grace = Duration::from_hours(1);
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "3\n");
    assert_eq!(scene.read(), "");
    let long_ago = Instant::now().checked_sub(Duration::from_hours(11)).unwrap();
    scene.source().next_waits_since = Some(long_ago);
    assert_eq!(scene.read(), "");
    scene.append("app.log.1", "gun\n");
    assert_eq!(scene.read(), "2 is begun\n3\n");
}

#[test]
fn a_restart_does_not_send_finished_files_again() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read(), "1\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "2\n");
    assert_eq!(scene.read_and_acknowledge(), "2\n");
    scene.kill();
    // Another program touches the old file.
    let file = fs::File::options().append(true).open(scene.path("app.log.1")).unwrap();
    file.set_modified(std::time::SystemTime::now() + Duration::from_mins(1)).unwrap();
    scene.append("app.log", "3\n");
    scene.rename("app.log", "app.log.0");
    scene.append("app.log", "4\n");
    assert_eq!(scene.read(), "3\n4\n");
}

#[test]
fn a_file_rotated_while_nobody_looked_is_finished_first() {
    let mut scene = Scene::followed("1\n");
    assert_eq!(scene.read_and_acknowledge(), "1\n");
    scene.kill();
    scene.append("app.log", "2\n");
    scene.rename("app.log", "archive");
    scene.append("app.log", "3\n");
    assert_eq!(scene.read_and_acknowledge(), "2\n3\n");
    assert_eq!(scene.notices(), (1, 0, 0));
    scene.kill();
    assert_eq!(scene.read(), "");
}

#[test]
fn a_file_that_is_not_followed_is_finished_under_its_new_name_too() {
    let mut scene = Scene::new(false);
    scene.append("app.log", "1\n");
    assert_eq!(scene.read_and_acknowledge(), "1\n");
    scene.kill();
    scene.append("app.log", "2\n");
    scene.rename("app.log", "app.log.1");
    scene.append("app.log", "3\n");
    assert_eq!(scene.read(), "2\n3\n");
}

#[test]
fn a_file_removed_while_nobody_looked_is_a_loss_that_is_told() {
    let mut scene = Scene::followed("1\n");
    // Keeps the inode number from being used again.
    let _held = fs::File::open(scene.path("app.log")).unwrap();
    assert_eq!(scene.read_and_acknowledge(), "1\n");
    scene.kill();
    scene.append("app.log", "2\n");
    fs::remove_file(scene.path("app.log")).unwrap();
    scene.append("app.log.1", "3\n");
    scene.append("app.log", "4\n");
    assert_eq!(scene.read(), "3\n4\n");
    assert_eq!(scene.notices(), (2, 0, 1));
}

#[test]
fn replacing_a_file_that_was_read_to_its_end_is_no_loss() {
    let mut scene = Scene::new(false);
    scene.append("app.log", "1\n");
    let _held = fs::File::open(scene.path("app.log")).unwrap();
    assert_eq!(scene.read_and_acknowledge(), "1\n");
    scene.source().finish().unwrap();
    scene.kill();
    fs::remove_file(scene.path("app.log")).unwrap();
    scene.append("app.log", "2\n");
    assert_eq!(scene.read(), "2\n");
    assert_eq!(scene.notices(), (1, 0, 0));
}
