package algorithm_test

import _ "feddag/federation/algorithm/all" // the suite drives whatever is registered
