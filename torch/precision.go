package torch

import "C"

import "fmt"

// Precision is the arithmetic of products and convolutions. Weights, sums and losses are always float32.
type Precision uint8

// The precisions.
const (
	FP32 Precision = iota // float32
	TF32                  // float32 with 10 bits of mantissa in products, on NVIDIA GPUs since Ampere
	BF16                  // activations and products in bfloat16
)

var precisions = []string{"fp32", "tf32", "bf16"}

func (p Precision) String() string { return precisions[p] }

// ParsePrecision parses "fp32", "tf32" or "bf16".
func ParsePrecision(text string) (Precision, error) {
	for i, name := range precisions {
		if text == name {
			return Precision(i), nil
		}
	}
	return FP32, fmt.Errorf("precision %q: want fp32, tf32 or bf16", text)
}

// Arithmetic is the precision and the determinism of an engine.
type Arithmetic struct {
	Precision     Precision
	Deterministic bool // give the same bits in every run on the same machine with the same libtorch; on a GPU nothing is chosen by timing
}

// check returns an error unless a device has the arithmetic.
func (a Arithmetic) check(device Device) error {
	if a.Precision == TF32 && !device.cuda {
		return fmt.Errorf("only GPUs have precision tf32: add --device cuda, or --precision fp32")
	}
	return nil
}

// flag returns a bool for C.
func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
