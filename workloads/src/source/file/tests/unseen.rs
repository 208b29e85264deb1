//! Files that come and go between two looks, while nothing runs, or before anything of them was acknowledged.

use super::*;

/// Gives a file an age, in hours.
fn age(path: &Path, hours: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_hours(hours)).unwrap();
}

#[test]
fn a_file_is_known_after_a_kill_before_anything_of_it_was_acknowledged() {
    for follow in [true, false] {
        let mut s = Scene::new(follow);
        s.append("app.log", "1\n2\n");
        assert_eq!(s.read(), "1\n2\n");
        s.kill();
        s.rename("app.log", "app.log.1");
        s.append("app.log", "3\n");
        assert_eq!(s.read(), "1\n2\n3\n", "follow: {follow}");
    }
}

#[test]
fn a_place_that_takes_no_checkpoint_is_told_before_anything_is_read() {
    for follow in [true, false] {
        let mut s = Scene::new(follow);
        s.append("app.log", "1\n");
        s.options.checkpoint = s.path("missing").join("checkpoint");
        let error = FileSource::open(s.options.clone()).unwrap_err();
        assert!(error.to_string().starts_with("cannot write checkpoint /"), "{error}");
    }
}

#[test]
fn a_file_that_comes_and_is_rotated_while_the_first_one_is_waited_for_is_read() {
    for is_restarted in [false, true] {
        let mut s = Scene::new(true);
        s.append("app.log.3", "read by others\n");
        assert_eq!(s.read(), "");
        if is_restarted {
            s.kill();
        }
        s.append("app.log", "1\n");
        s.rename("app.log", "app.log.1");
        tick();
        s.append("app.log", "2\n");
        assert_eq!(s.read_and_acknowledge(), "1\n2\n", "restarted: {is_restarted}");
        s.kill();
        s.append("app.log", "3\n");
        assert_eq!(s.read(), "3\n");
        assert_eq!(s.notices(), (0, 0, 0));
    }
}

#[test]
fn a_kept_file_is_read_although_the_newest_one_has_the_number_of_the_one_before() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    s.kill();
    s.append("app.log.1", "2\n");
    // Written in place, which keeps the number, as a file system does that gives it again.
    fs::write(s.path("app.log"), "3\n").unwrap();
    assert_eq!(s.read(), "2\n3\n");
}

#[test]
fn a_number_that_was_given_again_does_not_make_a_file_of_the_same_start_another_one() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    s.kill();
    let text = fs::read_to_string(&s.options.checkpoint).unwrap();
    let mut checkpoint: serde_json::Value = serde_json::from_str(&text).unwrap();
    if checkpoint["born"] == 0 {
        return assert!(fs::metadata(s.path("app.log")).unwrap().created().is_err());
    }
    checkpoint["born"] = serde_json::json!(1);
    fs::write(&s.options.checkpoint, checkpoint.to_string()).unwrap();
    assert_eq!(s.read(), "1\n", "made later, so it is another one");
}

#[test]
fn a_file_that_is_not_followed_brings_what_was_rotated_between_two_runs() {
    let mut s = Scene::new(false);
    s.append("app.log.7", "read by others\n");
    s.append("app.log", "1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    s.kill();
    s.append("app.log", "1b\n");
    for (name, text) in [("app.log.3", "2\n"), ("app.log.2", "3\n"), ("app.log.1", "4\n")] {
        s.rename("app.log", name);
        tick();
        s.append("app.log", text);
    }
    assert_eq!(s.read_and_acknowledge(), "1b\n2\n3\n4\n");
    s.kill();
    assert_eq!(s.read(), "");
}

#[test]
fn a_file_that_is_not_followed_brings_what_was_rotated_after_it_was_removed() {
    let mut s = Scene::new(false);
    s.append("app.log", "1\n");
    let _held = fs::File::open(s.path("app.log")).unwrap();
    assert_eq!(s.read_and_acknowledge(), "1\n");
    s.source().finish().unwrap();
    s.kill();
    fs::remove_file(s.path("app.log")).unwrap();
    s.append("app.log.1", "2\n");
    s.append("app.log", "3\n");
    assert_eq!(s.read(), "2\n3\n");
}

#[test]
fn an_old_file_that_was_never_seen_is_read_whatever_its_age() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("1\n");
        assert_eq!(s.read_and_acknowledge(), "1\n");
        if is_restarted {
            s.kill();
        }
        s.append("app.log.2", "staged\n");
        age(&s.path("app.log.2"), 48);
        s.rename("app.log", "app.log.1");
        s.append("app.log", "2\n");
        assert_eq!(s.read(), "staged\n2\n", "restarted: {is_restarted}");
    }
}

