//! Files that are shortened or overwritten while they are followed, with and without a copy.

use super::*;

/// Copies a file and empties it, as `logrotate` does with `copytruncate`.
fn copy_and_truncate(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
    fs::File::options().write(true).open(from).unwrap().set_len(0).unwrap();
}

/// The same for the scene's file.
fn copied(scene: &Scene, to: &str) {
    copy_and_truncate(&scene.path("app.log"), &scene.path(to));
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
    file.set_modified(std::time::SystemTime::now() - Duration::from_hours(1)).unwrap();
    assert_eq!(scene.read(), "1\n2\n");
    fs::write(scene.path("app.log"), "3\n").unwrap();
    assert_eq!(scene.read(), "3\n");
    assert_eq!(scene.notices(), (0, 1, 0));
}

/// Sets when a file was written to: so many minutes from now.
fn written_in(path: &Path, minutes: u64) {
    let file = fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() + Duration::from_mins(minutes)).unwrap();
}

/// Each of them begins as the file did, because every file of this program begins alike.
#[test]
fn of_several_copies_the_first_one_goes_on_where_the_file_was_left() {
    for is_restarted in [false, true] {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut s = Scene::followed("head\n");
            assert_eq!(s.read_and_acknowledge(), "head\n");
            if is_restarted {
                s.kill();
            }
            for number in order {
                let name = format!("app.log.{}", number + 1);
                s.append(&name, &format!("head\n{number}\n"));
                written_in(&s.path(&name), number + 1);
            }
            fs::write(s.path("app.log"), "3\n").unwrap();
            let got = s.read_and_acknowledge();
            let want = "0\nhead\n1\nhead\n2\n3\n";
            assert_eq!(got, want, "restarted: {is_restarted}, {order:?}");
            s.kill();
            assert_eq!(s.read(), "");
        }
    }
}

#[test]
fn an_older_file_that_begins_alike_and_was_never_seen_is_no_copy_and_is_read_as_a_whole() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("head\n1\n");
        assert_eq!(s.read_and_acknowledge(), "head\n1\n");
        if is_restarted {
            s.kill();
        }
        s.append("app.log.1", "head\n1\nlong ago\n");
        let file = fs::File::options().append(true).open(s.path("app.log.1")).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_hours(1)).unwrap();
        fs::write(s.path("app.log"), "head\n2\n").unwrap();
        let want = "head\n1\nlong ago\nhead\n2\n";
        assert_eq!(s.read(), want, "restarted: {is_restarted}");
    }
}

/// The clocks of file systems are coarse.
#[test]
fn a_copy_that_was_written_to_in_the_moment_of_the_last_look_is_one() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("1\n");
        assert_eq!(s.read_and_acknowledge(), "1\n");
        let then = fs::metadata(s.path("app.log")).unwrap().modified().unwrap();
        if is_restarted {
            s.kill();
        }
        s.append("app.log", "2\n");
        copied(&s, "app.log.1");
        let copy = fs::File::options().append(true).open(s.path("app.log.1")).unwrap();
        copy.set_modified(then).unwrap();
        s.append("app.log", "3\n");
        assert_eq!(s.read(), "2\n3\n", "restarted: {is_restarted}");
    }
}

#[test]
fn a_copy_that_was_read_is_not_taken_for_another_one_that_begins_alike() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("head\n1\n");
        assert_eq!(s.read_and_acknowledge(), "head\n1\n");
        tick();
        s.append("app.log", "2\n");
        copied(&s, "app.log.1");
        assert_eq!(s.read_and_acknowledge(), "2\n");
        s.append("app.log", "head\n");
        assert_eq!(s.read_and_acknowledge(), "head\n");
        if is_restarted {
            s.kill();
        }
        // Somebody touches it.
        written_in(&s.path("app.log.1"), 1);
        fs::write(s.path("app.log"), "3\n").unwrap();
        assert_eq!(s.read_and_acknowledge(), "3\n", "restarted: {is_restarted}");
    }
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

