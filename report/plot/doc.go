// Package plot draws the pictures of reports: curves, heat maps, dendrograms,
// graphs and tables. It knows nothing of runs and their files. Each function
// takes numbers and names and returns a Figure, which can be written as SVG,
// PDF or PNG.
//
// The drawing is done by gonum.org/v1/plot. Lines, bands, bars, points, images
// and grids are gonum's own plotters; what gonum lacks is a plot.Plotter of
// this package, one per file.
//
// Lengths are in points. A point is one CSS pixel of an SVG and 1/72 inch of a
// PDF; a PNG has two pixels per point. The same figure gives the same bytes.
package plot
