//! Which candidates are measured: codecs with their levels, times the batch sizes. Pure.

use batchpipe_api::codec::Codec;

use super::{Candidate, cut::Layout};

/// Batch sizes that are tried when none is named.
pub const BATCHES: [u32; 6] = [10, 100, 500, 1_000, 2_000, 5_000];
/// Levels that are tried when none is named: what one might use for a stream.
const LEVELS: [(Codec, &[i32]); 3] =
    [(Codec::Zstd, &[1, 3, 6, 9]), (Codec::Gzip, &[1, 6]), (Codec::Zlib, &[6])];

/// A codec with its level.
pub type Setting = (Codec, Option<i32>);

/// Why there is nothing to measure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No chosen codec has this level.
    #[error("--level {level}: {takes}")]
    Level {
        /// The level that was asked for.
        level: i32,
        /// What the codecs take.
        takes: String,
    },
}

/// The codecs that are named, or all, each with the levels that are named and that it has.
pub fn settings(codecs: &[Codec], levels: &[i32]) -> Result<Vec<Setting>, PlanError> {
    let is_wanted = |codec: &Codec| codecs.is_empty() || codecs.contains(codec);
    let codecs: Vec<Codec> = Codec::ALL.into_iter().filter(is_wanted).collect();
    for level in levels {
        if !codecs.iter().any(|codec| has_level(*codec, *level)) {
            return Err(PlanError::Level { level: *level, takes: takes(&codecs) });
        }
    }
    let settings = codecs.iter().flat_map(|codec| {
        levels_of(*codec, levels).into_iter().map(|level| (*codec, level)).collect::<Vec<_>>()
    });
    Ok(settings.collect())
}

fn has_level(codec: Codec, level: i32) -> bool {
    codec.levels().is_some_and(|(lowest, highest)| (lowest..=highest).contains(&level))
}

fn levels_of(codec: Codec, wanted: &[i32]) -> Vec<Option<i32>> {
    if codec.levels().is_none() {
        return vec![None];
    }
    let usual = LEVELS.iter().find(|(of, _)| *of == codec).map_or(&[][..], |(_, levels)| levels);
    let all = if wanted.is_empty() { usual } else { wanted };
    let mut levels: Vec<_> = all.iter().copied().filter(|level| has_level(codec, *level)).collect();
    levels.sort_unstable();
    levels.dedup();
    levels.into_iter().map(Some).collect()
}

fn takes(codecs: &[Codec]) -> String {
    let each = codecs.iter().map(|codec| match codec.levels() {
        Some((lowest, highest)) => format!("{codec} takes {lowest} to {highest}"),
        None => format!("{codec} has no levels"),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// All settings with all batch sizes.
pub(super) fn candidates(settings: &[Setting], layouts: &[Layout]) -> Vec<Candidate> {
    let with_sizes = |(codec, level): &Setting| {
        let (codec, level) = (*codec, *level);
        layouts.iter().map(move |layout| Candidate {
            codec,
            level,
            max_records: layout.max_records,
        })
    };
    settings.iter().flat_map(with_sizes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Encoder;

    #[test]
    fn every_codec_is_tried_with_usable_levels_when_none_is_named() {
        let settings = settings(&[], &[]).unwrap();
        for codec in Codec::ALL {
            assert!(settings.iter().any(|(of, _)| *of == codec), "{codec}");
            let default = (codec, codec.default_level());
            assert!(settings.contains(&default), "{codec} without its default level");
        }
        assert!(settings.iter().all(|(codec, level)| Encoder::new(*codec, *level).is_ok()));
    }

    #[test]
    fn levels_apply_to_the_codecs_that_have_them() {
        let chosen = settings(&[Codec::Lz4, Codec::Gzip, Codec::Zstd], &[12, 3, 3]).unwrap();
        let expected = [
            (Codec::Zstd, Some(3)),
            (Codec::Zstd, Some(12)),
            (Codec::Gzip, Some(3)),
            (Codec::Lz4, None),
        ];
        assert_eq!(chosen, expected);
    }

    #[test]
    fn a_level_that_no_codec_has_is_refused_with_what_they_take() {
        let error = settings(&[Codec::Gzip, Codec::Lz4], &[6, 12]).unwrap_err();
        assert_eq!(error.to_string(), "--level 12: gzip takes 1 to 9, lz4 has no levels");
        assert!(settings(&[Codec::None], &[1]).is_err());
        assert!(settings(&[], &[0]).is_err());
    }
}
