//! Just enough Markdown: fenced blocks, code in the text, links, headings, the first cells of tables.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A document, taken apart.
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    /// Everything outside of fenced blocks.
    pub(crate) prose: String,
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
}

impl Document {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (mut prose, mut blocks) = (String::new(), vec![]);
        let mut open: Option<Block> = None;
        for line in text.lines() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(language), None) => {
                    open = Some(Block { language: language.to_owned(), text: String::new() });
                }
                (None, Some(block)) => block.text.extend([line, "\n"]),
                (None, None) => prose.extend([line, "\n"]),
            }
        }
        assert!(open.is_none(), "{}: a fenced block is not closed", path.display());
        Self { path: path.to_owned(), prose, blocks }
    }

    /// The blocks in a language.
    pub(crate) fn blocks_in(&self, language: &str) -> impl Iterator<Item = &str> {
        let is_wanted = move |block: &&Block| block.language == language;
        self.blocks.iter().filter(is_wanted).map(|block| block.text.as_str())
    }

    /// The only block in a language that holds a word.
    pub(crate) fn block_with(&self, language: &str, word: &str) -> &str {
        let found: Vec<_> = self.blocks_in(language).filter(|text| text.contains(word)).collect();
        assert_eq!(found.len(), 1, "{}: blocks with {word}", self.path.display());
        found[0]
    }

    /// Code in the text, line ends as blanks.
    pub(crate) fn code(&self) -> Vec<String> {
        let parts: Vec<_> = self.prose.split('`').collect();
        assert!(parts.len() % 2 == 1, "{}: a backtick has no partner", self.path.display());
        parts.into_iter().skip(1).step_by(2).map(|code| code.replace('\n', " ")).collect()
    }

    /// Targets of links and pictures.
    pub(crate) fn links(&self) -> impl Iterator<Item = &str> {
        let targets = self.prose.split("](").skip(1);
        targets.map(|rest| rest.split_once(')').map_or(rest, |(target, _)| target))
    }

    /// What may follow `#` in a link to this document.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
    }

    /// The code in the first cells of the table whose first column has this header.
    pub(crate) fn first_cells(&self, header: &str) -> Vec<String> {
        let rows = self.prose.lines().skip_while(|line| !is_row_of(line, header)).skip(2);
        let rows = rows.take_while(|line| line.trim_start().starts_with('|'));
        let cells: Vec<_> = rows.filter_map(|row| row.split('|').nth(1)).collect();
        assert!(!cells.is_empty(), "{}: no table of {header}", self.path.display());
        cells
            .iter()
            .flat_map(|cell| cell.split('`').skip(1).step_by(2))
            .map(str::to_owned)
            .collect()
    }
}

fn is_row_of(line: &str, header: &str) -> bool {
    line.split('|').nth(1).is_some_and(|cell| cell.trim() == header)
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    kept.map(|it| if it == ' ' { '-' } else { it.to_ascii_lowercase() }).collect()
}
