//! Graphics cards, asked through NVIDIA's management library where the machine has it.

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;

use super::float;

/// So many cards are measured at most.
const GPUS_MAX: u32 = 16;
/// The library tells power in milliwatts.
const MILLI: f64 = 1000.0;

/// The cards of the machine.
pub struct Gpus {
    /// Nothing where there is no library, or no driver.
    nvml: Option<Nvml>,
}

impl Gpus {
    /// Looks for cards. Waking a driver may take seconds.
    pub fn find() -> Self {
        Self { nvml: Nvml::init().ok() }
    }

    /// Tells what each card is busy with, as far as it says.
    pub fn measure(&self, mut tell: impl FnMut(&str, f64)) {
        let Some(nvml) = &self.nvml else { return };
        for index in 0..nvml.device_count().unwrap_or(0).min(GPUS_MAX) {
            let Ok(gpu) = nvml.device_by_index(index) else { continue };
            let mut tell = |name: &str, value: Option<f64>| {
                if let Some(value) = value {
                    tell(&format!("gpu/{index}/{name}"), value);
                }
            };
            tell("utilization", gpu.utilization_rates().ok().map(|rates| rates.gpu.into()));
            tell("memory", gpu.memory_info().ok().map(|memory| float(memory.used)));
            tell("power", gpu.power_usage().ok().map(|power| f64::from(power) / MILLI));
            tell("temperature", gpu.temperature(TemperatureSensor::Gpu).ok().map(f64::from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_cards_tells_of_none() {
        let mut told = Vec::new();
        Gpus { nvml: None }.measure(|name, _| told.push(name.to_owned()));
        assert!(told.is_empty());
    }
}
