package jpeg

// The inverse cosine transform is that of Loeffler, Ligtenberg and Moschytz (1989) in integers, with 13 bits of the
// constants' fractions and 2 more bits between the passes: libjpeg's "islow", its default.
const (
	fraction = 13
	between  = 2

	c0298 = 2446 // 0.298631336 * 2^13, and so on
	c0390 = 3196
	c0541 = 4433
	c0765 = 6270
	c0899 = 7373
	c1175 = 9633
	c1501 = 12299
	c1847 = 15137
	c1961 = 16069
	c2053 = 16819
	c2562 = 20995
	c3072 = 25172
)

// transform returns eight values of eight coefficients, times 2^13.
func transform(c0, c1, c2, c3, c4, c5, c6, c7 int32) (v [8]int32) {
	// Even part.
	z := (c2 + c6) * c0541
	t2, t3 := z-c6*c1847, z+c2*c0765
	t0, t1 := (c0+c4)<<fraction, (c0-c4)<<fraction
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2
	// Odd part.
	z1, z2, z3, z4 := c7+c1, c5+c3, c7+c3, c5+c1
	z5 := (z3 + z4) * c1175
	z1, z2, z3, z4 = -z1*c0899, -z2*c2562, z5-z3*c1961, z5-z4*c0390
	o0, o1, o2, o3 := c7*c0298+z1+z3, c5*c2053+z2+z4, c3*c3072+z2+z3, c1*c1501+z1+z4
	return [8]int32{e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3}
}

// inverse writes the 8 x 8 samples of a block into rows of stride bytes.
func inverse(to []byte, stride int, coef []int16, quant *[64]int32) {
	var c [64]int32
	for x := range 8 { // columns
		at := func(y int) int32 { return int32(coef[8*y+x]) * quant[8*y+x] }
		v := transform(at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7))
		for y := range 8 {
			c[8*y+x] = descale(v[y], fraction-between)
		}
	}
	for y := range 8 {
		r := c[8*y : 8*y+8 : 8*y+8]
		v := transform(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
		row := to[y*stride : y*stride+8 : y*stride+8]
		for x := range 8 {
			row[x] = clamp(128 + descale(v[x], fraction+between+3))
		}
	}
}

func descale(v int32, n int) int32 { return (v + 1<<(n-1)) >> n }

func clamp(x int32) byte { return byte(max(0, min(255, x))) }

// samples returns a component's plane, of whole blocks: bw*8 bytes a row.
func (d *decoder) samples(c *component) (plane []byte, stride int) {
	stride = 8 * c.bw
	plane = make([]byte, stride*8*c.bh)
	for y := range c.bh {
		for x := range c.bw {
			at := 64 * (y*c.bw + x)
			inverse(plane[8*y*stride+8*x:], stride, c.coef[at:at+64], c.table)
		}
	}
	c.coef = nil
	return plane, stride
}
