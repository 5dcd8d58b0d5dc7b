//! Runs from elsewhere, which take their place among a project's runs all at once.

/// So many runs are written by one statement at most.
const STATEMENT_RUNS: usize = 500;
/// A statement ends with the run that makes it longer than this, in bytes of JSON.
const STATEMENT_BYTES: i64 = 4 * 1024 * 1024;

/// An import.
#[derive(Clone, Copy, Debug)]
pub struct Import {
    /// The project's highest run number when it began: later runs are not replaced.
    pub last_run_number: i32,
    /// What came of it; `None`: its runs have not taken their place yet.
    pub placed: Option<Placed>,
}

/// What an import came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The number of its first run, which the others follow without a gap.
    pub first_number: i32,
    /// How many runs it brought.
    pub run_count: i32,
    /// How many runs were deleted for them.
    pub deleted_count: i32,
}

/// Which runs are written together: the first and the last position of each statement, for runs of these sizes in bytes.
pub fn statements(sizes: &[i64]) -> Vec<(i32, i32)> {
    let (mut statements, mut first, mut bytes) = (Vec::new(), 0, 0);
    for (position, size) in sizes.iter().enumerate() {
        bytes += size;
        let is_last = position + 1 == sizes.len();
        if is_last || bytes > STATEMENT_BYTES || position + 1 - first == STATEMENT_RUNS {
            // Positions are as many as an import may have runs.
            let at = |position: usize| i32::try_from(position).unwrap_or(i32::MAX);
            statements.push((at(first), at(position)));
            (first, bytes) = (position + 1, 0);
        }
    }
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_bounded_and_leave_no_run_out() {
        assert!(statements(&[]).is_empty());
        assert_eq!(statements(&[7, 7, 7]), [(0, 2)]);
        assert_eq!(statements(&[10; 1001]), [(0, 499), (500, 999), (1000, 1000)]);
        assert_eq!(statements(&[1, STATEMENT_BYTES, 1, 1]), [(0, 1), (2, 3)]);
        assert_eq!(statements(&[10 * STATEMENT_BYTES, 10 * STATEMENT_BYTES]), [(0, 0), (1, 1)]);
    }
}
