//! Rotations that come in an order nobody would choose: late lines, files between, removals, restarts.

use super::*;

#[test]
fn a_late_file_that_was_removed_does_not_make_the_newest_one_unknown() {
    let mut s = Scene::followed("1\n");
    s.read_and_acknowledge();
    s.rename("app.log", "app.log.1");
    s.append("app.log", "2\n");
    assert_eq!(s.read_and_acknowledge(), "2\n");
    s.append("app.log.1", "3\n");
    assert_eq!(s.read(), "3\n");
    s.source().checkpoint_now().unwrap();
    s.kill();
    fs::remove_file(s.path("app.log.1")).unwrap();
    assert_eq!(s.read(), "");
}

#[test]
fn the_late_half_of_a_line_brings_the_whole_line() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("1\n2");
        assert_eq!(s.read(), "1\n");
        s.rename("app.log", "app.log.1");
        s.append("app.log", "4\n");
        assert_eq!(s.read_and_acknowledge(), "2\n4\n");
        if is_restarted {
            s.kill();
        }
        s.append("app.log.1", "3\n");
        assert_eq!(s.read(), "23\n", "restarted: {is_restarted}");
    }
}

#[test]
fn late_lines_of_two_rotated_files_are_read() {
    let mut s = Scene::followed("1\n");
    let mut got = s.read();
    s.rename("app.log", "app.log.1");
    s.append("app.log.1", "2\n");
    tick();
    s.append("app.log", "3\n");
    s.rename("app.log.1", "app.log.2");
    s.rename("app.log", "app.log.1");
    tick();
    s.append("app.log", "4\n");
    got += &s.read();
    s.append("app.log.1", "6\n");
    s.append("app.log.2", "7\n");
    got += &s.read();
    assert_eq!(sorted(&got), "1 2 3 4 6 7");
}

#[test]
fn a_late_line_does_not_hide_the_files_between() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("1\n");
        assert_eq!(s.read_and_acknowledge(), "1\n");
        if is_restarted {
            s.kill();
        }
        s.rename("app.log", "app.log.1");
        s.append("app.log", "2\n");
        tick();
        s.rename("app.log.1", "app.log.2");
        s.rename("app.log", "app.log.1");
        s.append("app.log", "3\n");
        tick();
        s.append("app.log.2", "1b\n");
        let got = s.read();
        let found = (sorted(&got), s.notices().2);
        assert_eq!(found, (sorted("1b\n2\n3\n"), 0), "restarted: {is_restarted}");
    }
}

#[test]
fn more_rotations_while_a_late_line_is_read_leave_nothing_out() {
    // A left, B current and read; A grows late; meanwhile B -> .1, C -> rotated, D current.
    let mut s = Scene::followed("1\n");
    s.read_and_acknowledge();
    s.rename("app.log", "app.log.1");
    s.append("app.log", "2\n");
    s.read_and_acknowledge();
    s.append("app.log.1", "1b\n");
    s.read(); // late, checkpoint says A
    s.source().checkpoint_now().unwrap();
    s.kill();
    s.rename("app.log.1", "app.log.3");
    s.rename("app.log", "app.log.2");
    tick();
    s.append("app.log.1", "3\n");
    s.append("app.log", "4\n");
    tick();
    s.append("app.log.3", "1c\n");
    assert_eq!(sorted(&s.read()), sorted("1b\n1c\n3\n4\n"));
}

#[test]
fn a_rotation_that_is_undone_leaves_nothing_out() {
    // current is in `left` because it was read before; the checkpoint's file is gone.
    let mut s = Scene::followed("1\n");
    s.read_and_acknowledge();
    s.rename("app.log", "app.log.1");
    s.append("app.log", "2\n");
    s.read_and_acknowledge();
    s.kill();
    // restart, everything fine, then B removed, A put back by hand (an operator undoes a rotation)
    s.rename("app.log", "app.log.0");
    s.rename("app.log.1", "app.log");
    s.append("app.log", "1b\n");
    assert_eq!(sorted(&s.read()), "1b");
}

#[test]
fn a_link_that_is_switched_leaves_nothing_out() {
    let mut s = Scene::new(true);
    s.append("app-1", "1\n");
    std::os::unix::fs::symlink("app-1", s.path("app.log")).unwrap();
    assert_eq!(s.read_and_acknowledge(), "1\n");
    s.kill();
    s.append("app-1", "2\n");
    s.append("app-2", "3\n");
    fs::remove_file(s.path("app.log")).unwrap();
    std::os::unix::fs::symlink("app-2", s.path("app.log")).unwrap();
    assert_eq!(s.read(), "2\n3\n");
}

#[test]
fn a_second_name_of_a_file_is_not_read_again() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    fs::hard_link(s.path("app.log"), s.path("app.log.1")).unwrap();
    s.append("app.log", "2\n");
    fs::remove_file(s.path("app.log")).unwrap();
    s.append("app.log", "3\n");
    fs::hard_link(s.path("app.log"), s.path("app.log.0")).unwrap();
    assert_eq!(s.read_and_acknowledge(), "2\n3\n");
    s.kill();
    assert_eq!(s.read(), "");
}

#[test]
fn late_lines_of_many_rotated_files_are_read_when_they_come() {
    let mut s = Scene::followed("0\n");
    let mut got = s.read_and_acknowledge();
    for n in 1..30 {
        s.rename("app.log", &format!("app.log.{n}"));
        s.append("app.log", &format!("{n}\n"));
        got += &s.read_and_acknowledge();
    }
    assert_eq!(got.lines().count(), 30);
    let mut want = got.clone();
    for is_restarted in [false, true] {
        if is_restarted {
            s.kill();
        }
        for n in 1..30 {
            let late = format!("late {n}, restarted: {is_restarted}\n");
            s.append(&format!("app.log.{n}"), &late);
            want += &late;
        }
        got += &s.read_and_acknowledge();
        assert_eq!(sorted(&got), sorted(&want));
    }
}
