//! `tune` on files: what it prints can be used as it is, and what it cannot use is refused by name.

use std::{
    fs::{self, File},
    path::Path,
};

use batchpipe_workloads::source::generator::{ProfileName, generate};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::program::{Ended, Program, batchpipe, run};

/// A folder with `logs.ndjson`, which holds so many records.
fn logs(records: u64) -> TempDir {
    let folder = tempdir().unwrap();
    let mut text = Vec::new();
    generate(ProfileName::Logs, 1, records, &mut text);
    fs::write(folder.path().join("logs.ndjson"), text).unwrap();
    folder
}

/// `tune FILE` in a folder, quickly.
fn tune(folder: &Path, args: &[&str]) -> Ended {
    let quick = ["--rounds", "1", "--batch", "100", "--batch", "500"];
    run(batchpipe(&["tune"]).args(args).args(quick).current_dir(folder))
}

fn ended(folder: &Path, args: &[&str]) -> Ended {
    let ended = tune(folder, args);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:#?}");
    ended
}

fn failed(folder: &Path, args: &[&str], words: &[&str]) {
    let ended = tune(folder, args);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:#?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not said: {ended:#?}");
    }
}

#[test]
fn the_table_has_all_combinations_and_ends_with_a_spec_that_is_valid() {
    let folder = logs(2_000);
    let printed = ended(folder.path(), &["logs.ndjson", "--rate", "5000"]).stdout;
    assert!(printed.starts_with("logs.ndjson: 2,000 records, "), "{printed}");
    for name in ["zstd 1", "zstd 9", "gzip 6", "zlib 6", "lz4", "snappy", "none"] {
        let rows = printed.lines().filter(|line| line.starts_with(&format!("{name} ")));
        let rows: Vec<_> = rows.filter(|line| !line.contains(" with at most ")).collect();
        assert_eq!(rows.len(), 2, "{name}: {printed}");
    }
    assert!(printed.contains("one by one, uncompressed"), "{printed}");
    let spec = &printed[printed.find("\nspec:\n").unwrap() + 1..];
    assert!(spec.contains("    linger: "), "{spec}");
    let pipeline = format!(
        "apiVersion: batchpipe.dev/v1alpha1\nkind: BatchPipeline\nmetadata: {{name: logs}}\n{spec}  kafka: \
         {{bootstrapServers: 'kafka:9092'}}\n  producer: {{source: {{stdin: {{}}}}}}\n"
    );
    fs::write(folder.path().join("logs.yaml"), &pipeline).unwrap();
    let checked = run(batchpipe(&["validate", "-f", "logs.yaml"]).current_dir(&folder));
    assert_eq!(checked.code, Some(0), "{pipeline}{checked:#?}");
}

#[test]
fn json_is_one_object_with_a_single_recommendation() {
    let folder = logs(1_000);
    fs::write(folder.path().join("bad.ndjson"), "{\"a\":1}\nnot json\n\n{\"a\":2}\n").unwrap();
    let args = ["--codec", "zstd", "--codec", "lz4", "--level", "1", "--level", "4", "--json"];
    let printed = ended(folder.path(), &[&["logs.ndjson"], &args[..]].concat()).stdout;
    let value: Value = serde_json::from_str(&printed).unwrap();
    let all = value["measurements"].as_array().unwrap();
    assert_eq!(all.len(), 6, "two levels of zstd and lz4, with two sizes each");
    assert_eq!(all.iter().filter(|it| it["recommended"] == true).count(), 1);
    for measured in all {
        for figure in ["bytesPerRecord", "ratio", "compressCpuSeconds", "decompressCpuSeconds"] {
            assert!(measured[figure].as_f64().unwrap() > 0.0, "{figure}: {measured}");
        }
    }
    assert_eq!((&value["records"], &value["whole"]), (&1_000.into(), &true.into()));
    assert!(value["recommendation"]["spec"]["batch"]["maxRecords"].is_u64(), "{value}");

    let printed = ended(folder.path(), &["bad.ndjson", "--codec", "none", "--json"]).stdout;
    let value: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(value["records"], 2);
    assert_eq!(value["invalid"], serde_json::json!({"count": 1, "firstLines": [2]}));
}

#[test]
fn a_sample_is_as_large_as_is_asked_for_and_says_so() {
    let folder = logs(1_000);
    for (flag, value) in [("--records", "200"), ("--sample", "40Ki")] {
        let args = ["logs.ndjson", "--codec", "lz4", "--json", flag, value];
        let value: Value = serde_json::from_str(&ended(folder.path(), &args).stdout).unwrap();
        assert_eq!(value["whole"], false, "{flag}");
        assert!((100..=250).contains(&value["records"].as_u64().unwrap()), "{flag}: {value}");
        let note = value["notes"][0].as_str().unwrap();
        assert!(note.contains("only the first"), "{note}");
    }
}

