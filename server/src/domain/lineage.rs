//! Lineage: the tree of runs that go on from one another, laid out in rows and lanes.
//!
//! Each run has a row, below all that went on from it. A chain of runs stays in its lane; what forks off it stands one
//! lane further out, above the run that it forks off. So every lane further in runs past a row without a break.

use std::collections::HashMap;

/// A run and the one that it goes on from, by their numbers in the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The run.
    pub number: i32,
    /// The run that it goes on from.
    pub parent: Option<i32>,
}

/// How a run is joined to the one that it goes on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descent {
    /// Not at all: it goes on from none that is in the tree.
    Root,
    /// It goes straight down its lane.
    Straight,
    /// It joins the lane further in, below its row.
    Fork,
}

/// The place of a run in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which of the runs it is.
    pub index: usize,
    /// In which lane it stands; 0 is the innermost.
    pub lane: usize,
    /// How it is joined to the run that it goes on from.
    pub descent: Descent,
    /// Whether a run above it in its lane goes on from it.
    pub has_child: bool,
    /// Whether it is the active run, or one that this run goes back to.
    pub is_active: bool,
    /// Whether the active branch runs past it, in lane 0.
    pub is_beside_active: bool,
}

/// Runs, and how they hang together.
struct Forest {
    /// The place of each run's parent.
    parents: Vec<Option<usize>>,
    /// The places of those that go on from each run, the newest first.
    children: Vec<Vec<usize>>,
    /// Of each run: it is on the active branch.
    is_active: Vec<bool>,
    /// Of each run: with how many it stands, itself and all that go back to it.
    sizes: Vec<usize>,
}

impl Forest {
    fn new(links: &[Link], active: Option<i32>) -> Self {
        let places: HashMap<i32, usize> = links.iter().enumerate().map(|(at, link)| (link.number, at)).collect();
        // What it goes on from was there before it and has a lower number; so no run is its own ancestor.
        let parent_of = |link: &Link| link.parent.filter(|parent| *parent < link.number);
        let parents: Vec<Option<usize>> = links.iter().map(|link| places.get(&parent_of(link)?).copied()).collect();
        let mut children = vec![Vec::new(); links.len()];
        let mut sizes = vec![1; links.len()];
        for (at, parent) in parents.iter().enumerate() {
            if let Some(parent) = *parent {
                children[parent].push(at);
                sizes[parent] += sizes[at];
            }
        }
        let mut is_active = vec![false; links.len()];
        let mut next = active.and_then(|number| places.get(&number).copied());
        while let Some(at) = next {
            is_active[at] = true;
            next = parents[at];
        }
        Self { parents, children, is_active, sizes }
    }

    /// What goes on in a run's lane: the active branch, else the most of them.
    fn main_child(&self, of: usize) -> Option<usize> {
        let children = &self.children[of];
        let active = children.iter().copied().find(|child| self.is_active[*child]);
        active.or_else(|| children.iter().copied().rev().max_by_key(|child| self.sizes[*child]))
    }
}

/// Lays runs out, which come newest first: from the top to the bottom, with the active branch in lane 0.
pub fn rows(links: &[Link], active: Option<i32>) -> Vec<Row> {
    let forest = Forest::new(links, active);
    // From the bottom to the top: of what waits, what was put there last comes first.
    let mut waiting: Vec<(usize, usize)> = roots(&forest).into_iter().map(|root| (root, 0)).collect();
    let mut rows = Vec::with_capacity(links.len());
    while let Some((index, lane)) = waiting.pop() {
        let main = forest.main_child(index);
        let is_fork = |parent: usize| forest.main_child(parent) != Some(index);
        let descent = match forest.parents[index] {
            None => Descent::Root,
            Some(parent) if is_fork(parent) => Descent::Fork,
            Some(_) => Descent::Straight,
        };
        let is_active = forest.is_active[index];
        rows.push(Row { index, lane, descent, has_child: main.is_some(), is_active, is_beside_active: false });
        waiting.extend(main.map(|child| (child, lane)));
        let forks = forest.children[index].iter().copied().filter(|child| Some(*child) != main);
        waiting.extend(forks.map(|child| (child, lane + 1)));
    }
    rows.reverse();
    let branch: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].is_active).collect();
    if let (Some(top), Some(bottom)) = (branch.first(), branch.last()) {
        for row in &mut rows[*top..*bottom] {
            row.is_beside_active = true;
        }
    }
    rows
}

