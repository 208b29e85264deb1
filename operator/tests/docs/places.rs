//! Files of the operator that the documents link to, and the picture, name what exists.

use super::table::{file, root};

#[test]
fn every_step_of_a_pass_is_in_the_page_and_in_the_picture() {
    let source = file("operator/src/lib.rs");
    let diagram = source.split("```").nth(1).unwrap();
    let lines = diagram.lines().filter_map(|line| line.strip_prefix("//! "));
    let steps: Vec<_> = lines.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(steps.len(), 7, "{steps:?}");
    let (page, picture) = (file("docs/architecture.md"), file("docs/reconcile.svg"));
    for step in steps {
        assert!(page.contains(&format!("\n| {step} | [`")), "{step}");
        assert!(picture.contains(&format!(">{step}</text>")), "{step}");
    }
}

#[test]
fn the_text_of_a_link_is_the_end_of_the_file_that_it_leads_to() {
    let page = file("docs/architecture.md");
    for link in page.split("[`").skip(1) {
        let Some((text, rest)) = link.split_once("`](") else { continue };
        let target = rest.split_once(')').unwrap().0;
        if target.contains("operator/src") && text.contains('.') {
            assert!(target.ends_with(text), "{text} leads to {target}");
            assert!(root().join("docs").join(target).exists(), "{target}");
        }
    }
}
