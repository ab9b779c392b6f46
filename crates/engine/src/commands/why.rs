//! `why`: which rule, which evidence, which row of the table.
//!
//! Looks at one path alone, the way a run would: the rules on the way to it, what
//! the state remembers, what is here, what is there. The answer is the engine's
//! own, asked of the same functions; `why/words.rs` only says it in words. Renames
//! take two paths to see and are left to `plan`.

mod words;

use super::open::{Open, Wanted};
use crate::api::{Context, Why};
use crate::cycle::Mode;
use crate::disk::{ErrorKind, Node, Stat};
use crate::failure::Failure;
use crate::mode::Turn;
use crate::pair::Pair;
use crate::root::Root;
use crate::scan::{MOUNTED, SPECIAL, read_ignore_file};
use serde::{Deserialize, Serialize};
use tidelock_core::entry::{BaseRow, LocalEntry, RemoteEntry, Standing};
use tidelock_core::filter::{IGNORE_FILE_NAME, RuleSet, Verdict};
use tidelock_core::names::{Kind, key_of};
use tidelock_core::path::{Key, RelPath, TEMP_PREFIX};
use tidelock_core::policy::{Policy, Preset};
use tidelock_core::sight::{Here, Seen, look};
use tidelock_remote::{Cursor, Object, Readiness};

/// Why a path is treated as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasons {
    /// The path.
    pub path: String,
    /// The mode it was judged under.
    pub mode: String,
    /// Whether it takes part, and which rule says so.
    pub rule: Verdict,
    /// The same in words.
    pub rule_words: String,
    /// Why it cannot be synced, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What it is or was; a path can be several things to the two sides.
    pub entries: Vec<Entry>,
}

/// One thing that the path is, here or there or on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// What it is.
    pub kind: Kind,
    /// What the state remembers.
    pub base: String,
    /// What is here.
    pub here: String,
    /// When what is here was modified, Unix nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified_ns: Option<i64>,
    /// What is there.
    pub there: String,
    /// The row of the decision table; none if there is nothing to decide.
    pub row: Option<String>,
    /// What a sync would do.
    pub action: Option<String>,
    /// The same in words, with the evidence.
    pub words: String,
}

/// Everything seen of one key.
struct Looked {
    key: Key,
    kind: Kind,
    base: Option<BaseRow>,
    here: Option<LocalEntry>,
    object: Option<Object>,
    there_below: bool,
}

/// One path, explained.
pub async fn run(context: &Context, request: &Why) -> Result<Reasons, Failure> {
    let wanted = Wanted {
        sides: &request.sides,
        options: &request.options,
        policy: Preset::Push.policy(),
        command: "why",
        mode: Mode::DryRun,
        existing: false,
        pair: None,
    };
    let mut open = Open::new(context, &wanted).await?;
    // It is judged under the mode on record, or under the one that a sync would have.
    let (mode, policy) = mode(&open.pair, request.preset, &request.options)?;
    open.pair.settings.policy = policy;
    open.pair.settings.sets_mode = request.preset.is_some();
    let pair = &open.pair;
    let lapsed = Turn::of(pair, &Root::look(pair).await?)?.lapses();
    let text = request.path.trim_start_matches("./").trim_end_matches('/');
    let path = RelPath::parse(text).map_err(|problem| {
        Failure::Misused(format!("{:?} is no path below the folder: {problem}; give it as `ls` shows it", request.path))
    })?;
    let (stat, problem) = match pair.disk.stat(&path).await {
        Ok(stat) => (stat, stat.as_ref().and_then(|stat| problem(pair, &path, stat))),
        Err(error) => (None, Some(format!("it cannot be looked at, so nothing is done about it: {}", error.message))),
    };
    // What stands in the way hides whatever else is known of the path.
    let hidden = problem.is_some();
    let rules = if hidden { RuleSet::new(pair.settings.rules.clone()) } else { rules(pair, &path).await? };
    let rule = rules.verdict_for_path(&path, stat.is_some_and(|stat| stat.node == Node::Dir));
    let mut entries = Vec::new();
    for kind in [Kind::File, Kind::Link, Kind::Dir] {
        let Ok(key) = key_of(&path, kind, pair.settings.scan.links) else { continue };
        if hidden || entries.iter().any(|entry: &Entry| entry.key == key.as_str()) {
            continue;
        }
        let mut looked = examine(pair, &path, key, kind, stat.as_ref()).await?;
        if let Some(row) = looked.base.as_mut().filter(|row| lapsed && row.standing == Standing::Agreed) {
            row.standing = Standing::Lapsed;
        }
        if looked.base.is_some() || looked.here.is_some() || looked.object.is_some() {
            entries.push(explain(&path, looked, &policy, &rule));
        }
    }
    let rule_words = words::rule(&rule);
    Ok(Reasons { path: path.to_string(), mode, rule, rule_words, problem, entries })
}

/// Why what is here cannot be synced.
fn problem(pair: &Pair, path: &RelPath, stat: &Stat) -> Option<String> {
    let kind = match stat.node {
        Node::Special => return Some(SPECIAL.to_owned()),
        Node::Dir if stat.mount_point => return Some(MOUNTED.to_owned()),
        Node::Dir => Kind::Dir,
        Node::File => Kind::File,
        Node::Link => Kind::Link,
    };
    key_of(path, kind, pair.settings.scan.links).err().map(|problem| problem.to_string())
}

