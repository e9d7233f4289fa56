//! The plots: SVG on a ground of its own, so that they can be read on a dark page too.

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::numbers::{number, thousands};
use super::{Cold, Report, Side};
use crate::Failure;

const SIZE: (u32, u32) = (760, 440);
const GROUND: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(45, 51, 59);
const GRID: RGBColor = RGBColor(225, 229, 234);
/// Told apart also by who does not see colours, and by their marks.
const OPERATOR: RGBColor = RGBColor(0, 90, 181);
const BARE: RGBColor = RGBColor(220, 110, 20);
/// For the legend.
const HEADROOM: f64 = 1.45;
const FONT: &str = "Helvetica, Arial, sans-serif";

/// A line with its marks.
struct Line {
    name: &'static str,
    colour: RGBColor,
    dashed: bool,
    points: Vec<(f64, f64)>,
}

/// What stands around the lines.
struct Frame {
    title: &'static str,
    across: &'static str,
    up: &'static str,
}

/// The plots that there are enough figures for: file name and content.
pub(super) fn all(report: &Report) -> Result<Vec<(&'static str, String)>, Failure> {
    let cold = report.growth();
    let mut plots = Vec::new();
    if cold.len() > 1 {
        plots.push(("cold-start.svg", times(&cold)?));
        plots.push(("cpu.svg", cpu(&cold)?));
        plots.push(("memory.svg", memory(&cold)?));
    }
    if report.sizes.len() > 1 {
        plots.push(("edits.svg", edits(report)?));
    }
    Ok(plots)
}

fn of(cold: &[&Cold], value: impl Fn(&Cold) -> f64) -> Vec<(f64, f64)> {
    cold.iter().map(|cold| (f64::from(cold.size), value(cold))).collect()
}

fn times(cold: &[&Cold]) -> Result<String, Failure> {
    let wall = |side: &Side| side.cost.wall_seconds;
    let lines = [
        Line { name: "bare loop", colour: BARE, dashed: true, points: of(cold, |c| c.bare(wall)) },
        Line { name: "operator", colour: OPERATOR, dashed: false, points: of(cold, |c| c.operator(wall)) },
    ];
    let frame = Frame {
        title: "Cold start: all connections Ready",
        across: "connections (logarithmic)",
        up: "seconds (logarithmic)",
    };
    let values = || lines.iter().flat_map(|line| &line.points).map(|point| point.1);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
    draw(&frame, (least / 1.5..most * 1.5).log_scale(), &lines)
}

fn cpu(cold: &[&Cold]) -> Result<String, Failure> {
    let own = |side: &Side| side.cost.own_cpu_seconds * 1000.0;
    let bare = of(cold, |c| c.bare(own) / f64::from(c.size));
    let operator = of(cold, |c| c.operator(own) / f64::from(c.size));
    let lines = [
        Line { name: "bare loop", colour: BARE, dashed: true, points: bare },
        Line { name: "operator", colour: OPERATOR, dashed: false, points: operator },
    ];
    let frame = Frame {
        title: "Cold start: CPU of the process for each connection",
        across: "connections (logarithmic)",
        up: "milliseconds",
    };
    draw(&frame, 0.0..above(&lines), &lines)
}

fn memory(cold: &[&Cold]) -> Result<String, Failure> {
    let peak = |side: &Side| side.peak_resident_bytes as f64 / 1024.0 / 1024.0;
    let lines = [
        Line { name: "bare loop", colour: BARE, dashed: true, points: of(cold, |c| c.bare(peak)) },
        Line { name: "operator", colour: OPERATOR, dashed: false, points: of(cold, |c| c.operator(peak)) },
    ];
    let frame = Frame {
        title: "Cold start: peak of resident memory",
        across: "connections (logarithmic)",
        up: "MiB",
    };
    draw(&frame, 0.0..above(&lines), &lines)
}

fn edits(report: &Report) -> Result<String, Failure> {
    let line = |name, colour, dashed, secret: bool, percent| {
        let of = |size: &super::Size| {
            let edits = if secret { &size.secret_edits } else { &size.spec_edits };
            (f64::from(size.cold.size), edits.percentile(percent))
        };
        Line { name, colour, dashed, points: report.sizes.iter().map(of).collect() }
    };
    let lines = [
        line("Secret edit, p99", OPERATOR, false, true, 99.0),
        line("Secret edit, p50", OPERATOR, true, true, 50.0),
        line("spec edit, p99", BARE, false, false, 99.0),
        line("spec edit, p50", BARE, true, false, 50.0),
    ];
    let frame = Frame {
        title: "From an edit to the condition, ClickUp's own time included",
        across: "connections (logarithmic)",
        up: "milliseconds",
    };
    draw(&frame, 0.0..above(&lines), &lines)
}

/// More than the greatest value.
fn above(lines: &[Line]) -> f64 {
    lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(0.0, f64::max).max(0.1) * HEADROOM
}

fn draw<Y>(frame: &Frame, up: Y, lines: &[Line]) -> Result<String, Failure>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64> + Ranged<ValueType = f64>,
{
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&GROUND)?;
        let text = |size: u32| (FONT, size).into_font().color(&INK);
        let sizes = || lines.iter().flat_map(|line| &line.points).map(|point| point.0);
        let (least, most) = (sizes().fold(f64::MAX, f64::min), sizes().fold(0.0, f64::max));
        let mut chart = ChartBuilder::on(&root)
            .margin(16)
            .margin_right(28)
            .caption(frame.title, text(19))
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d((least / 1.1..most * 1.1).log_scale(), up)?;
        let labels = text(13).pos(Pos::new(HPos::Center, VPos::Top));
        chart
            .configure_mesh()
            .x_desc(frame.across)
            .y_desc(frame.up)
            .axis_desc_style(text(14))
            .x_label_style(labels)
            .y_label_style(text(13))
            .x_label_formatter(&|size| thousands(size.round() as u64))
            .y_label_formatter(&|value| {
                number(*value, if *value < 10.0 && value.fract() > 0.001 { 1 } else { 0 })
            })
            .light_line_style(GROUND)
            .bold_line_style(GRID)
            .axis_style(INK)
            .draw()?;
        for line in lines {
            let style = line.colour.stroke_width(2);
            let drawn = if line.dashed {
                chart.draw_series(DashedLineSeries::new(line.points.iter().copied(), 7, 5, style))?
            } else {
                chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?
            };
            let (colour, dashed) = (line.colour, line.dashed);
            drawn.label(line.name).legend(move |at| {
                let pieces = if dashed { [(0, 9), (14, 22)] } else { [(0, 11), (11, 22)] };
                let [one, two] = pieces
                    .map(|(from, to)| PathElement::new(vec![(from, 0), (to, 0)], colour.stroke_width(2)));
                EmptyElement::at(at) + one + two
            });
            let marks = line.points.iter();
            if line.dashed {
                chart.draw_series(marks.map(|point| TriangleMarker::new(*point, 6, colour.filled())))?;
            } else {
                chart.draw_series(marks.map(|point| Circle::new(*point, 4, colour.filled())))?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(text(14))
            .background_style(GROUND)
            .border_style(GRID)
            .margin(12)
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}
