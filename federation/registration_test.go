package federation_test

import _ "feddag/federation/algorithm/all" // the engine is tested with the methods that it is for