fn mode(pair: &Pair, said: Option<Preset>, options: &crate::api::Options) -> Result<(String, Policy), Failure> {
    let known = pair.state.fact("mode")?;
    let preset = Preset::ALL.into_iter().find(|preset| Some(preset.name()) == known.as_deref());
    let preset = said.or(preset).unwrap_or(Preset::Push);
    let mut policy = preset.policy();
    policy.compare = options.compare.unwrap_or(policy.compare);
    policy.conflict = options.conflict.unwrap_or(policy.conflict);
    Ok((preset.name().to_owned(), policy))
}

/// The rules on the way from the root to the path.
pub(super) async fn rules(pair: &Pair, path: &RelPath) -> Result<RuleSet, Failure> {
    let mut rules = RuleSet::new(pair.settings.rules.clone());
    let mut dirs = Vec::new();
    let mut dir = path.parent();
    while let Some(at) = dir {
        dir = at.parent();
        dirs.push(at);
    }
    for dir in dirs.into_iter().rev() {
        match read_ignore_file(&*pair.disk, &dir).await {
            Ok(text) => drop(rules.insert(dir, &text)),
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NotADir) => {}
            // A run would not look into the folder either.
            Err(error) => return Err(Failure::ignore_file(&error)),
        }
    }
    Ok(rules)
}

async fn examine(pair: &Pair, path: &RelPath, key: Key, kind: Kind, stat: Option<&Stat>) -> Result<Looked, Failure> {
    let base = pair.state.row(&key)?;
    let object = pair.remote.head(&key).await?;
    let there_below = kind == Kind::Dir && {
        let page = pair.remote.list(key.as_str(), &Cursor::after(&key)).await?;
        !page.objects.is_empty()
    };
    let node = match kind {
        Kind::File => Node::File,
        Kind::Dir => Node::Dir,
        Kind::Link => Node::Link,
    };
    let here = match stat.filter(|stat| stat.node == node) {
        None => None,
        Some(stat) => {
            let needs_marker = kind == Kind::Dir && pair.settings.scan.needs_marker(stat, is_bare(pair, path).await);
            Some(LocalEntry {
                key: key.clone(),
                path: path.clone(),
                kind,
                stamp: stat.stamp,
                meta: stat.meta(),
                needs_marker,
            })
        }
    };
    Ok(Looked { key, kind, base, here, object, there_below })
}

/// Whether nothing in a folder takes part.
async fn is_bare(pair: &Pair, dir: &RelPath) -> bool {
    let Ok(items) = pair.disk.read_dir(dir).await else { return false };
    let Ok(inside) = dir.join(IGNORE_FILE_NAME) else { return false };
    let Ok(rules) = rules(pair, &inside).await else { return false };
    items.iter().all(|item| {
        let is_dir = item.stat.as_ref().is_ok_and(|stat| stat.node == Node::Dir);
        let path = std::str::from_utf8(&item.name).ok().and_then(|name| dir.join(name).ok());
        item.name.starts_with(TEMP_PREFIX.as_bytes())
            || path.is_none_or(|path| rules.verdict_for_path(&path, is_dir).is_excluded())
    })
}

fn explain(path: &RelPath, looked: Looked, policy: &Policy, rule: &Verdict) -> Entry {
    let Looked { key, kind, base, here, object, there_below } = looked;
    let there = object.as_ref().map(|object| RemoteEntry {
        key: key.clone(),
        stamp: object.stamp.clone(),
        archived: matches!(object.readiness, Readiness::Archived | Readiness::Thawing),
        lost: object.readiness == Readiness::Lost,
    });
    let step = look(
        &Seen {
            key: &key,
            path,
            kind,
            base: base.as_ref(),
            here: here.as_ref().map_or(Here::Absent, Here::Present),
            there: there.as_ref(),
            there_below,
        },
        policy,
    );
    let said = match &step {
        _ if rule.is_excluded() && base.as_ref().is_some_and(|row| row.standing == Standing::Agreed) => {
            "a rule excludes it now: nothing is done on either side, and its record proves sameness only".to_owned()
        }
        _ if rule.is_excluded() => "a rule excludes it: nothing is done on either side".to_owned(),
        Some(step) => words::step(step, policy),
        None if base.is_none() => "a folder with files in it needs no object of its own".to_owned(),
        None => "both sides are as they were when they were last in step: nothing is to be done".to_owned(),
    };
    let decided = step.filter(|_| !rule.is_excluded());
    Entry {
        base: words::base(base.as_ref()),
        here: words::here(here.as_ref()),
        modified_ns: here.as_ref().filter(|entry| entry.kind != Kind::Dir).map(|entry| entry.stamp.mtime_ns),
        there: words::there(object.as_ref(), there_below),
        row: decided.as_ref().map(|step| step.row.to_string()),
        action: decided.as_ref().map(|step| step.action.name().to_owned()),
        words: said,
        key: key.as_str().to_owned(),
        kind,
    }
}
