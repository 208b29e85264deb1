//! What others say, made fit for a line of ours: pods, containers and admission may say anything, at any length. Pure.

/// The text on one line, of at most so many bytes. Characters that are no text would break what shows a status or even
/// what carries it (YAML has no DEL), and those that turn the direction of writing make it say something else.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let start = &text[..text.floor_char_boundary(most)];
    let mut line = String::with_capacity(start.len());
    line.extend(start.chars().map(|char| if is_no_text(char) { ' ' } else { char }));
    line.truncate(line.trim_end().len());
    line
}

fn is_no_text(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_becomes_a_space() {
        let said = "a\0b\u{1b}[31mc\u{7f}d\u{85}e\u{9b}f\u{202e}g\nh\ti";
        assert_eq!(clean(said, 100), "a b [31mc d e f g h i");
        assert_eq!(clean("schön: 10 µs", 100), "schön: 10 µs");
    }

    #[test]
    fn it_is_cut_at_a_character() {
        assert_eq!(clean("ää", 3), "ä");
        assert_eq!(clean(&"x".repeat(5000), 1024).len(), 1024);
        assert_eq!(clean("said\n\n", 100), "said");
    }
}
