//! How runs are treated.

use clap::Args;

/// How runs are treated.
#[derive(Args, Clone, Copy, Debug)]
pub struct RunsConfig {
    /// A run whose machine is not heard of for so many hours is given up as a failed capture; what arrives
    /// later still heals it. 0: never.
    #[arg(long, env = "OTRACE_SILENCE_HOURS", default_value_t = 1, value_name = "HOURS")]
    pub silence_hours: u32,
    /// How often what nothing needs any more is removed for good, in hours: the trash after 30 days, contents that the
    /// rules of retention delete or nothing refers to. 0: never, but for `otrace-server sweep`.
    #[arg(long, env = "OTRACE_SWEEP_HOURS", default_value_t = 24, value_name = "HOURS")]
    pub sweep_hours: u32,
}

impl Default for RunsConfig {
    fn default() -> Self {
        Self { silence_hours: 1, sweep_hours: 24 }
    }
}
