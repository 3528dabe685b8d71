package federation

// RoundNumber returns the number of round t for people. Within the program, rounds are indices from 0. Everything that a person
// reads or writes (messages, files, plots, scenarios) counts them from 1, and round 0 is the state before the first round. So
// "after round n" means after n rounds.
func RoundNumber(t int) int { return t + 1 }

// RoundIndex returns the index of the round with a number. It is the inverse of [RoundNumber].
func RoundIndex(number int) int { return number - 1 }
