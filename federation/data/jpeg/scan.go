package jpeg

import "errors"

// band is what a progressive scan brings: coefficients from..to, in zigzag order, down to bit low; high is the bit that the
// last scan of them ended at, 0 for a first one.
type band struct{ from, to, high, low int }

// scan reads a scan (B.2.3): its head, then the codes.
func (d *decoder) scan(s []byte) error {
	if d.comps == nil || len(s) < 1 || len(s) != 4+2*int(s[0]) || s[0] < 1 || int(s[0]) > len(d.comps) {
		return errors.New("damaged: a scan")
	}
	if d.scans++; d.scans > maxScans {
		return errors.New("too many scans")
	}
	var in []*component
	units := 0
	for i := range int(s[0]) {
		var c *component
		for k := range d.comps {
			if d.comps[k].id == s[1+2*i] {
				c = &d.comps[k]
			}
		}
		tables := s[2+2*i]
		if c == nil || tables>>4 > 3 || tables&15 > 3 {
			return errors.New("damaged: a scan of an unknown component or table")
		}
		for _, other := range in {
			if other == c {
				return errors.New("damaged: a scan of a component twice")
			}
		}
		c.dc, c.ac = int(tables>>4), int(tables&15)
		units += c.h * c.v
		in = append(in, c)
	}
	b := band{int(s[len(s)-3]), int(s[len(s)-2]), int(s[len(s)-1] >> 4), int(s[len(s)-1] & 15)}
	if !d.progressive {
		b = band{0, 63, 0, 0}
	}
	switch {
	case b.from > b.to || b.to > 63 || b.low > 13 || b.high > 13 || b.from == 0 && b.to != 0 && d.progressive || b.from > 0 && len(in) > 1:
		return errors.New("damaged: a scan of impossible coefficients")
	case len(in) > 1 && units > 10:
		return errors.New("damaged: a scan of too many blocks")
	}
	for _, c := range in {
		if c.table == nil {
			c.table = d.quant[c.quant]
		}
		if c.table == nil {
			return errors.New("damaged: a quantisation table is missing")
		}
		dc, ac := b.from == 0 && b.high == 0, b.to > 0
		if dc && !d.dcCodes[c.dc].defined || ac && !d.acCodes[c.ac].defined {
			return errors.New("damaged: a Huffman table is missing")
		}
	}
	return d.blocks(in, b)
}

// blocks reads the codes of a scan, unit by unit.
func (d *decoder) blocks(in []*component, b band) error {
	d.begin()
	across, down := ceil(d.w, 8*d.hMax), ceil(d.h, 8*d.vMax)
	alone := len(in) == 1
	if alone { // a scan of one component has the blocks that its samples need, no more
		across, down = ceil(in[0].w, 8), ceil(in[0].hgt, 8)
	}
	for unit := range across * down {
		if d.restart > 0 && unit > 0 && unit%d.restart == 0 {
			if err := d.restarted(unit/d.restart - 1); err != nil {
				return err
			}
		}
		x, y := unit%across, unit/across
		for _, c := range in {
			if alone {
				if err := d.block(c, x, y, b); err != nil {
					return err
				}
				continue
			}
			for j := range c.v {
				for i := range c.h {
					if err := d.block(c, x*c.h+i, y*c.v+j, b); err != nil {
						return err
					}
				}
			}
		}
	}
	d.bits, d.count = 0, 0 // what was read ahead is padding: reading stops at a marker
	return nil
}

// begin starts the codes anew.
func (d *decoder) begin() {
	d.bits, d.count, d.eob = 0, 0, 0
	for i := range d.comps {
		d.comps[i].last = 0
	}
}

// restarted reads restart marker number n.
func (d *decoder) restarted(n int) error {
	d.begin()
	m, err := d.marker()
	if err != nil {
		return err
	}
	if m != byte(rst0+n%8) {
		return errors.New("damaged: a restart marker is missing")
	}
	return nil
}

