//! Values as Grafana would write them.

/// A value in this unit of Grafana's.
pub(crate) fn written(value: f64, unit: &str) -> String {
    match unit {
        "s" => duration(value),
        "bytes" => format!("{:.0} MiB", value / 1024.0 / 1024.0),
        "percentunit" => format!("{:.0} %", value * 100.0),
        "reqps" | "ops" => format!("{}/s", plain(value)),
        _ => plain(value),
    }
}

fn plain(value: f64) -> String {
    if value.fract() == 0.0 || value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 1.0 {
        format!("{value:.1}")
    } else if value.abs() < 0.1 {
        format!("{value:.3}")
    } else {
        format!("{value:.2}")
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        0.0 => "0".to_owned(),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}
