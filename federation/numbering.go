package federation

// RoundNumber returns the number by which people know round t. Within the program, rounds are indices from 0. Everything that a
// person reads or writes (messages, files, plots, scenarios) counts them from 1, and round 0 is the state before the first
// round: what is measured "after round n" is measured after n rounds.
func RoundNumber(t int) int { return t + 1 }

// RoundIndex returns the index of the round with a number: the inverse of [RoundNumber].
func RoundIndex(number int) int { return number - 1 }
