package algorithm

import "feddag/federation"

// meanSample returns the mean of a client's normalised training images with the given indices, [C, H, W], and the mean of
// their one-hot labels, [classes], with the labels that the client uses.
func meanSample(e *federation.Env, c *federation.Client, samples []int32) (image, label []float32) {
	plane := e.Data.Height * e.Data.Width
	sum, counts := make([]float64, e.Data.Channels*plane), make([]float64, e.Data.Classes)
	for _, s := range samples {
		for i, b := range e.Data.Image(e.Data.Train, int(s)) {
			sum[i] += float64(b)
		}
		counts[e.Label(c, s)]++
	}
	n := float64(len(samples))
	for i, x := range sum {
		channel := i / plane
		image = append(image, float32((x/n/255-float64(e.Data.Mean[channel]))/float64(e.Data.Std[channel])))
	}
	for _, k := range counts {
		label = append(label, float32(k/n))
	}
	return image, label
}
