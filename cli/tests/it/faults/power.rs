//! The power is cut: what was acknowledged is there, on the side that acknowledged it.
//!
//! A disk in a file is copied while it is written to. The copy has what was synced; of the rest only what the kernel
//! has written by itself. Each test has its controls: something that was never synced, and has to be gone, and the
//! same programs on a disk that says that it has synced, and has not. What this can't show is a disk that writes in
//! another order, or half of a block.

mod server;
mod workspace;

use uuid::Uuid;

/// So often the power is cut in one test.
const CUTS: usize = 3;
/// A seed of an earlier run, to have the same moments again.
const SEED: &str = "FAULTS_SEED";

/// Moments that are drawn by lot, and can be drawn again. Shown, it is the seed.
struct Lots {
    seed: u64,
    state: u64,
}

impl Lots {
    fn new() -> Self {
        let given = std::env::var(SEED).ok().map(|seed| seed.parse().expect("a number"));
        let drawn = || Uuid::now_v7().as_u64_pair().1;
        let seed = given.unwrap_or_else(drawn);
        Self { seed, state: seed | 1 }
    }

    /// A number from 1 to this one.
    fn up_to(&mut self, most: usize) -> usize {
        // Xorshift: any sequence does that is another one each time.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).expect("31 bits") % most + 1
    }
}

impl std::fmt::Debug for Lots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SEED}={}", self.seed)
    }
}