#[test]
fn standard_input_is_read_too() {
    let folder = logs(500);
    let file = File::open(folder.path().join("logs.ndjson")).unwrap();
    let mut command = batchpipe(&["tune", "-", "--rounds", "1", "--codec", "lz4"]);
    let ended = Program::start(command.stdin(file)).end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stdout.starts_with("standard input: 500 records"), "{ended:#?}");
}

#[test]
fn the_report_is_one_well_formed_file_that_fetches_nothing() {
    let folder = logs(1_000);
    let name = "lo<gs> & \"more\".ndjson";
    fs::rename(folder.path().join("logs.ndjson"), folder.path().join(name)).unwrap();
    // An older and longer report does not shine through.
    let report = folder.path().join("report.html");
    fs::write(&report, "x".repeat(1 << 20)).unwrap();
    ended(folder.path(), &[name, "--report", "report.html"]);
    let html = fs::read_to_string(report).unwrap();
    assert!(html.ends_with("</html>\n"));
    assert_well_formed(&html);
    assert!(html.contains("lo&lt;gs&gt; &amp; &quot;more&quot;.ndjson") && !html.contains("lo<gs"));
    assert_eq!(html.matches("<svg ").count(), 2);
    assert!(html.contains("spec:\n  batch:\n    maxRecords: "));
    for wrong in ["http://", "https://", "<script", "<link", "src=", "href=", "url("] {
        assert!(!html.contains(wrong), "{wrong}");
    }
}

/// Every element is closed, in the right order; no stray angle bracket, no bare ampersand.
fn assert_well_formed(html: &str) {
    let mut open = Vec::new();
    for part in html.trim_start_matches("<!DOCTYPE html>").split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or_else(|| panic!("no end: <{part}"));
        assert!(!text.contains('>'), "{part}");
        for entity in text.split('&').skip(1) {
            let is_known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(is_known.iter().any(|known| entity.starts_with(known)), "&{entity}");
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{part}");
        } else if !tag.ends_with('/') {
            open.push(tag.split_whitespace().next().unwrap());
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn what_holds_no_records_is_refused_by_name() {
    let folder = tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("empty.ndjson", "");
    write("blank.ndjson", "\n \n");
    write("words.txt", "not json\nnot at all\n");
    failed(folder.path(), &["empty.ndjson"], &["empty.ndjson", "no records", "empty"]);
    failed(folder.path(), &["blank.ndjson"], &["blank.ndjson", "blank"]);
    failed(folder.path(), &["words.txt"], &["words.txt", "of 2 lines none is a JSON value"]);
    failed(folder.path(), &["gone.ndjson"], &["cannot open gone.ndjson", "No such file"]);
    failed(folder.path(), &["."], &[".: cannot be read", "directory"]);
}

#[test]
fn a_report_that_cannot_be_written_is_noticed_before_anything_is_measured() {
    let folder = logs(10);
    let report = ["--report", "no/such/folder.html"];
    let args = [&["logs.ndjson"], &report[..]].concat();
    failed(folder.path(), &args, &["cannot write --report no/such/folder.html", "No such file"]);
}

#[test]
fn a_report_never_takes_the_place_of_the_records() {
    let folder = logs(10);
    let before = fs::read(folder.path().join("logs.ndjson")).unwrap();
    tune(folder.path(), &["logs.ndjson", "--report", "./logs.ndjson"])
        .refused(&["--report ./logs.ndjson", "overwrite"]);
    assert_eq!(fs::read(folder.path().join("logs.ndjson")).unwrap(), before);
}

#[test]
fn wrong_options_are_refused_with_what_would_be_right() {
    let folder = logs(10);
    for (args, words) in [
        (&["--codec", "brotli"][..], &["--codec", "zstd, gzip"][..]),
        (&["--level", "25"], &["--level 25", "zstd takes 1 to 19", "lz4 has no levels"]),
        (&["--level", "-5"], &["--level -5"]),
        (&["--codec", "lz4", "--level", "1"], &["lz4 has no levels"]),
        (&["--batch", "0"], &["--batch"]),
        (&["--records", "0"], &["--records"]),
        (&["--rounds", "0"], &["--rounds"]),
        (&["--rate", "0"], &["--rate"]),
        (&["--max-linger", "1s"], &["--rate"]),
        (&["--rate", "1", "--max-linger", "1h"], &["--max-linger", "1ms to 10m"]),
        (&["--max-bytes", "1Gi"], &["--max-bytes", "1Ki to 64Mi"]),
        (&["--sample", "many"], &["--sample", "900Ki"]),
    ] {
        tune(folder.path(), &[&["logs.ndjson"], args].concat()).refused(words);
    }
    run(&mut batchpipe(&["tune"])).refused(&["FILE"]);
}
