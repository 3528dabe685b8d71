package data

import "math"

// Stats returns the mean and the standard deviation (population) of pixels/255 of a split, per channel.
func (s *Set) Stats(split Images) (mean, std []float64) {
	mean, std = make([]float64, s.Channels), make([]float64, s.Channels)
	plane := s.Height * s.Width
	for c := range s.Channels {
		// Counts of the 256 values are exact, so the sums do not depend on the order of the pixels.
		var counts [256]int64
		for i := range split.Len() {
			at := (i*s.Channels + c) * plane
			for _, p := range split.Pixels[at : at+plane] {
				counts[p]++
			}
		}
		var sum, squares, n float64
		for v, k := range counts {
			n += float64(k)
			sum += float64(k) * float64(v)
			squares += float64(k) * float64(v) * float64(v)
		}
		if n == 0 {
			continue
		}
		mean[c] = sum / n / 255
		std[c] = math.Sqrt(max(0, squares/n-(sum/n)*(sum/n))) / 255
	}
	return mean, std
}

// scaleByTraining sets Mean and Std to the values of the training images, for sets without published values. Std is 1 for a
// channel whose pixels are all equal.
func (s *Set) scaleByTraining() {
	mean, std := s.Stats(s.Train)
	s.Mean, s.Std = make([]float32, s.Channels), make([]float32, s.Channels)
	for c := range mean {
		s.Mean[c], s.Std[c] = float32(mean[c]), float32(std[c])
		if s.Std[c] == 0 {
			s.Std[c] = 1
		}
	}
}
