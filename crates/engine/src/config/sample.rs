//! The configuration that `tidelock init` writes: all of it comments, to be edited.
//!
//! Every key with what it means; a test removes the comment signs and reads it.

/// The sample.
pub const SAMPLE: &str = include_str!("sample.toml");

#[cfg(test)]
mod tests {
    use super::SAMPLE;
    use crate::config::around::Around;
    use crate::config::check;
    use crate::config::find::Loaded;
    use crate::config::read::{Format, read};
    use crate::config::schema::schema;
    use std::path::Path;

    /// The sample with every commented key in force.
    fn in_force() -> String {
        let line = |line: &str| match line.strip_prefix("# ") {
            // Prose has a space of its own after the sign.
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        };
        SAMPLE.lines().map(line).collect()
    }

    #[test]
    fn as_it_is_written_it_says_nothing() {
        assert_eq!(read("sample", SAMPLE, Format::Toml).expect("valid").0, Default::default());
    }

    #[test]
    fn every_line_of_it_could_be_used() {
        let (config, _) = read("sample", &in_force(), Format::Toml).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!((config.profile.len(), config.pair.len()), (1, 2));
    }

    #[test]
    fn it_would_make_sense() {
        let (config, tree) = read("sample", &in_force(), Format::Toml).expect("valid");
        let around = Around::new([("HOME".to_owned(), "/home/me".to_owned())], None);
        let loaded = Loaded {
            config,
            tree,
            file: Some("/home/me/.config/tidelock/config.toml".into()),
            around,
            problems: Vec::new(),
        };
        let said: Vec<String> = check::all(&loaded, &Path::to_path_buf).iter().map(ToString::to_string).collect();
        // The one line that the sample says to be instead of another.
        assert!(said.len() == 1 && said[0].contains("aws_profile"), "{said:#?}");
    }

    #[test]
    fn it_shows_every_key() {
        let schema = schema();
        for section in ["Knobs", "Pair", "Profile"] {
            let keys = schema["$defs"][section]["properties"].as_object().expect(section);
            for key in keys.keys() {
                assert!(in_force().lines().any(|line| line.starts_with(&format!("{key} = "))), "{section}: {key}");
            }
        }
    }
}
