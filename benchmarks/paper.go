// Package benchmarks embeds the numbers in the paper's tables. The same folder has the scripts that run these tables.
package benchmarks

import _ "embed"

// Paper is paper.csv: the numbers in the paper's tables 2, 4, 5, 10, 11 and 13.
//
//go:embed paper.csv
var Paper []byte

// Ablations is paper_ablations.csv: the numbers in the paper's tables 3, 6 to 9 and 14 to 18.
//
//go:embed paper_ablations.csv
var Ablations []byte