#[test]
fn many_kept_files_are_known_one_by_one() {
    let mut s = Scene::new(true);
    for number in 0..200 {
        let name = format!("app.log.{number}");
        s.append(&name, "read by others\n");
        age(&s.path(&name), 1000 - number);
    }
    s.append("app.log", "1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    for number in 200..210 {
        s.rename("app.log", &format!("app.log.{number}"));
        s.append("app.log", &format!("{number}\n"));
        let want = if number == 205 { "staged\n205\n".to_owned() } else { format!("{number}\n") };
        assert_eq!(s.read_and_acknowledge(), want);
        if number == 204 {
            s.append("app.log-0", "staged\n");
            age(&s.path("app.log-0"), 900);
            s.kill();
        }
    }
}

#[test]
fn what_cannot_be_read_any_more_is_told_once() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    tick();
    s.append("app.log.1.gz", "compressed");
    std::os::unix::net::UnixListener::bind(s.path("app.log.0")).unwrap();
    for number in 2..5 {
        s.rename("app.log", &format!("app.log.{number}"));
        s.append("app.log", &format!("{number}\n"));
        assert_eq!(s.read_and_acknowledge(), format!("{number}\n"));
        assert_eq!(s.notices(), (number - 1, 0, 2));
        s.append(&format!("app.log.{number}"), "late\n");
        assert_eq!(s.read_and_acknowledge(), "late\n");
    }
}

#[test]
fn what_was_compressed_unread_is_told_once_also_after_a_restart() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    tick();
    s.append("app.log.1.gz", "compressed");
    for (number, notices) in [(2, (1, 0, 1)), (3, (1, 0, 0))] {
        s.rename("app.log", &format!("app.log.{number}"));
        s.append("app.log", &format!("{number}\n"));
        // It is not the newest one that anybody knows of.
        age(&s.path("app.log"), 1);
        age(&s.path(&format!("app.log.{number}")), 2);
        assert_eq!(s.read_and_acknowledge(), format!("{number}\n"));
        assert_eq!(s.notices(), notices);
        s.kill();
    }
}

#[test]
fn what_nobody_saw_is_read_before_a_file_that_was_named_back() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    s.rename("app.log", "app.log.1");
    s.append("app.log", "2\n");
    assert_eq!(s.read_and_acknowledge(), "2\n");
    s.kill();
    fs::remove_file(s.path("app.log")).unwrap();
    s.append("app.log.2", "3\n");
    s.rename("app.log.1", "app.log");
    s.append("app.log", "1b\n");
    assert_eq!(s.read(), "3\n1b\n");
}

#[test]
fn of_many_files_that_were_removed_only_the_last_are_remembered() {
    let mut s = Scene::followed("0\n");
    assert_eq!(s.read_and_acknowledge(), "0\n");
    // While they are open, their numbers are not given again.
    let mut held = Vec::new();
    for number in 1..100 {
        held.push(fs::File::open(s.path("app.log")).unwrap());
        s.rename("app.log", "app.log.1");
        s.append("app.log", &format!("{number}\n"));
        assert_eq!(s.read_and_acknowledge(), format!("{number}\n"));
    }
    let remembered = s.source().trail.left().files.len();
    assert!((60..=65).contains(&remembered), "{remembered}");
}

#[test]
fn all_that_nobody_saw_is_read_while_the_newest_file_is_empty() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("1\n");
        assert_eq!(s.read_and_acknowledge(), "1\n");
        if is_restarted {
            s.kill();
        }
        s.rename("app.log", "app.log.4");
        for name in ["app.log.3", "app.log.2", "app.log.1"] {
            tick();
            s.append(name, &format!("{name}\n"));
        }
        s.append("app.log", "");
        assert_eq!(s.read(), "app.log.3\napp.log.2\napp.log.1\n", "restarted: {is_restarted}");
    }
}

