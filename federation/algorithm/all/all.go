// Package all registers every algorithm. A program that offers the algorithms imports it only for this effect. An algorithm in
// a single file is part of package algorithm and needs no line here. An algorithm of several files has its own folder and one
// import line here.
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
