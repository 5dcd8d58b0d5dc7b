//! Where points go that were read, as far as there is room for them.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use otrace_wire::series::{NAME_MAX_BYTES, NAMES_MAX, POINTS_MAX, Point};

use crate::printer;

/// One line has no more points than this: what follows them is no metric.
pub const LINE_POINTS_MAX: usize = 1_000;
/// A turn ends when it has brought so many points, or so many bytes of them.
const TURN_POINTS: usize = POINTS_MAX - LINE_POINTS_MAX;
const TURN_BYTES: usize = 384 * 1024;

/// Gathers the points of one turn.
#[derive(Debug, Default)]
pub struct Sink {
    /// When the file was written that is read, in seconds since 1970.
    written: Option<f64>,
    found: Vec<Point>,
    points: usize,
    bytes: usize,
    on_line: usize,
    /// Hashes of the names that were seen in the run.
    names: HashSet<u64>,
    hasher: RandomState,
    has_warned: bool,
}

/// When and where in its series a line stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Its step.
    pub step: Option<i64>,
    /// When it was written, in seconds since 1970, if it says so.
    pub time: Option<f64>,
}

impl Sink {
    /// Begins a turn.
    pub fn begin(&mut self) {
        (self.points, self.bytes) = (0, 0);
    }

    /// Begins a piece of a file that was written at this time, which its points have where they tell none.
    pub fn begin_piece(&mut self, written: Option<f64>) {
        self.written = written;
    }

    /// Whether there is no room for another line.
    pub const fn is_full(&self) -> bool {
        self.points >= TURN_POINTS || self.bytes >= TURN_BYTES
    }

    /// Begins a line.
    pub fn begin_line(&mut self) {
        self.on_line = 0;
    }

    /// Takes a value. Names that the server would refuse are passed over.
    pub fn put(&mut self, name: String, place: Place, value: f64) {
        let is_name = !name.is_empty() && name.len() <= NAME_MAX_BYTES && !name.chars().any(char::is_control);
        if self.on_line >= LINE_POINTS_MAX || !is_name || !self.has_room_for_name(&name) {
            return;
        }
        self.on_line += 1;
        self.points += 1;
        self.bytes += size_of::<Point>() + name.len();
        self.found.push(Point { name, step: place.step, time: place.time.or(self.written), value });
    }

    /// The points since the last time.
    pub fn take(&mut self) -> Vec<Point> {
        std::mem::take(&mut self.found)
    }

    fn has_room_for_name(&mut self, name: &str) -> bool {
        let hash = self.hasher.hash_one(name);
        if self.names.contains(&hash) {
            return true;
        }
        if self.names.len() < NAMES_MAX {
            return self.names.insert(hash);
        }
        if !self.has_warned {
            printer::warning(format_args!("the run has more than {NAMES_MAX} series; others are left out"));
            self.has_warned = true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_fits_into_a_request_and_little_memory() {
        let mut sink = Sink::default();
        sink.begin();
        while !sink.is_full() {
            sink.begin_line();
            (0..2_000).for_each(|column| sink.put(format!("column {column:0>200}"), Place::default(), 1.0));
        }
        let found = sink.take();
        assert!(found.len() <= POINTS_MAX, "{}", found.len());
        let bytes: usize = found.iter().map(|point| size_of::<Point>() + point.name.capacity()).sum();
        assert!(bytes < 1024 * 1024, "{bytes}");
        sink.begin();
        assert!(!sink.is_full() && sink.take().is_empty());
    }

    #[test]
    fn what_the_server_would_refuse_is_not_sent() {
        let mut sink = Sink::default();
        sink.begin_piece(Some(7.0));
        for name in ["", "a\nb", &"x".repeat(256), "loss"] {
            sink.begin_line();
            sink.put(name.to_owned(), Place { step: Some(3), time: None }, 0.5);
        }
        let expected = Point { name: "loss".to_owned(), step: Some(3), time: Some(7.0), value: 0.5 };
        assert_eq!(sink.take(), [expected]);
    }

    #[test]
    fn a_run_that_makes_up_names_for_ever_is_stopped_at_some() {
        let mut sink = Sink::default();
        for index in 0..NAMES_MAX + 5 {
            sink.begin_line();
            sink.put(format!("name {index}"), Place::default(), 1.0);
        }
        sink.begin_line();
        sink.put("name 0".to_owned(), Place::default(), 2.0);
        assert_eq!(sink.take().len(), NAMES_MAX + 1);
    }
}
