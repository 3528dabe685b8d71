package federation

import "fmt"

// UnreadFlag is a flag that has no effect with the other flags of a command. It is an error if the user sets it.
type UnreadFlag struct {
	Name  string // name of the flag, without dashes
	Where string // the circumstance in which the flag has no effect, with its preposition: "with --model lenet"
	Who   string // clause that says which option reads the flag, or what to do
	// Never says that no other option makes the algorithm or the command read the flag, so that its help leaves it out.
	Never bool
	// Compared says that a comparison of the clusterings (feddag cluster --compare) still reads the flag.
	Compared bool
}

// Error implements error. The text names the flag and says what would read it.
func (u UnreadFlag) Error() string {
	return fmt.Sprintf("--%s has no effect %s: %s", u.Name, u.Where, u.Who)
}

// Unreader is implemented by an algorithm that declares a flag which it does not read with its present options. An algorithm
// still declares a flag that it never reads if earlier programs declared it, because the configurations of their runs name it.
type Unreader interface {
	Unread() []UnreadFlag
}