#[test]
fn two_copies_made_while_nothing_was_read_are_both_read() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("1\n2\n");
        assert_eq!(s.read_and_acknowledge(), "1\n2\n");
        if is_restarted {
            s.kill();
        }
        tick();
        s.append("app.log", "3\n");
        copied(&s, "app.log.1");
        tick();
        s.append("app.log", "4\n");
        s.rename("app.log.1", "app.log.2");
        copied(&s, "app.log.1");
        tick();
        s.append("app.log", "5\n");
        let got = s.read();
        let found = (sorted(&got), s.notices());
        assert_eq!(found, (sorted("3\n4\n5\n"), (2, 1, 0)), "restarted: {is_restarted}");
    }
}

#[test]
fn a_copy_is_known_by_what_is_in_it_and_not_by_its_number() {
    let mut s = Scene::followed("0 first\n");
    let (mut got, mut want) = (s.read_and_acknowledge(), String::from("0 first\n"));
    for round in 1..12 {
        tick();
        let line = format!("{round} read\n");
        s.append("app.log", &line);
        want.push_str(&line);
        got.push_str(&s.read_and_acknowledge());
        let line = format!("{round} unread\n");
        s.append("app.log", &line);
        want.push_str(&line);
        if s.path("app.log.1").exists() {
            s.rename("app.log.1", "app.log.2");
        }
        copied(&s, "app.log.1");
        let _ = fs::remove_file(s.path("app.log.2"));
        tick();
        got.push_str(&s.read_and_acknowledge());
    }
    assert_eq!(sorted(&got), sorted(&want));
}

#[test]
fn a_copy_is_found_although_acknowledgements_came_later() {
    let mut s = Scene::followed("1\n2\n3\n");
    assert_eq!(s.read(), "1\n2\n3\n");
    tick();
    s.append("app.log", "4\n");
    copied(&s, "app.log.1");
    assert_eq!(s.read(), "4\n");
    tick();
    s.source().acknowledge(Position(2)).unwrap();
    s.source().checkpoint_now().unwrap();
    s.kill();
    s.append("app.log", "5\n");
    let got = s.read();
    assert_eq!((got.as_str(), s.notices()), ("2\n3\n4\n5\n", (1, 1, 0)));
}

#[test]
fn a_copy_of_a_file_that_was_never_read_is_read() {
    // The checkpoint says offset 0 of a file; then two copies.
    let mut s = Scene::followed("");
    assert_eq!(s.read_and_acknowledge(), "");
    s.kill();
    s.append("app.log", "1\n");
    copied(&s, "app.log.1");
    tick();
    s.append("app.log", "2\n");
    assert_eq!(s.read(), "1\n2\n");
}

#[test]
fn a_copy_made_while_a_late_line_is_read_is_read() {
    let mut s = Scene::followed("1\n");
    let mut got = s.read_and_acknowledge();
    s.rename("app.log", "app.log.1");
    s.append("app.log", "2\n");
    got += &s.read_and_acknowledge();
    s.append("app.log.1", "1b\n");
    tick();
    s.append("app.log", "3\n");
    s.rename("app.log.1", "app.log.2");
    copied(&s, "app.log.1");
    s.append("app.log", "4\n");
    got += &s.read_and_acknowledge();
    assert_eq!(sorted(&got), sorted("1\n2\n1b\n3\n4\n"));
}

#[test]
fn of_two_copies_made_between_two_looks_the_second_is_read_too() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("1\n");
        assert_eq!(s.read_and_acknowledge(), "1\n");
        if is_restarted {
            s.kill();
        }
        tick();
        copied(&s, "app.log.2"); // all of it was read
        s.append("app.log", "2\n");
        tick();
        copied(&s, "app.log.1");
        s.append("app.log", "3\n");
        let got = s.read_and_acknowledge();
        assert_eq!((got.as_str(), s.notices().2), ("2\n3\n", 0), "restarted: {is_restarted}");
        s.rename("app.log", "app.log.0");
        s.append("app.log", "4\n");
        assert_eq!(s.read(), "4\n", "no copy is read twice");
    }
}

