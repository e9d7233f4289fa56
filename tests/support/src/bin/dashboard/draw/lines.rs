//! Values over the time: lines, or areas upon each other.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Area, COLOURS, Drawn, FAINT, FONT, GRID, INK, signed, text};
use crate::units::written;
use crate::{Line, Shown};

/// A row of the legend, and how wide a letter is taken to be.
const LEGEND_ROW: u32 = 15;
const LETTER: u32 = 6;
const MOST_LEGEND_ROWS: usize = 3;
/// A gap that is longer than so many steps is one.
const STEPS: f64 = 1.6;

pub(super) fn draw(area: &Area<'_>, shown: &Shown, time: &Range<f64>) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let legend = legend(&shown.lines, width);
    let legend_height = LEGEND_ROW * u32::try_from(legend.len()).unwrap_or(1) + 4;
    let plot = area.clone().shrink((4, 0), (width - 14, height.saturating_sub(legend_height)));
    chart(&plot, shown, time)?;
    for (row, entries) in legend.iter().enumerate() {
        let down = signed(height - legend_height + 2) + signed(LEGEND_ROW) * i32::try_from(row).unwrap_or(0);
        for (left, index, name) in entries {
            let colour = colour(*index);
            area.draw(&Rectangle::new([(*left, down + 4), (left + 10, down + 8)], colour.filled()))?;
            area.draw_text(name, &text(11, &INK, HPos::Left), (left + 14, down))?;
        }
    }
    Ok(())
}

fn chart(area: &Area<'_>, shown: &Shown, time: &Range<f64>) -> Drawn {
    let unit = &shown.panel.field_config.defaults.unit;
    let stacked = shown.panel.field_config.defaults.custom.stacking.mode == "normal";
    let minutes = (time.end - time.start) / 60.0;
    let top = top(&shown.lines, stacked);
    let mut chart = ChartBuilder::on(area)
        .margin_top(6)
        .margin_right(6)
        .x_label_area_size(20)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..minutes, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(GRID)
        .x_labels(8)
        .y_labels(5)
        .x_label_formatter(&|minute| format!("{minute:.0} min"))
        .y_label_formatter(&|value| written(*value, unit))
        .label_style((FONT, 11).into_font().color(&FAINT))
        .draw()?;
    let mut below = Heights::default();
    for (index, line) in shown.lines.iter().enumerate() {
        let colour = colour(index);
        for part in parts(&line.series.points, time) {
            if stacked {
                let floor: Vec<_> = part.iter().map(|(at, _)| below.at(*at)).collect();
                let upper: Vec<_> =
                    part.iter().zip(&floor).map(|((at, value), floor)| (*at, value + floor)).collect();
                let lower = part.iter().zip(&floor).map(|((at, _), floor)| (*at, *floor)).rev();
                let outline: Vec<_> = upper.iter().copied().chain(lower).collect();
                chart.draw_series([Polygon::new(outline, colour.mix(0.35).filled())])?;
                chart.draw_series(LineSeries::new(upper.iter().copied(), colour.stroke_width(1)))?;
                upper.iter().for_each(|(at, value)| below.raise(*at, *value));
            } else if line.query > 0 && !shown.panel.field_config.overrides.is_empty() {
                chart.draw_series(DashedLineSeries::new(part, 6, 4, colour.mix(0.6).stroke_width(1)))?;
            } else {
                chart.draw_series(LineSeries::new(part, colour.stroke_width(2)))?;
            }
        }
    }
    Ok(())
}

/// How high the areas below reach, by the time in milliminutes.
#[derive(Default)]
struct Heights(std::collections::BTreeMap<i64, f64>);

impl Heights {
    fn at(&self, minute: f64) -> f64 {
        self.0.get(&Self::key(minute)).copied().unwrap_or(0.0)
    }

    fn raise(&mut self, minute: f64, to: f64) {
        self.0.insert(Self::key(minute), to);
    }

    fn key(minute: f64) -> i64 {
        (minute * 1000.0).round() as i64
    }
}

fn top(lines: &[Line], stacked: bool) -> f64 {
    let mut sums = Heights::default();
    let mut top: f64 = 0.0;
    for (at, value) in lines.iter().flat_map(|line| &line.series.points).filter(|point| point.1.is_finite()) {
        sums.raise(*at, sums.at(*at) + value);
        top = top.max(if stacked { sums.at(*at) } else { *value });
    }
    if top > 0.0 { top * 1.15 } else { 1.0 }
}

/// The points without holes, in minutes.
fn parts(points: &[(f64, f64)], time: &Range<f64>) -> Vec<Vec<(f64, f64)>> {
    let step = (time.end - time.start) / crate::POINTS;
    let (mut parts, mut before) = (Vec::<Vec<(f64, f64)>>::new(), f64::NEG_INFINITY);
    for (at, value) in points.iter().filter(|point| point.1.is_finite()) {
        if at - before > step * STEPS {
            parts.push(Vec::new());
        }
        before = *at;
        if let Some(part) = parts.last_mut() {
            part.push(((at - time.start) / 60.0, *value));
        }
    }
    parts
}

fn colour(index: usize) -> RGBColor {
    COLOURS[index % COLOURS.len()]
}

/// Rows of the legend: left edge, line and name of each entry. What does not fit is counted.
fn legend(lines: &[Line], width: u32) -> Vec<Vec<(i32, usize, String)>> {
    let (mut rows, mut left) = (vec![Vec::<(i32, usize, String)>::new()], 12_i32);
    for (index, line) in lines.iter().enumerate() {
        let letters = u32::try_from(line.name.chars().count()).unwrap_or(0);
        let takes = signed(letters * LETTER + 28);
        if left + takes > signed(width) && left > 12 {
            if rows.len() == MOST_LEGEND_ROWS {
                let rest = lines.len() - index;
                // Room for it is made of the last name.
                if let Some(last) = rows.last_mut().and_then(|row| row.last_mut()) {
                    last.2 = format!("and {} more", rest + 1);
                }
                break;
            }
            rows.push(Vec::new());
            left = 12;
        }
        if let Some(row) = rows.last_mut() {
            row.push((left, index, line.name.clone()));
        }
        left += takes;
    }
    rows
}
