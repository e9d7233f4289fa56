//! The memory over the time, as a drawing.

use plotters::prelude::*;

use crate::phase::Phase;
use crate::sample::Sample;

const SIZE: (u32, u32) = (960, 420);
const RESIDENT: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const ANONYMOUS: RGBColor = RGBColor(0xd6, 0x5f, 0x0e);
const OUTAGE: RGBColor = RGBColor(0xc0, 0xc0, 0xc0);

type Drawn = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// An SVG of it; grey is where ClickUp was not there.
pub(crate) fn memory(samples: &[Sample]) -> Result<String, crate::Failure> {
    let mut svg = String::new();
    draw(samples, &mut svg)?;
    Ok(svg)
}

fn draw(samples: &[Sample], svg: &mut String) -> Drawn {
    let minutes = |sample: &Sample| sample.seconds / 60.0;
    let end = samples.last().map_or(1.0, minutes).max(1.0);
    let top = samples.iter().map(Sample::rss_mib).fold(1.0, f64::max) * 1.2;
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .caption("Memory of the operator", ("sans-serif", 18))
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end, 0.0..top)?;
    let whole = |value: &f64| format!("{value:.0}");
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("minutes")
        .y_desc("MiB")
        .x_label_formatter(&whole)
        .y_label_formatter(&whole)
        .draw()?;
    let outages = samples.windows(2).filter(|pair| pair[0].phase == Phase::Outage);
    chart.draw_series(outages.map(|pair| {
        Rectangle::new([(minutes(&pair[0]), 0.0), (minutes(&pair[1]), top)], OUTAGE.mix(0.6).filled())
    }))?;
    for (name, color, of) in [
        ("resident", RESIDENT, Sample::rss_mib as fn(&Sample) -> f64),
        ("of it anonymous", ANONYMOUS, Sample::anonymous_mib),
    ] {
        let points = samples.iter().map(|sample| (minutes(sample), of(sample)));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(TRANSPARENT)
        .draw()?;
    Ok(root.present()?)
}