#[test]
fn the_late_half_of_a_line_of_the_file_that_was_read_last_brings_the_whole_line() {
    let mut s = Scene::new(false);
    s.append("app.log", "1\n{\"half\":\"A");
    assert_eq!(s.read_and_acknowledge(), "1\n{\"half\":\"A\n");
    s.kill();
    s.append("app.log", "B\"}\n");
    s.rename("app.log", "app.log.1");
    s.append("app.log", "2\n");
    assert_eq!(s.read(), "{\"half\":\"AB\"}\n2\n");
}

#[test]
fn the_late_half_of_a_line_of_a_file_that_was_named_back_brings_the_whole_line() {
    let mut s = Scene::new(false);
    s.append("app.log", "1\n{\"half\":\"A");
    assert_eq!(s.read_and_acknowledge(), "1\n{\"half\":\"A\n");
    s.kill();
    s.rename("app.log", "app.log.1");
    s.append("app.log", "2\n");
    assert_eq!(s.read_and_acknowledge(), "2\n");
    s.kill();
    s.rename("app.log", "app.log.2");
    s.append("app.log.1", "B\"}\n");
    s.rename("app.log.1", "app.log");
    assert_eq!(s.read(), "{\"half\":\"AB\"}\n");
}

#[test]
fn the_late_half_of_a_line_of_a_file_that_is_not_kept_open_brings_the_whole_line() {
    let mut s = Scene::new(false);
    s.append("app.log", "1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    s.kill();
    s.rename("app.log", "app.log.1");
    s.append("app.log.1", "{\"half\":\"A");
    s.append("app.log", "2\n");
    assert_eq!(s.read_and_acknowledge(), "{\"half\":\"A\n2\n");
    s.kill();
    s.append("app.log.1", "B\"}\n");
    tick();
    s.rename("app.log", "app.log.0");
    s.append("app.log", "3\n");
    assert_eq!(s.read(), "{\"half\":\"AB\"}\n3\n");
}

#[test]
fn what_was_read_and_then_compressed_while_nothing_ran_is_no_loss() {
    for follow in [false, true] {
        let mut s = Scene::new(follow);
        s.append("app.log", "1\n");
        let _held = fs::File::open(s.path("app.log")).unwrap();
        let written = fs::metadata(s.path("app.log")).unwrap().modified().unwrap();
        assert_eq!(s.read_and_acknowledge(), "1\n");
        s.source().finish().unwrap();
        s.kill();
        fs::remove_file(s.path("app.log")).unwrap();
        s.append("app.log.1.gz", "compressed");
        let file = fs::File::options().append(true).open(s.path("app.log.1.gz")).unwrap();
        file.set_modified(written).unwrap();
        tick();
        s.append("app.log", "2\n");
        assert_eq!(s.read(), "2\n");
        // Of a followed file nobody knows whether more came before it was removed.
        assert_eq!(s.notices(), (1, 0, u64::from(follow)));
    }
}

#[test]
fn another_log_whose_name_begins_alike_is_left_alone() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    s.append("app.log_404.log", "foreign\n");
    s.append("app.log.2.bak", "foreign\n");
    s.rename("app.log", "app.log.1");
    s.append("app.log", "2\n");
    assert_eq!(s.read(), "2\n");
}

#[test]
fn files_that_a_link_led_to_between_two_looks_are_read() {
    for is_restarted in [false, true] {
        let mut s = Scene::new(true);
        let link = |s: &Scene, name: &str| {
            let _ = fs::remove_file(s.path("app.log"));
            std::os::unix::fs::symlink(name, s.path("app.log")).unwrap();
        };
        s.append("app.log-1", "1\n");
        link(&s, "app.log-1");
        assert_eq!(s.read_and_acknowledge(), "1\n");
        if is_restarted {
            s.kill();
        }
        tick();
        s.append("app.log-2", "2\n");
        tick();
        s.append("app.log-3", "3\n");
        link(&s, "app.log-3");
        assert_eq!(s.read(), "2\n3\n", "restarted: {is_restarted}");
    }
}
