// Package algorithm contains the methods of federated learning, and the code that several of them share. A method that fits
// into one file is a file of this package, such as fedprox.go. A larger method is a package in a folder below this one, such
// as feddag or fedgwc. The engine that runs them is package federation. A method imports package federation, torch,
// similarity and packages of internal, but no other packages of the program. It never prints; it reports to the engine, which
// reports to its observers.
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
//     clients of a round, [federation.Predictor] if a client predicts with a model other than its assigned one,
//     [federation.Clustered] and [federation.Clusterer] for clusters, [federation.Newcomer], [federation.Leaver] and
//     [federation.Shifter] for clients that join, leave or change, [federation.Planner] for the work of a run,
//     [federation.RoundPlanner] for the progress of a round, and [federation.Checkpointer] to stop and resume.
//
// Most methods embed a [Bank], which holds the models and says which client has which model. It implements the round, the
// average, evaluation, checkpoints and the departure of clients, so a method that embeds it implements only what differs.
// [FedAvg] is a bank of one model, and [FedProx] is a FedAvg whose local training has one more term. A method with a loss of
// its own sets [Bank.Objective]. [ClusterBank] is a bank whose models belong to clusters of clients, as in [IFCA] or [Oracle].
//
// For example, FedAvg with server momentum embeds FedAvg in a struct with an exported field for the momentum factor and a
// vector for the velocity. Init calls the embedded Init and makes a velocity of zeros. Round keeps a copy of the global model,
// calls the embedded Round, adds the difference of the new and the old model to the velocity, and sets the model to the old
// model plus the velocity. Save and Load add the velocity to the vectors of the embedded bank. Flags declares the field as a
// flag, and Validate rejects values outside 0..1. A test compares one round with values computed by hand. The file
// example_server_momentum_test.go contains this example, and example_loss_test.go a method with a loss of its own. Both run in
// the suite.
//
// # Helpers
//
//   - [Bank], [ClusterBank], [SharedModel], [EqualWeights]: the models of a method, and how they are averaged
//   - [AverageBy], [Mean], [Ranges]: weighted averages of states, for each model and for parts of the network
//   - [TrainingLosses], [LowestLoss]: losses of several models on the clients' training data
//   - [Subspaces], [BookVectors]: principal vectors of the clients' images
//   - [Updates], [Mask], [Gram], [Dot], [CosineDistances]: updates of the clients and the angles between them
//   - [IndependentStates], [CheckCount]: models with different initial states, and the check of their number
//
// Sums run in ascending client id, and every random number comes from a stream of package stream that is named by the seed,
// a purpose, the round and the client. Both are needed for the suite to pass.
//
// # What the conformance suite checks
//
// The tests of this package run every registered method, including new ones, on a tiny federation, and check that
//
//   - the same seed gives the same bits for any number of workers, and another seed gives different bits;
//   - a run that is stopped after any round, or interrupted inside one, and resumed ends with the same bits;
//   - the order of the cohort does not matter;
//   - training with a learning rate of 0 changes no model;
//   - every client has a complete model, and the clusters partition the clients;
//   - the ledger counts what is sent and what is computed;
//   - the progress of a round never falls, and is complete when the training of the round is done;
//   - newcomers get a model without changing the models of other clients;
//   - a client whose training diverges stops the run with an error that names it and leaves the models unchanged, or is
//     dropped, and then the round has the same result as with the other clients alone;
//   - clients that join, leave, swap or shift their data in a scenario give the same results for any number of workers and
//     after a stop at any round;
//   - no handle of libtorch leaks from round to round;
//   - names of flags begin with the name of the method.
//
// Tests of a single method, such as values computed by hand or a setting in which it equals FedAvg, are in files next to the
// method.
package algorithm
