//! Just enough of a shell's grammar to see which programs a line starts, with which arguments.

/// The commands of a block: one for each part of a pipeline or list, redirections and assignments left out.
pub(crate) fn commands(block: &str) -> Vec<Vec<String>> {
    let joined = block.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.flat_map(split).map(|words| strip(&words)).filter(|words| !words.is_empty()).collect()
}

/// The parts of a line, as words.
fn split(line: &str) -> Vec<Vec<String>> {
    let (mut parts, mut words, mut word) = (vec![], vec![], None::<String>);
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, '|' | '&' | ';') => {
                words.extend(word.take());
                parts.push(std::mem::take(&mut words));
            }
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    parts.push(words);
    parts
}

/// Leaves out what stands before a program and where its output goes.
fn strip(words: &[String]) -> Vec<String> {
    let is_before = |word: &&String| {
        matches!(word.as_str(), "sudo" | "env" | "export")
            || word.split_once('=').is_some_and(|(name, _)| {
                name.chars().all(|it| it.is_ascii_uppercase() || it == '_')
            })
    };
    let words = words.iter().skip_while(is_before);
    words.take_while(|word| !word.starts_with(['>', '<'])).cloned().collect()
}

#[test]
fn a_line_is_taken_apart_as_a_shell_would() {
    let block = "# x\nA=1 sudo make 'a b' | c \"d|e\" > f && export G=h\n";
    let expected = [vec!["make", "a b"], vec!["c", "d|e"]];
    assert_eq!(commands(block), expected);
}