/// The runs that go on from none, as they stand from the top: the active one's, then the newest tree.
fn roots(forest: &Forest) -> Vec<usize> {
    let mut newest: Vec<usize> = (0..forest.parents.len()).collect();
    for (at, parent) in forest.parents.iter().enumerate() {
        if let Some(parent) = *parent {
            newest[parent] = newest[parent].min(newest[at]);
        }
    }
    let mut roots: Vec<usize> = (0..forest.parents.len()).filter(|at| forest.parents[*at].is_none()).collect();
    roots.sort_by_key(|root| (!forest.is_active[*root], newest[*root]));
    roots
}

/// The best of the values up to each of them, which come oldest first: what is not a number changes nothing.
pub fn best_so_far(values: &[Option<f64>], lower_is_better: bool) -> Vec<Option<f64>> {
    let better = |best: f64, value: f64| if lower_is_better { best.min(value) } else { best.max(value) };
    let mut best: Option<f64> = None;
    values
        .iter()
        .map(|value| {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                best = Some(best.map_or(value, |best| better(best, value)));
            }
            best
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs with these parents, 0 for none, newest first; the first parent is that of run 1.
    fn links(parents: &[i32]) -> Vec<Link> {
        let link = |(number, parent): (i32, &i32)| Link { number, parent: Some(*parent).filter(|parent| *parent > 0) };
        let mut links: Vec<Link> = (1..).zip(parents).map(link).collect();
        links.reverse();
        links
    }

    /// `number/lane` from the top to the bottom.
    fn drawn(links: &[Link], active: Option<i32>) -> Vec<String> {
        rows(links, active).iter().map(|row| format!("{}/{}", links[row.index].number, row.lane)).collect()
    }

    #[test]
    fn a_chain_stays_in_its_lane_and_what_forks_off_stands_one_further_out() {
        // 1 ← 2 ← 4 and 1 ← 3 ← 5, of which 5 is active.
        let links = links(&[0, 1, 1, 2, 3]);
        assert_eq!(drawn(&links, Some(5)), ["5/0", "3/0", "4/1", "2/1", "1/0"]);
        assert_eq!(drawn(&links, Some(4)), ["4/0", "2/0", "5/1", "3/1", "1/0"]);
        let rows = rows(&links, Some(5));
        let of = |number: i32| *rows.iter().find(|row| links[row.index].number == number).unwrap();
        assert_eq!((of(5).descent, of(2).descent, of(1).descent), (Descent::Straight, Descent::Fork, Descent::Root));
        assert!(of(4).is_beside_active && !of(4).is_active && of(1).is_active && !of(1).is_beside_active);
        assert!(!of(5).has_child && of(2).has_child);
    }

    #[test]
    fn trees_stand_one_below_the_other_the_active_one_first() {
        let links = links(&[0, 0, 1, 0]);
        assert_eq!(drawn(&links, None), ["4/0", "3/0", "1/0", "2/0"]);
        assert_eq!(drawn(&links, Some(2)), ["2/0", "4/0", "3/0", "1/0"]);
        assert_eq!(drawn(&[], Some(2)), [""; 0]);
    }

    #[test]
    fn the_best_so_far_never_gets_worse() {
        let values = [None, Some(2.0), Some(f64::NAN), Some(1.0), Some(3.0)];
        assert_eq!(best_so_far(&values, false), [None, Some(2.0), Some(2.0), Some(2.0), Some(3.0)]);
        assert_eq!(best_so_far(&values, true), [None, Some(2.0), Some(2.0), Some(1.0), Some(1.0)]);
    }

    proptest! {
        #[test]
        fn every_run_has_one_row_below_all_that_goes_on_from_it(parents in prop::collection::vec(0_i32..60, 0..60), active in 0_i32..60) {
            let links = links(&parents);
            let rows = rows(&links, Some(active));
            prop_assert_eq!(rows.len(), links.len());
            let mut place = vec![usize::MAX; links.len()];
            for (at, row) in rows.iter().enumerate() {
                prop_assert_eq!(place[row.index], usize::MAX);
                place[row.index] = at;
            }
            for (at, link) in links.iter().enumerate() {
                let parent = links.iter().position(|one| Some(one.number) == link.parent && one.number < link.number);
                prop_assert!(parent.is_none_or(|parent| place[parent] > place[at]), "{} of {:?}", link.number, links);
            }
        }
    }
}
