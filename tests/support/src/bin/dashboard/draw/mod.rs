//! The picture: each panel on the dashboard's own grid.

mod bars;
mod lines;

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::units::written;
use crate::{Failure, Shown};

/// A column and a row of the grid, of which a dashboard has 24 and as many as it needs.
const COLUMN: u32 = 58;
const ROW: u32 = 30;
const GAP: u32 = 6;

const PAGE: RGBColor = RGBColor(244, 245, 245);
const GROUND: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(36, 41, 46);
const FAINT: RGBColor = RGBColor(110, 118, 126);
const GRID: RGBColor = RGBColor(228, 231, 235);
const GREEN: RGBColor = RGBColor(31, 138, 76);
const RED: RGBColor = RGBColor(208, 50, 56);
const AMBER: RGBColor = RGBColor(222, 158, 16);
/// Told apart also by who does not see all colours.
const COLOURS: [RGBColor; 10] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(120, 94, 240),
    RGBColor(148, 140, 40),
    RGBColor(90, 90, 90),
    RGBColor(160, 40, 60),
];
const FONT: &str = "Helvetica, Arial, sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Failure>;

/// An SVG of all panels.
pub(crate) fn picture(shown: &[Shown], time: Range<f64>) -> Result<String, Failure> {
    let mut svg = String::new();
    let rows = shown.iter().map(|s| s.panel.grid_pos.y + s.panel.grid_pos.h).max().unwrap_or(1);
    {
        let root =
            SVGBackend::with_string(&mut svg, (24 * COLUMN + GAP, rows * ROW + GAP)).into_drawing_area();
        root.fill(&PAGE)?;
        for shown in shown {
            let at = shown.panel.grid_pos;
            let corner = (at.x * COLUMN + GAP, at.y * ROW + GAP);
            let area = root.clone().shrink(corner, (at.w * COLUMN - GAP, at.h * ROW - GAP));
            panel(&area, shown, &time)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn panel(area: &Area<'_>, shown: &Shown, time: &Range<f64>) -> Drawn {
    let panel = &shown.panel;
    if panel.kind == "row" {
        let style = text(16, &INK, HPos::Left);
        return Ok(area.draw_text(&panel.title, &style, (4, 4))?);
    }
    area.fill(&GROUND)?;
    area.draw_text(&panel.title, &text(13, &INK, HPos::Left), (10, 7))?;
    let (width, height) = area.dim_in_pixel();
    let content = area.clone().shrink((0, 26), (width, height.saturating_sub(30)));
    match panel.kind.as_str() {
        "stat" => stat(&content, shown),
        "table" => table(&content, shown),
        "bargauge" => bars::gauges(&content, shown),
        "state-timeline" => bars::timeline(&content, shown, time),
        _ => lines::draw(&content, shown, time),
    }
}

fn stat(area: &Area<'_>, shown: &Shown) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let value = last(shown.lines.first());
    let colour = match (shown.panel.title.as_str(), value) {
        ("Not ready", Some(value)) if value > 0.0 => RED,
        ("Not known", Some(value)) if value > 0.0 => AMBER,
        ("Connections" | "Tokens" | "Suspended", _) => COLOURS[0],
        _ => GREEN,
    };
    let words =
        value.map_or("no data".to_owned(), |value| written(value, &shown.panel.field_config.defaults.unit));
    let at = (half(width), half(height));
    let style = text(40, &colour, HPos::Center).pos(Pos::new(HPos::Center, VPos::Center));
    Ok(area.draw_text(&words, &style, at)?)
}

fn table(area: &Area<'_>, shown: &Shown) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let hidden = ["__name__", "job"];
    let mut heads: Vec<String> = Vec::new();
    for name in shown.lines.iter().flat_map(|line| line.series.labels.keys()) {
        if !heads.contains(name)
            && !hidden.contains(&name.as_str())
            && (name != "instance" || shown.panel.kind != "table" || heads.is_empty())
        {
            heads.push(name.clone());
        }
    }
    // A constant 1 is no column.
    let unit = &shown.panel.field_config.defaults.unit;
    let valued = unit == "s";
    if !valued {
        heads.retain(|head| head != "instance");
        heads.sort_by_key(|head| ["namespace", "name", "reason"].iter().position(|known| known == head));
    }
    let columns = heads.len() + usize::from(valued);
    let left = |column: usize| {
        10 + i32::try_from(column).unwrap_or(0) * signed(width) / signed(columns.max(1) as u32)
    };
    for (column, head) in heads.iter().map(String::as_str).chain(valued.then_some("up for")).enumerate() {
        area.draw_text(head, &text(12, &FAINT, HPos::Left), (left(column), 2))?;
    }
    let fit = (height.saturating_sub(24) / 17) as usize;
    for (row, line) in shown.lines.iter().take(fit).enumerate() {
        let down = 22 + 17 * i32::try_from(row).unwrap_or(0);
        let cells = heads.iter().map(|head| line.series.labels.get(head).cloned().unwrap_or_default());
        let value = valued.then(|| last(Some(line)).map_or(String::new(), |value| written(value, unit)));
        for (column, cell) in cells.chain(value).enumerate() {
            area.draw_text(&cell, &text(12, &INK, HPos::Left), (left(column), down))?;
        }
    }
    Ok(())
}

fn last(line: Option<&crate::Line>) -> Option<f64> {
    line?.series.points.last().map(|point| point.1)
}

fn text(size: u32, colour: &RGBColor, across: HPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(colour).pos(Pos::new(across, VPos::Top))
}

fn signed(pixels: u32) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

fn half(pixels: u32) -> i32 {
    signed(pixels / 2)
}
