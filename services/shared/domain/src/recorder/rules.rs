//! Naming rules as data: read, checked against their own examples, and tried in order.

use std::collections::BTreeMap;

use regex_lite::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

use super::{
    info::InfoKeys,
    recognise::{Named, Path},
};
use crate::item::ItemKind;

/// Everything known about recorders' habits: the built-in rules, and those a station adds.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    pub(super) kinds: BTreeMap<String, ItemKind>,
    pub(super) kind_folders: BTreeMap<String, ItemKind>,
    pub(super) key_marks: Vec<String>,
    pub(super) key_folders: Vec<String>,
    pub(super) naming: Vec<NamingRule>,
    pub(super) info: InfoKeys,
}

impl Rules {
    /// The rules that come with this program.
    pub fn built_in() -> Result<Self, RuleError> {
        Self::default().with(include_str!("rules.yaml"))
    }

    /// Adds a station's own rules, which then come first. `yaml` has the form of the built-in `rules.yaml`; a name already
    /// taken is refused, so that the name of a rule in a declaration has one meaning.
    pub fn with(mut self, yaml: &str) -> Result<Self, RuleError> {
        let file: RuleFile =
            serde_saphyr::from_str(yaml).map_err(|error| RuleError::File(error.without_snippet().to_string()))?;
        self.kinds.extend(by_name(&file.kinds, str::to_ascii_lowercase)?);
        self.kind_folders.extend(by_name(&file.kind_folders, str::to_ascii_uppercase)?);
        self.key_marks.extend(upper(&file.key_marks));
        self.key_folders.extend(upper(&file.key_folders));
        self.info.prepend(file.info);
        for (place, raw) in file.rules.iter().enumerate() {
            if self.naming.iter().any(|other| other.name == raw.name) {
                return Err(RuleError::Twice(raw.name.clone()));
            }
            self.naming.insert(place, NamingRule::read(raw)?);
            self.check_examples(raw)?;
        }
        Ok(self)
    }

    fn check_examples(&self, raw: &RawRule) -> Result<(), RuleError> {
        let wrong = |problem: String| Err(RuleError::Rule { name: raw.name.clone(), problem });
        if raw.examples.is_empty() {
            return wrong("it has no examples; give at least one file name it is for".to_owned());
        }
        let matches = |example: &&String| {
            let named = Named::read(self, &Path::split(example.as_bytes()));
            named.is_some_and(|named| named.rule == raw.name)
        };
        match raw.examples.iter().find(|example| !matches(example)) {
            Some(example) => wrong(format!("its example {example} does not match it, or an earlier rule takes it")),
            None => Ok(()),
        }
    }
}

/// One rule: how a path is spelt, and which part of it means what.
#[derive(Debug, Clone)]
pub(super) struct NamingRule {
    pub(super) name: String,
    file: Regex,
    folder: Option<Regex>,
}

impl NamingRule {
    /// The parts of a path, if the rule is for it.
    pub(super) fn apply<'p>(&self, folder: &'p str, stem: &'p str) -> Option<Parts<'p>> {
        let file = self.file.captures(stem)?;
        let folder = match &self.folder {
            Some(pattern) => Some(pattern.captures(folder)?),
            None => None,
        };
        Some(Parts { file, folder })
    }

    fn read(raw: &RawRule) -> Result<Self, RuleError> {
        let wrong = |problem: String| RuleError::Rule { name: raw.name.clone(), problem };
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if raw.name.is_empty() || raw.name.len() > 48 || !raw.name.chars().all(legal) {
            return Err(wrong("its name must be 1 to 48 characters of a-z, 0-9 and -".to_owned()));
        }
        let compile = |pattern: &String| compile(pattern).map_err(wrong);
        let rule = Self {
            name: raw.name.clone(),
            file: compile(&raw.file)?,
            folder: raw.folder.as_ref().map(compile).transpose()?,
        };
        rule.check_groups().map_err(wrong)?;
        Ok(rule)
    }

    fn check_groups(&self) -> Result<(), String> {
        let patterns = [Some(&self.file), self.folder.as_ref()];
        let groups: Vec<&str> =
            patterns.into_iter().flatten().flat_map(|pattern| pattern.capture_names().flatten()).collect();
        if let Some(unknown) = groups.iter().find(|group| !GROUPS.contains(group)) {
            return Err(format!("the group {unknown} means nothing; use {}", GROUPS.join(", ")));
        }
        let has = |group| groups.contains(&group);
        if has("time") || (has("date") && has("clock")) {
            Ok(())
        } else {
            Err("it finds no time; add the group time, or date and clock".to_owned())
        }
    }
}

const GROUPS: [&str; 8] = ["device", "officer", "time", "date", "clock", "sequence", "segment", "mark"];

/// Compiles a pattern that must match the whole text, whatever its case. Size and nesting are bounded, matching is linear.
fn compile(pattern: &String) -> Result<Regex, String> {
    let whole = format!("^(?:{pattern})$");
    let built = RegexBuilder::new(&whole).case_insensitive(true).size_limit(1 << 18).nest_limit(32).build();
    built.map_err(|error| format!("its pattern is not a regular expression: {error}"))
}

/// What a rule found in a path.
pub(super) struct Parts<'p> {
    file: Captures<'p>,
    folder: Option<Captures<'p>>,
}

impl<'p> Parts<'p> {
    /// The part with this meaning, looked for in the file name first.
    pub(super) fn get(&self, group: &str) -> Option<&'p str> {
        let folder = || self.folder.as_ref().and_then(|captures| captures.name(group));
        self.file.name(group).or_else(folder).map(|found| found.as_str())
    }

    /// The fourteen digits of date and clock, separators left out.
    pub(super) fn time(&self) -> Option<String> {
        let text = match self.get("time") {
            Some(time) => time.to_owned(),
            None => format!("{}{}", self.get("date")?, self.get("clock")?),
        };
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        (digits.len() == 14).then_some(digits)
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RuleFile {
    kinds: BTreeMap<ItemKind, Vec<String>>,
    kind_folders: BTreeMap<ItemKind, Vec<String>>,
    key_marks: Vec<String>,
    key_folders: Vec<String>,
    rules: Vec<RawRule>,
    info: InfoKeys,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    name: String,
    file: String,
    #[serde(default)]
    folder: Option<String>,
    examples: Vec<String>,
}

fn upper(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.to_ascii_uppercase()).collect()
}

fn by_name(
    kinds: &BTreeMap<ItemKind, Vec<String>>,
    spelt: impl Fn(&str) -> String,
) -> Result<BTreeMap<String, ItemKind>, RuleError> {
    let mut names = BTreeMap::new();
    for (kind, list) in kinds {
        for name in list {
            if names.insert(spelt(name), *kind).is_some_and(|other| other != *kind) {
                return Err(RuleError::TwoKinds(name.clone()));
            }
        }
    }
    Ok(names)
}

/// Why a file of naming rules is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The file cannot be read.
    #[error("naming rules: {0}")]
    File(String),
    /// One rule is wrong.
    #[error("naming rule {name}: {problem}")]
    Rule {
        /// The rule's name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// Two rules of one name.
    #[error("naming rule {0} stands there twice, or is built in; choose another name")]
    Twice(String),
    /// One extension or folder for two kinds.
    #[error("naming rules: {0} is listed for two kinds; keep one")]
    TwoKinds(String),
}
