//! Bars: how far something reaches now, and how something stood over the time.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{AMBER, Area, COLOURS, Drawn, FAINT, GREEN, GRID, INK, RED, last, signed, text};
use crate::units::written;
use crate::{Line, Shown};

const BAR: i32 = 20;

/// The values now, each as a bar behind its name.
pub(super) fn gauges(area: &Area<'_>, shown: &Shown) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let unit = &shown.panel.field_config.defaults.unit;
    let (names, values) = (signed(width) * 45 / 100, 46);
    let most = shown.lines.iter().filter_map(|line| last(Some(line))).fold(0.0, f64::max);
    let most = if unit == "percentunit" { 1.0 } else { most.max(f64::MIN_POSITIVE) };
    for (n, line) in shown.lines.iter().take((signed(height) / BAR).unsigned_abs() as usize).enumerate() {
        let down = BAR * i32::try_from(n).unwrap_or(0);
        let value = last(Some(line)).unwrap_or(0.0);
        let colour = match unit.as_str() {
            "percentunit" if value < 0.1 => RED,
            "percentunit" if value < 0.2 => AMBER,
            "percentunit" => GREEN,
            _ => COLOURS[0],
        };
        let room = f64::from(signed(width) - names - values - 16);
        let end = names + (room * (value / most).clamp(0.0, 1.0)) as i32;
        area.draw_text(&line.name, &text(11, &INK, HPos::Left), (10, down + 3))?;
        area.draw(&Rectangle::new(
            [(names, down + 3), (end.max(names + 1), down + 15)],
            colour.mix(0.75).filled(),
        ))?;
        area.draw_text(&written(value, unit), &text(11, &INK, HPos::Left), (end + 6, down + 3))?;
    }
    Ok(())
}

/// A bar for each line, coloured by its value where it has one.
pub(super) fn timeline(area: &Area<'_>, shown: &Shown, time: &Range<f64>) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let (names, fit) = (signed(width) * 30 / 100, (height.saturating_sub(16) / 14) as usize);
    let lines = interesting(&shown.lines, fit);
    let room = f64::from(signed(width) - names - 12);
    let across = |at: f64| names + (room * (at - time.start) / (time.end - time.start)) as i32;
    let step = (time.end - time.start) / crate::POINTS;
    for (n, line) in lines.iter().enumerate() {
        let down = 14 * i32::try_from(n).unwrap_or(0);
        area.draw_text(&line.name, &text(10, &INK, HPos::Left), (10, down + 1))?;
        for (at, until, value) in runs(&line.series.points, step) {
            let colour = if line.name.contains('/') { state(value) } else { COLOURS[0] };
            let bar = [(across(at), down + 1), (across(until).min(signed(width) - 12), down + 11)];
            area.draw(&Rectangle::new(bar, colour.mix(0.75).filled()))?;
        }
    }
    let axis = signed(height) - 14;
    area.draw(&PathElement::new([(names, axis), (signed(width) - 12, axis)], GRID))?;
    let minutes = ((time.end - time.start) / 60.0) as i32;
    for minute in (0..=minutes).step_by(2) {
        let at = across(time.start + f64::from(minute) * 60.0);
        area.draw_text(&format!("{minute} min"), &text(10, &FAINT, HPos::Center), (at, axis + 2))?;
    }
    Ok(())
}

/// Those to which most happened: a panel has room for a few.
fn interesting(lines: &[Line], fit: usize) -> Vec<&Line> {
    let mut order: Vec<_> = lines.iter().collect();
    let changes = |line: &&Line| line.series.points.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
    let is_verified = |line: &&Line| line.name.ends_with(" Verified");
    order.sort_by_key(|line| (is_verified(line), usize::MAX - changes(line)));
    order.truncate(fit);
    order
}

fn state(value: f64) -> RGBColor {
    match value {
        v if v > 0.0 => GREEN,
        v if v < 0.0 => AMBER,
        _ => RED,
    }
}

/// From when until when a value stood.
fn runs(points: &[(f64, f64)], step: f64) -> Vec<(f64, f64, f64)> {
    let mut runs = Vec::<(f64, f64, f64)>::new();
    for (at, value) in points {
        match runs.last_mut() {
            Some((_, until, same)) if *same == *value && at - *until < step * 0.6 => *until = at + step,
            _ => runs.push((*at, at + step, *value)),
        }
    }
    runs
}
