// Package corruption spoils images: the corruptions that CIFAR-10-C is made of (Hendrycks and Dietterich, "Benchmarking
// neural network robustness to common corruptions and perturbations", ICLR 2019), by the formulae and constants that the
// published images were made with. The partition feature-skew shows them to clients.
//
// Each corruption registers itself in the init of its file. Adding a corruption changes no other file. The result is a
// pure function of the image, the severity and the seed.
package corruption
