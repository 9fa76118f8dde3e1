//! Plots in SVG: jobs a second by how many are in flight, one for each program, and processor time by component.

use std::path::Path;

use plotters::prelude::*;

use super::{Report, table};
use crate::cpu::Cpu;
use crate::way::WAYS;

const SIZE: (u32, u32) = (760, 420);
const FONT: (&str, i32) = ("sans-serif", 14);

/// Of each way: what is ours is blue and green, what is bare is black.
const COLOURS: [RGBColor; 9] = [
    RGBColor(0x22, 0x22, 0x22),
    RGBColor(0xc9, 0x6a, 0x00),
    RGBColor(0xb8, 0x3a, 0x3a),
    RGBColor(0x8a, 0x4f, 0x9e),
    RGBColor(0x8c, 0x7a, 0x3c),
    RGBColor(0x6f, 0xa8, 0xdc),
    RGBColor(0x0b, 0x5c, 0xab),
    RGBColor(0x6d, 0xbf, 0x84),
    RGBColor(0x0d, 0x7d, 0x3c),
];

/// What is ours of a job's processor time.
const COMPONENTS: [(&str, RGBColor); 6] = [
    ("cell", COLOURS[6]),
    ("warden", COLOURS[5]),
    ("runner", COLOURS[8]),
    ("broker", COLOURS[1]),
    ("store", COLOURS[2]),
    ("client", COLOURS[3]),
];

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
    let mut labels = Vec::new();
    for (way, colour) in WAYS.into_iter().zip(COLOURS) {
        let line: Vec<(f64, f64)> = table::line(report, program, way)
            .iter()
            .map(|point| (point.in_flight as f64, point.per_s))
            .collect();
        let stroke = colour.stroke_width(if way.is_jail() { 1 } else { 3 });
        chart.draw_series(LineSeries::new(line.iter().copied(), stroke))?;
        chart.draw_series(line.iter().map(|at| Circle::new(*at, 3, colour.filled())))?;
        labels.extend(line.last().map(|(_, at)| (way.label(), *at, colour)));
    }
    for (label, at, colour) in apart(labels, (most / least).powf(0.045)) {
        let font = FONT.into_font().color(&colour);
        chart.draw_series([Text::new(label, (widest * 1.12, at * 1.04), font)])?;
    }
    area.present()?;
    Ok(())
}

type Label = (&'static str, f64, RGBColor);

/// Labels from the top down, each so many times below the last.
fn apart(mut labels: Vec<Label>, gap: f64) -> Vec<Label> {
    labels.sort_by(|one, other| other.1.total_cmp(&one.1));
    let mut above = f64::MAX;
    for (_, at, _) in &mut labels {
        *at = at.min(above / gap);
        above = *at;
    }
    labels
}

/// A bar a row, made of its components.
fn components(report: &Report, path: &Path) -> anyhow::Result<()> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let most = report.cpu.iter().map(Cpu::sum_ms).fold(0.1, f64::max);
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
        for (name, colour) in COMPONENTS {
            let ms = row.ms.get(name).copied().unwrap_or(0.0);
            let corners = [(from, foot), (from + ms, foot + 0.5)];
            chart.draw_series([Rectangle::new(corners, colour.filled())])?;
            from += ms;
        }
        let words = format!("{}, {}: {from:.2} ms", row.program, row.way.label());
        chart.draw_series([Text::new(words, (0.0, foot + 0.72), FONT)])?;
    }
    for (number, (name, colour)) in COMPONENTS.into_iter().enumerate() {
        let place = (most * (0.62 + 0.08 * number as f64), rows + 0.4);
        let font = FONT.into_font().color(&colour);
        chart.draw_series([Text::new(name, place, font)])?;
    }
    area.present()?;
    Ok(())
}
