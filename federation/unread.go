package federation

import "fmt"

// UnreadFlag is a flag that has no effect beside the other flags of a command. If the user gives it, it is reported as an error.
type UnreadFlag struct {
	Name  string // name of the flag, without dashes
	Where string // what does not read the flag, with its preposition: "with --model lenet"
	Who   string // who would read the flag, or what to do, as a clause
	// Never says that no other option makes the algorithm or the command read the flag, so that its help leaves it out.
	Never bool
	// Compared says that a comparison of the clusterings (feddag cluster --compare) reads the flag all the same.
	Compared bool
}

// Error implements error. The text names the flag and who would read it.
func (u UnreadFlag) Error() string {
	return fmt.Sprintf("--%s has no effect %s: %s", u.Name, u.Where, u.Who)
}

// Unreader is implemented by an algorithm that declares a flag which, under its present options, it does not read.
// A flag that it never reads is declared all the same where earlier programs declared it, because the configurations of
// their runs name it.
type Unreader interface {
	Unread() []UnreadFlag
}
