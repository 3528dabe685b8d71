package pickle

import (
	"fmt"
	"strconv"
)

// collect runs the operations that make or fill lists, tuples and dictionaries.
func (m *machine) collect(op byte) error {
	switch op {
	case ']', ')': // EMPTY_LIST, EMPTY_TUPLE
		return m.push(&List{})
	case '}': // EMPTY_DICT
		return m.push(&Dict{map[string]any{}})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.popN(int(op - 0x84))
		if err != nil {
			return err
		}
		return m.push(&List{items})
	case 'a', 's': // APPEND, SETITEM
		items, err := m.popN(map[byte]int{'a': 1, 's': 2}[op])
		if err != nil {
			return err
		}
		return m.extend(items)
	}
	items, err := m.popMark() // LIST, TUPLE, DICT, APPENDS, SETITEMS
	if err != nil {
		return err
	}
	switch op {
	case 'l', 't':
		return m.push(&List{items})
	case 'd':
		if err := m.push(&Dict{map[string]any{}}); err != nil {
			return err
		}
	}
	return m.extend(items)
}

// extend adds items to the topmost list, or pairs of a key and a value to the topmost dictionary.
func (m *machine) extend(items []any) error {
	switch to := m.top().(type) {
	case *List:
		to.Items = append(to.Items, items...)
		return nil
	case *Dict:
		if len(items)%2 != 0 {
			return errStack
		}
		for i := 0; i < len(items); i += 2 {
			var key string
			switch k := items[i].(type) {
			case Text:
				key = string(k)
			case int64:
				key = strconv.FormatInt(k, 10)
			default:
				return fmt.Errorf("a dictionary has a key that is neither a string nor a whole number but a %T", items[i])
			}
			to.Items[key] = items[i+1]
		}
		return nil
	}
	return errStack
}

// remember runs the operations that store the topmost value in the memo or push a value from there.
func (m *machine) remember(op byte) (err error) {
	key := 0
	switch op {
	case 'q', 'h': // BINPUT, BINGET
		key, err = m.number(1)
	case 'r', 'j': // LONG_BINPUT, LONG_BINGET
		key, err = m.number(4)
	case 0x94: // MEMOIZE
		key = len(m.memo)
	default: // PUT, GET
		var text string
		if text, err = m.line(); err == nil {
			if key, err = strconv.Atoi(text); err != nil {
				err = fmt.Errorf("damaged: %.40q is not a number", text)
			}
		}
	}
	if err != nil {
		return err
	}
	if op == 'g' || op == 'h' || op == 'j' {
		x, ok := m.memo[key]
		if !ok {
			return errStack
		}
		return m.push(x)
	}
	if _, isMark := m.top().(mark); isMark || len(m.stack) == 0 {
		return errStack
	}
	m.memo[key] = m.top()
	return nil
}
