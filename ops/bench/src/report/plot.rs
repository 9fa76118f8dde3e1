//! Plots in SVG: jobs a second by how many are in flight, one for each program, and processor time by component.

use std::path::Path;

use plotters::prelude::*;

use super::{Report, table};
use crate::way::WAYS;

const SIZE: (u32, u32) = (760, 420);
const FONT: (&str, i32) = ("sans-serif", 14);

/// Writes them to `folder`.
pub(super) fn write(report: &Report, folder: &Path) -> anyhow::Result<()> {
    for program in table::programs(report) {
        rates(report, program, &folder.join(format!("{program}.svg")))?;
    }
    components(report, &folder.join("cpu.svg"))
}

/// A line a way; both axes are logarithmic, since a warm job and a container differ by an order of magnitude.
fn rates(report: &Report, program: &str, path: &Path) -> anyhow::Result<()> {
    let own = report
        .points
        .iter()
        .filter(|point| point.program == program);
    let (mut least, mut most, mut widest) = (f64::MAX, 0.0_f64, 2.0_f64);
    for point in own {
        (least, most) = (least.min(point.per_s), most.max(point.per_s));
        widest = widest.max(point.in_flight as f64);
    }
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (across, up) = (1.0..widest * 2.5, least * 0.8..most * 1.25);
    let mut chart = ChartBuilder::on(&area)
        .caption(
            format!("{program}: a second, by how many are in flight"),
            FONT,
        )
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(64)
        .build_cartesian_2d(across.log_scale(), up.log_scale())?;
    let axis = |value: &f64| format!("{value:.0}");
    chart
        .configure_mesh()
        .x_label_formatter(&axis)
        .y_label_formatter(&axis)
        .x_desc("in flight")
        .y_desc("a second")
        .light_line_style(WHITE)
        .draw()?;
    for (number, way) in WAYS.into_iter().enumerate() {
        let line = table::line(report, program, way);
        let line: Vec<(f64, f64)> = line
            .iter()
            .map(|point| (point.in_flight as f64, point.per_s))
            .collect();
        let colour = Palette99::pick(number).to_rgba();
        chart.draw_series(LineSeries::new(
            line.iter().copied(),
            colour.stroke_width(2),
        ))?;
        chart.draw_series(line.iter().map(|at| Circle::new(*at, 3, colour.filled())))?;
        let label = |at: &(f64, f64)| {
            EmptyElement::at(*at) + Text::new(way.label(), (8, -6), FONT.into_font().color(&colour))
        };
        chart.draw_series(line.last().map(label))?;
    }
    area.present()?;
    Ok(())
}

/// A bar a row, made of its components.
fn components(report: &Report, path: &Path) -> anyhow::Result<()> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let sums = report.cpu.iter().map(|row| row.ms.values().sum::<f64>());
    let most = sums.fold(0.1, f64::max);
    let rows = report.cpu.len() as f64;
    let mut chart = ChartBuilder::on(&area)
        .caption("processor time of a job, whole way, in ms", FONT)
        .margin(12)
        .x_label_area_size(34)
        .build_cartesian_2d(0.0..most * 1.1, 0.0..rows + 0.6)?;
    chart
        .configure_mesh()
        .disable_y_axis()
        .disable_mesh()
        .draw()?;
    for (number, row) in report.cpu.iter().enumerate() {
        let (foot, mut from) = (number as f64 + 0.1, 0.0);
        for (colour, ms) in row.ms.values().enumerate() {
            let corners = [(from, foot), (from + ms, foot + 0.5)];
            let fill = Palette99::pick(colour).filled();
            chart.draw_series([Rectangle::new(corners, fill)])?;
            from += ms;
        }
        let words = format!("{}, {}: {from:.2} ms", row.program, row.way.label());
        chart.draw_series([Text::new(words, (0.0, foot + 0.72), FONT)])?;
    }
    let names = report.cpu.first().map(|row| row.ms.keys());
    for (number, name) in names.into_iter().flatten().enumerate() {
        let place = (
            most * (0.55 + 0.14 * (number % 4) as f64),
            rows + 0.5 - 0.2 * (number / 4) as f64,
        );
        let colour = Palette99::pick(number).to_rgba();
        chart.draw_series([Text::new(*name, place, FONT.into_font().color(&colour))])?;
    }
    area.present()?;
    Ok(())
}