// block reads a block's part of a scan.
func (d *decoder) block(c *component, x, y int, b band) error {
	at := 64 * (y*c.bw + x)
	coef := c.coef[at : at+64 : at+64]
	switch {
	case !d.progressive:
		return d.sequential(c, coef)
	case b.from == 0 && b.high == 0:
		return d.firstDC(c, coef, b.low)
	case b.from == 0:
		bit, err := d.take(1)
		coef[0] |= int16(bit << b.low)
		return err
	case b.high == 0:
		return d.firstAC(c, coef, b)
	}
	return d.refineAC(c, coef, b)
}

// sequential reads a whole block (F.2.2).
func (d *decoder) sequential(c *component, coef []int16) error {
	if err := d.firstDC(c, coef, 0); err != nil {
		return err
	}
	t := &d.acCodes[c.ac]
	for k := 1; k < 64; k++ {
		rs, err := d.next(t)
		if err != nil {
			return err
		}
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run != 15 {
				break
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return errCode
		}
		v, err := d.signed(size)
		if err != nil {
			return err
		}
		coef[zigzag[k]] = int16(v)
	}
	return nil
}

// firstDC reads a block's mean, as the difference to the last block's.
func (d *decoder) firstDC(c *component, coef []int16, low int) error {
	size, err := d.next(&d.dcCodes[c.dc])
	if err != nil {
		return err
	}
	if size > 15 {
		return errCode
	}
	v, err := d.signed(int(size))
	if err != nil {
		return err
	}
	c.last += v
	coef[0] = int16(c.last << low)
	return nil
}

// firstAC reads the first bits of a band (G.1.2.2).
func (d *decoder) firstAC(c *component, coef []int16, b band) error {
	if d.eob > 0 {
		d.eob--
		return nil
	}
	t := &d.acCodes[c.ac]
	for k := b.from; k <= b.to; k++ {
		rs, err := d.next(t)
		if err != nil {
			return err
		}
		run, size := int(rs>>4), int(rs&15)
		if size == 0 {
			if run != 15 {
				more, err := d.take(run)
				d.eob = 1<<run + more - 1
				return err
			}
			k += 15
			continue
		}
		if k += run; k > b.to {
			return errCode
		}
		v, err := d.signed(size)
		if err != nil {
			return err
		}
		coef[zigzag[k]] = int16(v << b.low)
	}
	return nil
}

// refineAC reads one more bit of a band (G.1.2.3).
func (d *decoder) refineAC(c *component, coef []int16, b band) error {
	t := &d.acCodes[c.ac]
	k := b.from
	if d.eob == 0 {
		for ; k <= b.to; k++ {
			rs, err := d.next(t)
			if err != nil {
				return err
			}
			run, size := int(rs>>4), int(rs&15)
			value := int16(0)
			switch {
			case size == 1:
				bit, err := d.take(1)
				if err != nil {
					return err
				}
				if value = int16(1) << b.low; bit == 0 {
					value = -value
				}
			case size != 0:
				return errCode
			case run != 15:
				more, err := d.take(run)
				if err != nil {
					return err
				}
				d.eob = 1<<run + more
			}
			if d.eob > 0 {
				break
			}
			// Past run coefficients that are zero still, refining those that are not.
			if k, err = d.refine(coef, k, run, b); err != nil {
				return err
			}
			if value != 0 {
				if k > b.to {
					return errCode
				}
				coef[zigzag[k]] = value
			}
		}
	}
	if d.eob > 0 {
		d.eob--
		_, err := d.refine(coef, k, -1, b)
		return err
	}
	return nil
}

// refine goes from coefficient k past run zeros to the next one, or to the end where run is negative, and gives one more bit to
// those on the way that are not zero. It returns where it stopped.
func (d *decoder) refine(coef []int16, k, run int, b band) (int, error) {
	for ; k <= b.to; k++ {
		v := &coef[zigzag[k]]
		if *v == 0 {
			if run == 0 {
				break
			}
			run--
			continue
		}
		bit, err := d.take(1)
		if err != nil {
			return k, err
		}
		if bit == 0 || *v&(1<<b.low) != 0 {
			continue
		}
		if *v > 0 {
			*v += 1 << b.low
		} else {
			*v -= 1 << b.low
		}
	}
	return k, nil
}
