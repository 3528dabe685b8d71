// Package corruption implements the corruptions of CIFAR-10-C (Hendrycks and Dietterich, "Benchmarking neural network
// robustness to common corruptions and perturbations", ICLR 2019), with the formulae and constants of the published images.
// The partition feature-skew applies them to the images of clients.
//
// JPEG compression does not use image/jpeg, which rounds in other places than libjpeg; jpeg.go says by how much its images
// differ from the published ones.
//
// Each corruption is one file that registers itself in its init. Adding a corruption changes no other file. filter.go and
// hsv.go have the code that several corruptions share. The result is a pure function of the image, the severity and the seed.
package corruption
