// Package algorithm has the methods of federated learning, and what several of them need. A method that fits into one file
// is a file of this package, such as fedprox.go. A larger method is a package in a folder below this one, such as feddag or
// fedgwc. The engine that runs them is package federation. A method imports that package, torch, similarity and packages of
// internal, and nothing else of the program. It never prints, but tells the engine, which tells its observers.
//
// # How to add a method
//
// Write one file with three things.
//
//  1. An init that calls [federation.Register] with the method's name, a summary in one phrase, and a function that returns
//     the method with its default options. Help texts, name checks and the conformance suite read that registry, so no list
//     has to change. A method in a folder of its own also needs a line in package algorithm/all, which imports the folders.
//  2. A struct that implements [federation.Algorithm]. Its exported fields are its options. Its doc comment cites the paper,
//     states the equations, and names every deviation from the authors' code with the reason.
//  3. The optional interfaces of package federation that apply to the method: [federation.Flagger] and
//     [federation.Validator] for its flags, whose names begin with the method's name, [federation.Selector] to choose the
//     clients of a round, [federation.Predictor] if a client predicts with something else than its assigned model,
//     [federation.Clustered] and [federation.Clusterer] for clusters, [federation.Newcomer], [federation.Leaver] and
//     [federation.Shifter] for clients that come, leave or change, [federation.Planner] for the work of a run,
//     [federation.RoundPlanner] for the progress of a round, and [federation.Checkpointer] to stop and resume.
//
// Most methods embed a [Bank], which holds the models and says which client has which one. It brings the round, the average,
// evaluation, checkpoints and the departure of clients with it, so that such a method writes only what differs. [FedAvg] is
// a bank of one model, and [FedProx] is a FedAvg whose local training has one more term. A method with a loss of its own sets
// [Bank.Objective]. [ClusterBank] is a bank whose models are clusters of clients, as in [IFCA] or [Oracle].
//
// An example in words: for FedAvg with server momentum, embed FedAvg in a struct with an exported field for the momentum
// factor and a vector for the velocity. In Init, call the embedded Init and make a velocity of zeros. In Round, keep a copy of
// the global model, call the embedded Round, take the difference of the new and the old model into the velocity, and set the
// model to the old one plus the velocity. In Save and Load, add the velocity to the vectors of the embedded bank. Declare the
// field as a flag in Flags and refuse values outside 0..1 in Validate. Test one round by values computed by hand. The file
// example_server_momentum_test.go is this example, and example_loss_test.go one with a loss of its own; both run in the suite.
//
// # Helpers
//
//   - [Bank], [ClusterBank], [SharedModel], [EqualWeights]: the models of a method, and how they are averaged
//   - [AverageBy], [Mean], [Ranges]: weighted averages of states, by model and by part of the network
//   - [TrainingLosses], [LowestLoss]: losses of several models on the clients' training data
//   - [Subspaces], [BookVectors]: principal vectors of the clients' images
//   - [Updates], [Mask], [Gram], [Dot], [CosineDistances]: updates of the clients and the angles between them
//   - [IndependentStates], [CheckCount]: models that differ from the start, and the check of their number
//
// Sums run in ascending client id, and every random number comes from a stream of package stream that is named by the seed,
// a purpose, the round and the client. Both are needed for the suite to pass.
//
// # What the conformance suite checks
//
// The tests of this package run every registered method, also a new one, on a tiny federation, and check that
//
//   - the same seed gives the same bits for any number of workers, and another seed gives others;
//   - a run that is stopped after any round, or interrupted inside one, and resumed ends with the same bits;
//   - the order of the cohort does not matter;
//   - training with a learning rate of 0 changes no model;
//   - every client has a whole model, and the clusters partition the clients;
//   - the ledger counts what is sent and what is computed;
//   - the progress of a round never falls, and is whole when the training of the round is done;
//   - newcomers get a model without changing the models of others;
//   - a client whose training diverges stops the run with an error that names it and leaves the models as they were, or is
//     dropped, and then the round is that of the other clients;
//   - clients that come, leave, swap or shift their data in a scenario do so in the same way for any number of workers and
//     after a stop at any round;
//   - no handle of libtorch leaks from round to round;
//   - names of flags begin with the name of the method.
//
// What belongs to one method alone, such as values computed by hand or a setting in which it equals FedAvg, has a test beside
// the method.
package algorithm
