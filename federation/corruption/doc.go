// Package corruption spoils images: the corruptions that CIFAR-10-C is made of (Hendrycks and Dietterich, "Benchmarking
// neural network robustness to common corruptions and perturbations", ICLR 2019), by the formulae and constants that the
// published images were made with. The partition feature-skew shows them to clients.
//
// JPEG compression is our own code, because image/jpeg rounds in other places than libjpeg; jpeg.go says by how much its
// images differ from the published ones.
//
// Each corruption is one file that registers itself in its init. Adding a corruption changes no other file. filter.go and
// hsv.go hold what several of them share. The result is a pure function of the image, the severity and the seed.
package corruption
