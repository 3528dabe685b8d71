// Package benchmarks holds the numbers that the paper prints, beside the scripts that run its tables.
package benchmarks

import _ "embed"

// Paper is paper.csv: what the paper prints for its tables 2, 4, 5, 10, 11 and 13.
//
//go:embed paper.csv
var Paper []byte

// Ablations is paper_ablations.csv: what the paper prints for its tables 3, 6 to 9 and 14 to 18.
//
//go:embed paper_ablations.csv
var Ablations []byte
