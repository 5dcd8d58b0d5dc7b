//! A week of work on a wake word, as a person would have recorded it.

use super::{Ending, Machine, Measured, Recorded};

const NEW: Machine =
    Machine { host: "gpu-node-04", gpu: "NVIDIA L40S", gpu_gigabytes: 48, driver: "550.90", torch: "2.7.1" };
const OLD: Machine =
    Machine { host: "cluster-old-17", gpu: "Tesla V100", gpu_gigabytes: 16, driver: "470.82", torch: "2.2.2" };

/// Where those were heading that came to no end.
const NOWHERE: Measured = Measured { accuracy: 0.91, val_loss: 0.31, size_kb: 14.2, latency_ms: 4.7 };

/// The research group's runs, in their order.
pub(in crate::browser) const RUNS: [Recorded; 8] = [
    Recorded {
        title: "BC-ResNet-8, baseline",
        intent: "Does the published architecture reach its number on our own split?",
        setup: "Default config, seed 1, 12 epochs on the far-field set.",
        command: "python3 train.py --config configs/base.yaml --seed 1",
        parent: None,
        tags: &["baseline"],
        hours_ago: 170,
        minutes: 38,
        ending: Ending::Completed,
        steps: 80,
        measured: Measured { accuracy: 0.9478, val_loss: 0.2083, size_kb: 41.0, latency_ms: 13.6 },
        branch: "main",
        commit: "0d57c3a98e1f6b2c47d5a0913ce86f2b7740d1ea",
        settings: &[],
        machine: NEW,
    },
    Recorded {
        title: "Baseline, second seed",
        intent: "How much of the baseline is luck?",
        setup: "As exp001 with seed 2. Anything within half a point of it is noise to us.",
        command: "python3 train.py --config configs/base.yaml --seed 2",
        parent: Some("exp001"),
        tags: &["baseline"],
        hours_ago: 168,
        minutes: 37,
        ending: Ending::Completed,
        steps: 80,
        measured: Measured { accuracy: 0.9491, val_loss: 0.2051, size_kb: 41.0, latency_ms: 13.6 },
        branch: "main",
        commit: "0d57c3a98e1f6b2c47d5a0913ce86f2b7740d1ea",
        settings: &[("seed: 1", "seed: 2")],
        machine: NEW,
    },
    Recorded {
        title: "Half the channels",
        intent: "Find the floor: does it fall apart below 20 KB, or degrade gently?",
        setup: "As exp001 with width 0.5.",
        command: "python3 train.py --config configs/base.yaml --width 0.5",
        parent: Some("exp001"),
        tags: &["ablation"],
        hours_ago: 121,
        minutes: 24,
        ending: Ending::Completed,
        steps: 80,
        measured: Measured { accuracy: 0.9214, val_loss: 0.2874, size_kb: 14.2, latency_ms: 4.7 },
        branch: "small",
        commit: "61f08bd4c2a97e035b1d6f8890ab37c41e5520fd",
        settings: &[("width: 1.0", "width: 0.5")],
        machine: NEW,
    },
    Recorded {
        title: "Batch 1024, to train overnight",
        intent: "Could we train in two epochs by stepping much harder?",
        setup: "As exp003 with batch 1024 and four times the rate.",
        command: "python3 train.py --width 0.5 --batch 1024 --lr 1.2e-3",
        parent: Some("exp003"),
        tags: &["ablation", "throughput"],
        hours_ago: 99,
        minutes: 2,
        ending: Ending::Failed,
        steps: 5,
        measured: NOWHERE,
        branch: "small",
        commit: "61f08bd4c2a97e035b1d6f8890ab37c41e5520fd",
        settings: &[("width: 1.0", "width: 0.5"), ("batch: 128", "batch: 1024"), ("lr: 3e-4", "lr: 1.2e-3")],
        machine: NEW,
    },
    Recorded {
        title: "Mask both axes",
        intent: "Rare words overfit: mask time and frequency, and watch the gap between train and validation.",
        setup: "SpecAugment 2 x 20 frames, 2 x 6 bins; else as exp003.",
        command: "python3 train.py --width 0.5 --spec-augment 2,20,2,6",
        parent: Some("exp003"),
        tags: &["augmentation", "robustness"],
        hours_ago: 52,
        minutes: 29,
        ending: Ending::Completed,
        steps: 80,
        measured: Measured { accuracy: 0.9466, val_loss: 0.2149, size_kb: 14.2, latency_ms: 4.7 },
        branch: "small",
        commit: "4e81a0c7d3f25b6190ec84d7a2b5f3391c60de48",
        settings: MASKED,
        machine: NEW,
    },
    Recorded {
        title: "Nightly on the old cluster",
        intent: "Same as exp005 where the driver is two years older.",
        setup: "Queue short, one GPU.",
        command: "srun python3 train.py --width 0.5 --spec-augment 2,20,2,6",
        parent: Some("exp005"),
        tags: &[],
        hours_ago: 44,
        minutes: 3,
        ending: Ending::CaptureFailed,
        steps: 12,
        measured: NOWHERE,
        branch: "small",
        commit: "4e81a0c7d3f25b6190ec84d7a2b5f3391c60de48",
        settings: MASKED,
        machine: OLD,
    },
    Recorded {
        title: "Distilled from KWT-3, 12 KB",
        intent: "A large teacher should carry the small model over the line: 97 % at 12 KB.",
        setup: "KWT-3 as the teacher, temperature 4, weight 0.7; else as exp005.",
        command: "python3 distill.py --teacher kwt3 --temperature 4 --alpha 0.7",
        parent: Some("exp005"),
        tags: &["distillation", "robustness"],
        hours_ago: 6,
        minutes: 72,
        ending: Ending::Missing,
        steps: 80,
        measured: Measured { accuracy: 0.9703, val_loss: 0.1486, size_kb: 11.8, latency_ms: 3.9 },
        branch: "distill/kwt3",
        commit: "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521",
        settings: DISTILLED,
        machine: NEW,
    },
    Recorded {
        title: "Distilled, children's voices held out",
        intent: "Is the gain only on voices that the teacher has heard?",
        setup: "As exp007, with all speakers under 12 in the test set.",
        command: "python3 distill.py --teacher kwt3 --hold-out age<12",
        parent: Some("exp007"),
        tags: &["distillation"],
        hours_ago: 1,
        minutes: 0,
        ending: Ending::Running,
        steps: 31,
        measured: Measured { accuracy: 0.9588, val_loss: 0.1794, size_kb: 11.8, latency_ms: 3.9 },
        branch: "distill/kwt3",
        commit: "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521",
        settings: DISTILLED,
        machine: NEW,
    },
];

