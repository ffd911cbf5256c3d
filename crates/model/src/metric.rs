//! The telemetry of a chip: everything measured except its memory.

use serde::{Deserialize, Serialize, Serializer};

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal, $unit:literal;)+) => {
        /// One telemetry reading of a chip. The JSON name ends in the unit.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum Metric {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Metric {
            /// Every metric, in the order of the outputs.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the name in JSON.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The unit, as printed after a number; empty for a count.
            #[must_use]
            pub fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit),+ }
            }

            /// Returns its description in one line.
            #[must_use]
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii_start(),)+ }
            }
        }
    };
}

metrics! {
    /// Temperature of the ASIC.
    AsicTemperature => "asic_temperature_c", "C";
    /// Temperature at which the ASIC throttles.
    AsicTemperatureLimit => "asic_temperature_limit_c", "C";
    /// Power that the ASIC draws.
    Power => "power_w", "W";
    /// Power at which the ASIC throttles.
    PowerLimit => "power_limit_w", "W";
    /// Core current.
    Current => "current_a", "A";
    /// Highest core current.
    CurrentLimit => "current_limit_a", "A";
    /// Core voltage.
    Voltage => "voltage_v", "V";
    /// Highest core voltage.
    VoltageLimit => "voltage_limit_v", "V";
    /// Clock of the Tensix cores.
    AiClock => "aiclk_mhz", "MHz";
    /// Clock of the NOC and its AXI bridges.
    AxiClock => "axiclk_mhz", "MHz";
    /// Clock of the management processor.
    ArcClock => "arcclk_mhz", "MHz";
    /// Fan speed.
    Fan => "fan_rpm", "RPM";
    /// Beats of the management processor; it does not advance when the firmware hangs.
    Heartbeat => "heartbeat", "";
    /// Times the chip was switched off for its temperature.
    ThermalTrips => "therm_trip_count", "";
    /// Bytes written from the host to the chip per second, over both NOCs.
    PcieHostToDevice => "pcie_host_to_device_bytes_per_s", "B/s";
    /// Bytes written from the chip to the host per second, over both NOCs.
    PcieDeviceToHost => "pcie_device_to_host_bytes_per_s", "B/s";
}

/// A measured number: an integer where it is whole, so that 45 °C prints as `45`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Quantity(pub f64);

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// The first whole `f64` that may stand for two integers: 2^53.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() < EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_quantities_print_as_integers() {
        let print = |number| serde_json::to_string(&Quantity(number)).unwrap();
        assert_eq!(print(45.0), "45");
        assert_eq!(print(0.85), "0.85");
        assert_eq!(print(-3.0), "-3");
        assert_eq!(serde_json::from_str::<Quantity>("45").unwrap(), Quantity(45.0));
    }

    #[test]
    fn every_metric_says_what_it_is() {
        for metric in Metric::ALL {
            assert!(metric.help().ends_with('.'), "{metric:?}");
            assert!(!metric.help().starts_with(' '), "{metric:?}");
        }
    }
}
