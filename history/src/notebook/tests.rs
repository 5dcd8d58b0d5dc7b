//! Notebooks, whole and in their modes.

use otrace_wire::details::{HowWell, Rebuild};
use otrace_wire::{RunStatus, Snapshot};
use serde_json::{Value, json};

use super::*;
use crate::sample::{artifact, child, note, result, run};

fn names(runs: &[Run], mode: Mode, active: Option<i32>) -> Vec<String> {
    let notebook = Notebook::new("p", runs, mode, active.map(ExperimentId::new));
    notebook.entries.into_iter().map(|entry| entry.name).collect()
}

/// Two runs, of which the second tells all that there is to tell.
fn two_runs() -> [Run; 2] {
    let before = Run { results: vec![result("accuracy", 0.8), result("loss", 2)], ..run(1) };
    let rebuild =
        Rebuild { how_well: HowWell::Partly, reasons: vec!["a file is left out".to_owned()], ..Rebuild::default() };
    let snapshot = Snapshot {
        git_commit: Some("4b825dc642cb6eb9a060e54bf8d69288fbee4904".to_owned()),
        git_branch: Some("main".to_owned()),
        git_dirty: Some(true),
        missing_expected_paths: vec![json!({"path": "plot.png", "type": "figure"})],
        rebuild: Some(rebuild),
        ..Snapshot::default()
    };
    let after = Run {
        title: Some("Larger *batch*".to_owned()),
        tags: vec!["baseline".to_owned()],
        status: RunStatus::Failed,
        exit_code: Some(3),
        results: vec![result("loss", 2), result("accuracy", 0.9), result("optimizer", "adam")],
        artifacts: vec![artifact("outputs/m.json", "metrics")],
        notes: vec![note("It overfits. #insight"), note("# Later\n\n```\nnever closed")],
        snapshot: Some(snapshot),
        ..child(2, 1)
    };
    [before, after]
}

#[test]
fn a_notebook_tells_all_of_a_run() {
    let text = Notebook::new("Wake word", &two_runs(), Mode::Chronological, None).markdown();
    let (_, second) = text.split_once("\n## exp002").expect("the second run");
    let expected = " · Larger \\*batch\\*

**failed (exit code 3)** · after 1 min 30 s · recorded 1970-01-01T02:00:00Z · goes on from exp001 · `baseline`

**Why**

> Does it learn?

**Setup**

> Default config.

**Command**

```sh
python3 train.py
```

**Learned**

Ada, 1970-01-02T00:00:00Z:

> It overfits.

**Results**

| result | value | exp001 | change |
|---|---:|---:|---:|
| loss | `2` | `2` | +0 (+0.0 %) |
| accuracy | `0.9` | `0.8` | +0.1 (+12.5 %) |
| optimizer | `adam` |  |  |

**Artifacts**

- `outputs/m.json` (metrics, 1.5 kB)

Declared, and not there: `plot.png`.

**Code**

Commit `4b825dc6` on `main`, with changes that were not committed. It can be got back in part, because a file is left out.

**Notes**

Ada, 1970-01-02T00:00:00Z:

> # Later
>
> ```
> never closed

---

2 experiments.
";
    assert_eq!(second, expected);
    assert!(!text.contains("/home/"), "a path of the machine is in {text}");
}

#[test]
fn the_same_runs_in_any_order_are_the_same_bytes() {
    let runs = two_runs();
    let mut turned = runs.clone();
    turned.reverse();
    for mode in Mode::ALL {
        let active = Some(ExperimentId::new(1));
        let [first, second] = [&runs, &turned].map(|runs| Notebook::new("p", runs, mode, active));
        assert_eq!((first.markdown(), first.json()), (second.markdown(), second.json()));
    }
}

#[test]
fn what_became_of_the_metrics_is_said() {
    let none = run(1);
    let unread = Run { artifacts: vec![artifact("m.json", "metrics")], ..run(2) };
    let text = Notebook::new("p", &[none, unread], Mode::Chronological, None).markdown();
    assert!(text.contains("\nNo metrics file was captured.\n"), "{text}");
    assert!(text.contains("\nNo metrics were parsed: nothing could be read from `m.json`.\n"), "{text}");
}

#[test]
fn a_branch_has_ancestors_and_descendants_and_no_sisters() {
    // 1 ─ 2 ─ 4 ─ 5, 3 is a sister of 2, and 6 goes on from a run that is gone.
    let runs = [run(1), child(2, 1), child(3, 1), child(4, 2), child(5, 4), child(6, 9)];
    assert_eq!(names(&runs, Mode::Branch, Some(2)), ["exp001", "exp002", "exp004", "exp005"]);
    assert_eq!(names(&runs, Mode::Branch, Some(6)), ["exp006"]);
    assert_eq!(names(&runs, Mode::Branch, Some(9)), [""; 0]);
    assert_eq!(names(&runs, Mode::Branch, None), [""; 0]);
    let turning = [child(1, 3), child(2, 1), child(3, 2)];
    assert_eq!(names(&turning, Mode::Branch, Some(2)), ["exp001", "exp002", "exp003"]);
}

#[test]
fn insights_mode_takes_the_runs_with_one() {
    let noted = |number, text: &str| Run { notes: vec![note(text)], ..run(number) };
    let runs = [noted(1, "#insights"), noted(2, "It helps. #insight"), run(3)];
    assert_eq!(names(&runs, Mode::Insights, None), ["exp002"]);
}

#[test]
fn a_run_without_a_number_is_called_after_its_id() {
    let id = uuid::uuid!("019ab3f2-0000-7000-8000-00005d3f02aa");
    let runs = [Run { id, ..run(-1) }, child(-2, -1)];
    let notebook = Notebook::new("p", &runs, Mode::Chronological, None);
    let told: Vec<_> = notebook.entries.iter().map(|entry| (entry.name.as_str(), entry.parent.as_deref())).collect();
    assert_eq!(told, [("offline-00000002", Some("offline-5d3f02aa")), ("offline-5d3f02aa", None)]);
}

#[test]
fn the_json_is_the_notebook() {
    let notebook = Notebook::new("\u{9b}p", &two_runs(), Mode::Branch, Some(ExperimentId::new(2)));
    let json: Value = serde_json::from_str(&notebook.json()).expect("JSON");
    assert_eq!(json, serde_json::to_value(&notebook).expect("JSON"));
    let empty: Value = serde_json::from_str(&Notebook::new("p", &[], Mode::Insights, None).json()).expect("JSON");
    assert_eq!(empty["entries"], json!([]));
}

#[test]
fn an_empty_notebook_says_why() {
    let text = |mode| Notebook::new("p", &[], mode, None).markdown();
    assert_eq!(
        text(Mode::Insights),
        "# Notebook: p\n\nThe experiments with an `#insight`, the oldest first.\n\nNobody has noted an `#insight` yet.\n"
    );
    assert!(text(Mode::Branch).ends_with("There is no active experiment, so that there is no branch.\n"));
}