#[test]
fn a_copy_of_what_was_read_is_not_read_again_behind_the_one_that_holds_more() {
    for is_restarted in [false, true] {
        let mut s = Scene::followed("1\n");
        assert_eq!(s.read_and_acknowledge(), "1\n");
        if is_restarted {
            s.kill();
        }
        fs::copy(s.path("app.log"), s.path("app.log.2")).unwrap();
        tick();
        s.append("app.log", "2\n");
        copied(&s, "app.log.1");
        s.append("app.log", "3\n");
        assert_eq!(s.read_and_acknowledge(), "2\n3\n", "restarted: {is_restarted}");
        s.kill();
        assert_eq!(s.read(), "");
    }
}

#[test]
fn a_copy_of_a_file_of_which_nothing_was_read_yet_is_read() {
    for is_empty in [false, true] {
        let mut s = Scene::followed("1\n");
        assert_eq!(s.read_and_acknowledge(), "1\n");
        copied(&s, "app.log.3");
        assert_eq!(s.read(), "", "now it is at the start of an empty file");
        for round in 0..3 {
            tick();
            s.append("app.log", &format!("{round} copied\n"));
            copied(&s, &format!("app.log.{}", 2 - round));
            let mut want = format!("{round} copied\n");
            if !is_empty {
                tick();
                let line = format!("{round} new\n");
                s.append("app.log", &line);
                want.push_str(&line);
            }
            assert_eq!(s.read_and_acknowledge(), want, "empty: {is_empty}");
            if !is_empty {
                copied(&s, &format!("app.log-{round}"));
                assert_eq!(s.read(), "");
            }
        }
    }
}

#[test]
fn a_copy_that_was_read_before_it_was_made_and_compressed_is_no_loss() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    assert_eq!(s.read(), "");
    tick();
    copied(&s, "app.log.1.gz");
    fs::write(s.path("app.log.1.gz"), "compressed").unwrap();
    s.append("app.log", "2\n");
    assert_eq!(s.read_and_acknowledge(), "2\n");
    assert_eq!(s.notices(), (0, 1, 0));
    // Of two copies, the second was never read.
    assert_eq!(s.read(), "");
    for (line, name) in [("", "app.log.3.gz"), ("3\n", "app.log.2.gz")] {
        tick();
        s.append("app.log", line);
        copied(&s, name);
        fs::write(s.path(name), "compressed").unwrap();
    }
    tick();
    s.append("app.log", "4\n");
    assert_eq!(s.read_and_acknowledge(), "4\n");
    assert_eq!(s.notices(), (0, 2, 1));
}

#[test]
fn what_was_compressed_long_ago_is_not_taken_for_the_copy_that_was_just_compressed() {
    let mut s = Scene::followed("1\n");
    assert_eq!(s.read_and_acknowledge(), "1\n");
    assert_eq!(s.read(), "");
    s.append("app.log.9.gz", "long ago");
    let old = fs::File::options().append(true).open(s.path("app.log.9.gz")).unwrap();
    old.set_modified(std::time::SystemTime::now() - Duration::from_hours(1)).unwrap();
    tick();
    copied(&s, "app.log.1.gz");
    fs::write(s.path("app.log.1.gz"), "compressed").unwrap();
    s.append("app.log", "2\n");
    assert_eq!(s.read_and_acknowledge(), "2\n");
    assert_eq!(s.notices(), (0, 1, 0), "nothing is lost");
}

#[test]
fn a_copy_that_holds_less_than_was_read_is_not_sent_again() {
    for is_restarted in [false, true] {
        let text: String = (0..2000).fold(String::new(), |mut text, number| {
            text.push_str(&number.to_string());
            text.push('\n');
            text
        });
        let mut s = Scene::followed(&text);
        let mut got = s.read_and_acknowledge();
        fs::copy(s.path("app.log"), s.path("app.log.1")).unwrap();
        tick();
        s.append("app.log", "written before the truncation\n");
        got.push_str(&s.read_and_acknowledge());
        if is_restarted {
            s.kill();
        }
        fs::File::options().write(true).open(s.path("app.log")).unwrap().set_len(0).unwrap();
        s.append("app.log", "new\n");
        got.push_str(&s.read_and_acknowledge());
        let want = format!("{text}written before the truncation\nnew\n");
        assert!(got == want, "restarted: {is_restarted}, {} lines", got.lines().count());
        assert_eq!(s.notices(), (0, 1, 0));
    }
}
