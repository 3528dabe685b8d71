package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"feddag/internal/npy"
)

// functions maps the names that a pickle may call to their meaning in this package.
var functions = map[string]function{
	"numpy.core.multiarray _reconstruct":  "array",
	"numpy._core.multiarray _reconstruct": "array",
	"numpy.core.numeric _frombuffer":      "frombuffer",
	"numpy._core.numeric _frombuffer":     "frombuffer",
	"numpy.core.multiarray scalar":        "scalar",
	"numpy._core.multiarray scalar":       "scalar",
	"numpy ndarray":                       "ndarray",
	"numpy dtype":                         "dtype",
	"_codecs encode":                      "encode",
}

// name runs GLOBAL and STACK_GLOBAL, which push a class or function.
func (m *machine) name(op byte) error {
	var parts [2]string
	if op == 'c' {
		for i := range parts {
			var err error
			if parts[i], err = m.line(); err != nil {
				return err
			}
		}
	} else {
		items, err := m.popN(2)
		if err != nil {
			return err
		}
		for i := range parts {
			text, ok := items[i].(Text)
			if !ok {
				return errStack
			}
			parts[i] = string(text)
		}
	}
	name, ok := functions[parts[0]+" "+parts[1]]
	if !ok {
		return fmt.Errorf("the pickle calls %.60q of module %.60q, but only arrays of numbers are read", parts[1], parts[0])
	}
	return m.push(name)
}

// call runs REDUCE, which calls a class or function with a tuple of arguments.
func (m *machine) call(what, with any) error {
	name, ok := what.(function)
	list, isList := with.(*List)
	if !ok || !isList {
		return errStack
	}
	args := list.Items
	arg := func(i int) string {
		if i < len(args) {
			text, _ := args[i].(Text)
			return string(text)
		}
		return ""
	}
	switch name {
	case "array": // BUILD sets its elements
		return m.push(&npy.Array{Data: []uint8{}})
	case "dtype":
		if arg(0) == "O8" || arg(0) == "O" {
			return m.push(&dtype{objects: true})
		}
		h, err := npy.ParseDescr(arg(0))
		if err != nil {
			return fmt.Errorf("an array of type %.20q, but this program reads only whole numbers, booleans, float32 and float64", arg(0))
		}
		return m.push(&dtype{h: h})
	case "encode": // how Python 3 writes bytes with protocol 2
		if !utf8.ValidString(arg(0)) || arg(1) != "latin1" {
			return errors.New("bytes in another encoding than latin1")
		}
		b := make(Text, 0, len(arg(0)))
		for _, r := range arg(0) {
			if r > 255 {
				return errors.New("damaged: bytes that are not latin1")
			}
			b = append(b, byte(r))
		}
		return m.push(b)
	case "frombuffer": // bytes, type, shape, order
		if len(args) != 4 {
			return errStack
		}
		a, err := newArray(args[0], args[1], args[2], arg(3) == "F")
		if err != nil {
			return err
		}
		return m.push(a)
	case "scalar": // type, bytes
		if len(args) != 2 {
			return errStack
		}
		a, err := newArray(args[1], args[0], &List{}, false)
		if err != nil {
			return err
		}
		return m.push(scalar(a))
	}
	return errStack
}

// scalar returns the element of an array of one number, in the type with which Read represents a number of Python.
func scalar(a *npy.Array) any {
	if b, ok := a.Data.([]bool); ok {
		return b[0]
	}
	if whole, err := a.Ints(math.MinInt, math.MaxInt); err == nil {
		return int64(whole[0])
	}
	return a.Float64s()[0]
}

// build runs BUILD, which sets the state of an array or of an element type.
func build(what, state any) error {
	list, ok := state.(*List)
	if !ok {
		return errStack
	}
	items := list.Items
	switch x := what.(type) {
	case *dtype: // version, byte order, ...
		if len(items) < 2 {
			return errStack
		}
		if order, _ := items[1].(Text); string(order) == ">" {
			x.h.Order = binary.BigEndian
		}
		return nil
	case *npy.Array: // version, shape, type, in Fortran order, bytes
		if len(items) != 5 {
			return errStack
		}
		fortran, _ := items[3].(bool)
		a, err := newArray(items[4], items[2], items[1], fortran)
		if err != nil {
			return err
		}
		*x = *a
		return nil
	}
	return errStack
}

// newArray makes an array from its bytes, type and shape. The bytes of an array of objects are a list.
func newArray(raw, elements, shape any, fortran bool) (*npy.Array, error) {
	t, isType := elements.(*dtype)
	dims, isList := shape.(*List)
	if objects, ok := raw.(*List); ok && isType && isList && t.objects {
		return newObjectArray(objects, dims, fortran)
	}
	b, ok := raw.(Text)
	if !ok || !isType || !isList || t.objects {
		return nil, errors.New("damaged: an array without bytes, type or shape")
	}
	h := t.h
	h.Count = 1
	for _, d := range dims.Items {
		n, ok := d.(int64)
		if !ok || n < 0 || len(h.Shape) == 32 || n > 0 && int64(h.Count) > math.MaxInt/8/n {
			return nil, fmt.Errorf("damaged: %d bytes for an array of another shape", len(b))
		}
		h.Shape = append(h.Shape, int(n))
		h.Count *= int(n)
	}
	if fortran && len(h.Shape) > 1 {
		return nil, errors.New("an array in Fortran order is not read: write numpy.ascontiguousarray of it")
	}
	a, err := h.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	return a, nil
}

// newObjectArray makes an array of objects. Its elements are the list in its Data.
func newObjectArray(objects, dims *List, fortran bool) (*npy.Array, error) {
	a := &npy.Array{Data: objects}
	count := int64(1)
	for _, d := range dims.Items {
		n, ok := d.(int64)
		if !ok || n < 0 || len(a.Shape) == 32 || n > 0 && count > math.MaxInt/n {
			return nil, fmt.Errorf("damaged: %d objects for an array of another shape", len(objects.Items))
		}
		a.Shape = append(a.Shape, int(n))
		count *= n
	}
	switch {
	case count != int64(len(objects.Items)):
		return nil, fmt.Errorf("damaged: %d objects for an array of another shape", len(objects.Items))
	case fortran && len(a.Shape) > 1:
		return nil, errors.New("an array in Fortran order is not read: write numpy.ascontiguousarray of it")
	}
	return a, nil
}
