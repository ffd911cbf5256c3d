//! Number formats of views.

use ttmem_model::metric::Quantity;
use ttmem_model::snapshot::Chip;
use ttmem_model::{Metric, Missing, Reading};

use crate::output::amount;
use crate::tui::look::{Look, Role};
use crate::tui::number::bytes;
use crate::tui::track::{Unit, metric};

/// Formats bytes in at most six columns with the sign of their quality, or the sign of a missing value.
#[must_use]
pub(crate) fn short(look: Look, figure: &Reading<u64>) -> String {
    match figure {
        Reading::Known { value: bytes, quality, .. } => {
            format!("{}{}", look.mark(*quality), amount::short_size(*bytes))
        }
        Reading::Missing(Missing { reason, .. }) => look.blank(*reason).to_owned(),
    }
}

/// Formats a part and a whole with their units, as in `~9.10 / 12.0 GiB`. A common unit is written once.
#[must_use]
pub(crate) fn of_whole(look: Look, part: &Reading<u64>, whole: &Reading<u64>) -> String {
    let long = |figure: &Reading<u64>| match figure {
        Reading::Known { value: bytes, quality, .. } => {
            format!("{}{}", look.mark(*quality), amount::size(*bytes))
        }
        Reading::Missing(Missing { reason, .. }) => look.blank(*reason).to_owned(),
    };
    let (part, whole) = (long(part), long(whole));
    match (part.rsplit_once(' '), whole.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number} / {whole}"),
        _ => format!("{part} / {whole}"),
    }
}

/// Returns the share of a part in a whole.
#[must_use]
pub(crate) fn percent(part: &Reading<u64>, whole: &Reading<u64>) -> String {
    let share = part.value().copied().zip(whole.value().copied());
    share.and_then(|(part, whole)| amount::percent(part, whole)).unwrap_or_default()
}

/// Returns the style of a memory this full.
#[must_use]
pub(crate) fn pressure(part: &Reading<u64>, whole: &Reading<u64>) -> Role {
    let share = part.value().copied().zip(whole.value().copied());
    match share.and_then(|(part, whole)| amount::share_in_thousandths(part, whole)) {
        Some(950..) => Role::Alarm,
        Some(850..) => Role::Notice,
        _ => Role::Plain,
    }
}

/// Formats a value on a chart.
#[must_use]
pub(crate) fn charted(look: Look, unit: Unit, number: f64) -> String {
    match unit {
        Unit::Bytes => amount::short_size(bytes(number)),
        Unit::BytesPerSecond => format!("{}/s", amount::short_size(bytes(number))),
        Unit::Celsius => format!("{number:.0}{}C", look.glyphs().degrees),
        Unit::Watts => format!("{number:.0} W"),
        Unit::Megahertz => format!("{number:.0} MHz"),
        Unit::Percent => format!("{number:.0}%"),
    }
}

/// Formats a telemetry reading to the nearest whole, or the sign of a missing value.
#[must_use]
pub(crate) fn rounded(look: Look, chip: &Chip, metric: Metric) -> String {
    match chip.telemetry.get(&metric) {
        Some(Reading::Known { value, .. }) => amount::rounded(*value),
        Some(Reading::Missing(missing)) => look.blank(missing.reason).to_owned(),
        None => look.glyphs().dash.to_owned(),
    }
}

/// Formats the temperature with its unit, and returns its style beside the limit.
#[must_use]
pub(crate) fn temperature(look: Look, chip: &Chip) -> (Role, String) {
    let text = rounded(look, chip, Metric::AsicTemperature);
    let known = metric(chip, Metric::AsicTemperature).is_some();
    let unit = if known { format!("{}C", look.glyphs().degrees) } else { String::new() };
    (limit(chip, Metric::AsicTemperature, Metric::AsicTemperatureLimit), text + &unit)
}

/// Formats the power and its limit, and returns its style.
#[must_use]
pub(crate) fn power(look: Look, chip: &Chip) -> (Role, String) {
    let role = limit(chip, Metric::Power, Metric::PowerLimit);
    let power = rounded(look, chip, Metric::Power);
    match (metric(chip, Metric::Power), metric(chip, Metric::PowerLimit)) {
        (None, None) => (role, power),
        (_, None) => (role, format!("{power} W")),
        (_, Some(limit)) => (role, format!("{power}/{} W", amount::rounded(Quantity(limit)))),
    }
}

/// Formats the clock of the Tensix cores.
#[must_use]
pub(crate) fn clock(look: Look, chip: &Chip) -> String {
    let text = rounded(look, chip, Metric::AiClock);
    if metric(chip, Metric::AiClock).is_some() { text + " MHz" } else { text }
}

/// Returns the style of a reading beside its limit.
#[must_use]
pub(crate) fn limit(chip: &Chip, of: Metric, limit: Metric) -> Role {
    match (metric(chip, of), metric(chip, limit)) {
        (Some(value), Some(limit)) if limit > 0.0 && value >= limit => Role::Alarm,
        (Some(value), Some(limit)) if limit > 0.0 && value >= limit * 0.9 => Role::Notice,
        (None, _) => Role::Quiet,
        _ => Role::Plain,
    }
}

/// Formats a sampling interval, such as `100ms` or `2s`.
#[must_use]
pub(crate) fn interval(micros: u64) -> String {
    if micros.is_multiple_of(1_000_000) {
        format!("{}s", micros / 1_000_000)
    } else {
        format!("{}ms", micros / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use ttmem_model::{Quality, SourceName};

    use super::*;
    use crate::tui::look::{Charset, Depth, Theme};

    const LOOK: Look =
        Look { theme: Theme::Default, depth: Depth::True, charset: Charset::Unicode };

    fn known(bytes: u64) -> Reading<u64> {
        let quality = Quality::Approximate;
        Reading::new(bytes, SourceName::Upstream, quality)
    }

    #[test]
    fn a_unit_is_written_once() {
        assert_eq!(of_whole(LOOK, &known(9 << 30), &known(12 << 30)), "~9.00 / ~12.0 GiB");
        assert_eq!(of_whole(LOOK, &known(9 << 20), &known(12 << 30)), "~9.00 MiB / ~12.0 GiB");
        let blank = Missing::denied("").into();
        assert_eq!(of_whole(LOOK, &blank, &known(12 << 30)), "? / ~12.0 GiB");
        assert_eq!(percent(&blank, &known(1)), "");
    }

    #[test]
    fn intervals_are_short() {
        assert_eq!(interval(250_000), "250ms");
        assert_eq!(interval(60_000_000), "60s");
    }

    #[test]
    fn memory_is_worth_a_look_before_it_is_full() {
        assert_eq!(pressure(&known(84), &known(100)), Role::Plain);
        assert_eq!(pressure(&known(85), &known(100)), Role::Notice);
        assert_eq!(pressure(&known(95), &known(100)), Role::Alarm);
    }
}
