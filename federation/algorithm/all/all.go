// Package all registers every algorithm. A program that offers the algorithms imports it for nothing else. An algorithm of
// one file belongs to package algorithm and needs no line here; an algorithm of several files has a folder, and one line.
package all

import (
	_ "feddag/federation/algorithm"
	_ "feddag/federation/algorithm/cfl"
	_ "feddag/federation/algorithm/cflgp"
	_ "feddag/federation/algorithm/fblg"
	_ "feddag/federation/algorithm/feddag"
	_ "feddag/federation/algorithm/fedgwc"
	_ "feddag/federation/algorithm/fedrc"
	_ "feddag/federation/algorithm/fedsoft"
	_ "feddag/federation/algorithm/pacfl"
)
