// Package plot draws the figures of reports: curves, heat maps, dendrograms, graphs and tables. It does not depend on runs
// and their files. Each function takes numbers and names and returns a Figure, which can be written as SVG, PDF or PNG.
//
// Figures are drawn with gonum.org/v1/plot. Lines, bands, bars, points, images and grids use gonum's plotters. This package
// adds the plotters that gonum does not have, one per file.
//
// Lengths are in points. A point is one CSS pixel of an SVG and 1/72 inch of a
// PDF; a PNG has two pixels per point. The same figure gives the same bytes.
package plot
