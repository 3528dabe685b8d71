package algorithm_test

import _ "feddag/federation/algorithm/all" // the suite runs every registered algorithm
