//! `config show`, `config check`, `config path`, `config schema` and `init`.
//!
//! They tell what is configured and where that was said, look it over, and write a
//! first one. No secret can be shown: there is none in a configuration.

use crate::api::{Checked, ConfigPath, Context, Init, Section, Show, Shown};
use crate::config::find::{self, Loaded, load};
use crate::config::layers::{Layers, Origin, Setting};
use crate::config::resolve::{Typed, Whom, resolve};
use crate::config::{check, named, sample};
use crate::failure::Failure;
use crate::place;

/// Every setting with its origin.
pub fn show(context: &Context, request: &Show) -> Result<Shown, Failure> {
    let loaded = load(&context.around)?;
    let file = loaded.file.as_ref().map(|file| file.display().to_string());
    let section = |whom: &Whom, name: String| -> Result<Section, Failure> {
        let resolved = resolve(&loaded, whom, &Typed::default())?;
        let settings = resolved.place.settings().into_iter().chain(resolved.knobs.settings()).collect();
        Ok(Section { name, settings })
    };
    if let Some(name) = &request.pair {
        let whom = Whom::Pair { name: name.clone(), local: None, below: None };
        return Ok(Shown { file, sections: vec![section(&whom, format!("pair.{name}"))?] });
    }
    if let Some(problem) = loaded.problems.first() {
        return Err(problem.clone().into());
    }
    let profiles = &loaded.config.profile;
    let mut sections = vec![section(&Whom::Nobody, "every run".to_owned())?];
    for name in profiles.keys() {
        sections.push(written(&loaded, "profile", name, &profiles[name].shown()));
    }
    for name in loaded.config.pair.keys() {
        sections.push(written(&loaded, "pair", name, &loaded.config.pair[name].shown(profiles)));
    }
    Ok(Shown { file, sections })
}

/// A section as it is written.
fn written(loaded: &Loaded, kind: &str, name: &str, said: &impl serde::Serialize) -> Section {
    let mut layers = Layers::default();
    layers.lay(said, |key| Origin::File(loaded.place(&[kind, name, key])));
    let line = |setting: &Setting| loaded.tree.line_of(&[kind, name, &setting.key]);
    let mut settings = layers.settings();
    settings.sort_by_key(line);
    Section { name: format!("{kind}.{name}"), settings }
}

/// Looks it over, with the true names of folders.
pub fn check(context: &Context) -> Checked {
    let mut warnings = check::misspelt(&context.around);
    let mut problems = check::variables(&context.around);
    match find::look(&context.around) {
        Err(problem) => {
            problems.insert(0, problem);
            Checked { file: None, profiles: 0, pairs: 0, problems, warnings }
        }
        Ok(loaded) => {
            let file = loaded.file.as_ref().map(|file| file.display().to_string());
            let true_name = |path: &std::path::Path| place::canonical(path).unwrap_or_else(|_| path.to_owned());
            let mut written = check::all(&loaded, &true_name);
            written.extend(check::together(&loaded));
            let mut seen = named::look(&loaded);
            // What is wrong by its text already is not told once more.
            seen.problems.retain(|problem| !written.iter().any(|other| other.key == problem.key));
            written.append(&mut seen.problems);
            seen.warnings.append(&mut warnings);
            warnings = seen.warnings;
            written.sort_by_key(|problem| problem.line);
            written.append(&mut problems);
            let (profiles, pairs) = (loaded.config.profile.len(), loaded.config.pair.len());
            Checked { file, profiles, pairs, problems: written, warnings }
        }
    }
}

/// Where it is, or would be.
pub fn path(context: &Context) -> Result<ConfigPath, Failure> {
    let file = find::usual(&context.around)?;
    Ok(ConfigPath { exists: place::exists(&file), file: file.display().to_string(), written: false, text: None })
}

/// Writes the sample.
pub fn init(context: &Context, request: &Init) -> Result<ConfigPath, Failure> {
    let file = match &request.file {
        Some(file) if file.as_os_str() == "-" => {
            let text = Some(sample::SAMPLE.to_owned());
            return Ok(ConfigPath { file: "-".to_owned(), exists: false, written: false, text });
        }
        Some(file) if file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") => {
            let what = "what is written is TOML, and a file of that name is read as YAML; let its name end in .toml";
            return Err(Failure::Misused(format!("{}: {what}", file.display())));
        }
        Some(file) => file.clone(),
        None => find::usual(&context.around)?,
    };
    find::create(&file, sample::SAMPLE)?;
    Ok(ConfigPath { file: file.display().to_string(), exists: true, written: true, text: None })
}
