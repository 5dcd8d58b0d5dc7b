//! Values of two runs, one beside the other. Pure.

use std::collections::{BTreeMap, BTreeSet};

use otrace_wire::details::Hardware;
use otrace_wire::{ResultValue, Run, Snapshot};

use super::{FieldChange, ResultChange};
use crate::human;
use crate::results::{self, Change};

/// What was asked for, and how it ended.
pub(super) fn of_runs(before: &Run, after: &Run) -> Vec<FieldChange> {
    let fields = |run: &Run| {
        [
            ("intent", Some(run.intent.trim().to_owned())),
            ("setup", Some(run.setup.trim().to_owned())),
            ("command", Some(run.command.trim().to_owned())),
            ("directory", run.working_directory.clone()),
            ("tags", Some(run.tags.join(", ")).filter(|tags| !tags.is_empty())),
            ("status", Some(human::status(run))),
        ]
    };
    changed(fields(before), fields(after))
}

/// Commit and branch.
pub(super) fn of_code(before: &Snapshot, after: &Snapshot) -> Vec<FieldChange> {
    let fields = |state: &Snapshot| {
        [
            ("repository", state.git_remote_url.clone()),
            ("branch", state.git_branch.clone()),
            ("commit", state.git_commit.clone()),
        ]
    };
    changed(fields(before), fields(after))
}

/// The machine, and the Python on it.
pub(super) fn of_environment(before: &Snapshot, after: &Snapshot) -> Vec<FieldChange> {
    let fields = |state: &Snapshot| {
        let hardware = state.hardware.clone().unwrap_or_default();
        let memory = hardware.memory_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        [
            ("machine", state.hostname.clone()),
            ("platform", state.platform.clone()),
            ("python", state.python_version.clone()),
            ("interpreter", state.rebuild.as_ref().and_then(|rebuild| rebuild.interpreter.clone())),
            ("processor", hardware.cpu.clone()),
            ("processors", hardware.cpu_count.map(|count| count.to_string())),
            ("memory", memory.map(human::bytes)),
            ("graphics cards", cards(&hardware)),
        ]
    };
    changed(fields(before), fields(after))
}

fn cards(hardware: &Hardware) -> Option<String> {
    let card = |name: &str, driver: Option<&String>| match driver {
        Some(driver) => format!("{name} (driver {driver})"),
        None => name.to_owned(),
    };
    let cards: Vec<_> = hardware.gpus.iter().map(|gpu| card(&gpu.name, gpu.driver.as_ref())).collect();
    Some(cards.join(", ")).filter(|cards| !cards.is_empty())
}

fn changed<const N: usize>(
    before: [(&'static str, Option<String>); N],
    after: [(&'static str, Option<String>); N],
) -> Vec<FieldChange> {
    let pairs = before.into_iter().zip(after).filter(|((_, before), (_, after))| before != after);
    pairs.map(|((name, before), (_, after))| FieldChange { name: name.to_owned(), before, after }).collect()
}

/// What was installed, from two lists as `pip freeze` writes them.
pub(super) fn packages(before: &str, after: &str) -> Vec<FieldChange> {
    let (before, after) = (installed(before), installed(after));
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let change = |name: &String| {
        let version = |all: &BTreeMap<String, (String, String)>| all.get(name).map(|(_, version)| version.clone());
        let (was, is) = (version(&before), version(&after));
        let (shown, _) = after.get(name).or_else(|| before.get(name))?;
        (was != is).then(|| FieldChange { name: shown.clone(), before: was, after: is })
    };
    names.into_iter().filter_map(change).collect()
}

/// By the name that pip compares: as it is written, and the version or where it came from.
fn installed(list: &str) -> BTreeMap<String, (String, String)> {
    let package = |line: &str| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (name, version) = line.split_once("==").or_else(|| line.split_once(" @ "))?;
        let key = name.trim().to_lowercase().replace(['_', '.'], "-");
        Some((key, (name.trim().to_owned(), version.trim().to_owned())))
    };
    list.lines().filter_map(package).collect()
}

/// The results that differ, and how many do not.
pub(super) fn results(before: &[ResultValue], after: &[ResultValue]) -> (Vec<ResultChange>, usize) {
    let [old, new] = [before, after].map(|of_run| results::named(of_run).into_iter().collect::<BTreeMap<_, _>>());
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let all = names.len();
    let change = |name: &String| {
        let (was, is) = (old.get(name).copied(), new.get(name).copied());
        if was == is {
            return None;
        }
        let Change { difference, percent } = was.zip(is).map(|(was, is)| Change::of(was, is)).unwrap_or_default();
        let (before, after) = (was.cloned(), is.cloned());
        Some(ResultChange { name: name.clone(), before, after, difference, percent })
    };
    let changes: Vec<_> = names.into_iter().filter_map(change).collect();
    let same = all - changes.len();
    (changes, same)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn result(name: &str, value: Value, source: &str) -> ResultValue {
        let (name, source_path) = (Some(name.to_owned()), Some(source.to_owned()));
        ResultValue { name, value, source_path, ..ResultValue::default() }
    }

    #[test]
    fn results_are_compared_by_name_wherever_they_come_from() {
        let before = [result("accuracy", json!(0.8), "a/m.json"), result("loss", json!(2), "a/m.json")];
        let after = [
            result("accuracy", json!(0.9), "b/m.json"),
            result("loss", json!(2), "b/m.json"),
            result("optimizer", json!("adam"), "b/m.json"),
        ];
        let (changes, same) = results(&before, &after);
        assert_eq!((changes.len(), same), (2, 1));
        assert_eq!((changes[0].name.as_str(), &changes[0].before), ("accuracy", &Some(json!(0.8))));
        assert!(changes[0].percent.is_some_and(|percent| (percent - 12.5).abs() < 1e-9));
        assert_eq!((changes[1].name.as_str(), &changes[1].before, changes[1].difference), ("optimizer", &None, None));
    }

    #[test]
    fn several_results_of_one_name_are_told_apart() {
        let before = [result("loss", json!(1), "train.json"), result("loss", json!(2), "test.json")];
        let after = [result("loss", json!(1), "train.json"), result("loss", json!(3), "test.json")];
        let (changes, same) = results(&before, &after);
        assert_eq!((changes[0].name.as_str(), changes.len(), same), ("loss (test.json)", 1, 1));
    }

    #[test]
    fn packages_are_compared_as_pip_names_them() {
        let before = "# Python 3.12.1\nnumpy==1.26.0\nMy_Tool @ file:///src  # version 1\ntorch==2.1\n";
        let after = "# Python 3.12.1\nnumpy==2.0.0\nmy-tool @ file:///src  # version 1\nscipy==1.14\n";
        let told: Vec<_> = packages(before, after).into_iter().map(|c| (c.name, c.before, c.after)).collect();
        let text = |text: &str| Some(text.to_owned());
        let expected = [
            ("numpy".to_owned(), text("1.26.0"), text("2.0.0")),
            ("scipy".to_owned(), None, text("1.14")),
            ("torch".to_owned(), text("2.1"), None),
        ];
        assert_eq!(told, expected);
    }
}
