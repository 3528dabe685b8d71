package federation_test

import _ "feddag/federation/algorithm/all" // the tests run the engine with the registered algorithms
