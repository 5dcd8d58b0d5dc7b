//! What a training script measures along the way: losses that fall, an accuracy that rises, both with some noise.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Recorded;

/// A step is written down so often.
const STEP: u32 = 250;
/// So many points a run has that goes to its end.
const WHOLE: u32 = 80;

/// The body of `POST /v1/runs/…/series`: all that the run has measured.
pub(super) fn batches(run: &Recorded, start: OffsetDateTime) -> Value {
    // What still runs has come so far in the hour since its start.
    let minutes = if run.minutes == 0 { 55 } else { run.minutes };
    let start = (start - OffsetDateTime::UNIX_EPOCH).as_seconds_f64();
    let measured = run.measured;
    let mut points = Vec::new();
    for place in 1..=run.steps {
        // At the end nothing is left, and the last value is the result.
        let left = far(place) - far(WHOLE);
        let noise = if place == WHOLE { 0.0 } else { noise(place, measured.accuracy) * (0.2 + left).sqrt() };
        let time = start + f64::from(minutes * 60 * place) / f64::from(run.steps);
        let values = [
            ("val/accuracy", measured.accuracy - 0.52 * left + 0.012 * noise),
            ("val/loss", measured.val_loss + 1.7 * left - 0.03 * noise),
            ("train/loss", measured.val_loss * 0.7 + 1.75 * left - 0.01 * noise),
        ];
        for (name, value) in values {
            points.push(json!({"name": name, "step": place * STEP, "time": time, "value": value}));
        }
    }
    json!({"batches": [{"source": "outputs/history.csv", "first": 0, "points": points}]})
}

/// How much is left to learn after so many steps, from 1 on.
fn far(place: u32) -> f64 {
    ((1.0 - f64::from(place)) / 9.0).exp()
}

/// From -1 to 1, and always the same.
fn noise(place: u32, seed: f64) -> f64 {
    (f64::from(place) * 12.9898 + seed * 7_823.3).sin()
}