const MASKED: &[(&str, &str)] =
    &[("width: 1.0", "width: 0.5"), ("time_masks: 0", "time_masks: 2"), ("freq_masks: 0", "freq_masks: 2")];

const DISTILLED: &[(&str, &str)] = &[
    ("width: 1.0", "width: 0.4"),
    ("loss: ce", "loss: ce_kd\nteacher: kwt3\ntemperature: 4\nalpha: 0.7"),
    ("time_masks: 0", "time_masks: 2"),
    ("freq_masks: 0", "freq_masks: 2"),
];

/// What Mira wrote on them, the oldest first.
pub(in crate::browser) const NOTES: [(&str, &str); 5] = [
    ("exp002", "The seeds differ by 0.13 points. Whatever is closer than half a point, I don't believe."),
    ("exp003", "It degrades gently: 2.6 points for a third of the size. There is room for a trick."),
    (
        "exp005",
        "#insight Masking both axes gives back what half the channels cost: **2.5 points** over exp003 at the same size. It helps the rare words most, *forward* above all.",
    ),
    ("exp006", "The node went away for maintenance, with the log. To be run again."),
    (
        "exp007",
        "#insight The teacher carries the small model over the line: **97.0 %** in 11.8 KB. Temperature does the work, not the weight: see exp005 for the same model without it.",
    ),
];

/// What a machine wrote on the distilled one.
pub(in crate::browser) const MACHINE_NOTE: &str = "Per word: `no` gains 2.1 points and `stop` 1.8; `forward` still confuses with `four`. The table is in `outputs/per_class.md`.";
