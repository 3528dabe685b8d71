// Package federation is the engine of a simulated federation: clients with their data, cohorts, rounds, evaluation, the
// byte ledger, checkpoints and scenarios. The methods are in feddag/federation/algorithm, one file or folder each.
//
// [Run] owns what every method shares: which clients are sampled, evaluation, timing, the ledger, checkpoints and
// observers. An [Algorithm] owns the rest. What a method can do beyond training is in the optional interfaces, each
// declared in the file of the engine that uses it: [Flagger] and [Validator] (flags.go), [Checkpointer]
// (checkpoint.go), [Clustered] and [Clusterer] (clustering.go), [Selector] (cohort.go), [Predictor] (evaluate.go),
// [Adapter] (final.go), [Newcomer], [Leaver], [Shifter] and [Reassigner] (scenario_events.go), and [Planner] (plan.go).
//
// Algorithms never print; the run reports to its [Observer] values. Sums run in ascending client id, and every random number
// comes from a stream that is keyed by seed, purpose, round and client. So a run does not depend on the order of a cohort, on
// the number of workers, or on where it was stopped and resumed. The same seed gives the same bits on one machine with the
// same libtorch and the same BLAS kernel, which env.json names.
package federation
