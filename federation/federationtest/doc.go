// Package federationtest provides the fixtures of tests that run a federation, as net/http/httptest does for HTTP: environments
// that train in milliseconds, observers that record what they are told, an executor whose clients diverge, and comparisons of
// models and results. The tests of the engine, those of the algorithms and the conformance suite of the algorithms use it.
//
// [TinyEnv] has eight clients in two groups for a few short rounds. [HandEnv] has two clients and one linear model, so that a
// round can be computed by hand: see [HandCase]. The other problems change the clients of a TinyEnv.
package federationtest
