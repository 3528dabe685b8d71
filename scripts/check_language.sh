#!/usr/bin/env bash
# Finds sentences in the clipped dialect that this project once had: noun phrases without their noun ("of each class"
# as a comment), "a" for "per" ("samples a step"), "for" in the sense of "because", "is no list" and the like.
#
#   scripts/check_language.sh                # the files of the checkout
#   scripts/check_language.sh PATH...        # other files and folders
#   scripts/check_language.sh --count [TREE] # the number of lines for each pattern, in a commit if TREE is given
#
# Each pattern below is a Perl regular expression, a tab, and what to write instead. A line that is good English all
# the same is exempt if it contains the words "language: ok". Generated files and test data are left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The units for which the dialect says "a" instead of "per", and the words before them.
rate='bytes?|clients?|columns?|encoders?|epochs?|files?|[GMk]B|images?|keys?|labels?|lines?|models?|numbers?|one|points?|rounds?|rows?|runs?|s|samples?|seconds?|steps?|threads?|values?|vectors?|weights?|[0-9]+'
unit='batch|call|channel|class|client|cluster|core|epoch|group|image|kernel|label|layer|line|minute|partition|phase|pixel|round|row|run|sample|second|step|task'
# "the images a client sends" is good English: a verb or a relative clause follows the noun.
verb='[a-z]+s\b|can|could|did|has|have|is|may|must|of (bash|input|its|text)|or|should|that|to|trained|was|which|who|whose|will|with|would|alone|at|from|in|named|it|as|and (its|the)|file|id|seed|model'

patterns=(
	"\\b($rate) a ($unit)\\b(?!-|'| ($verb))	per: samples per step"
	"[^\\s/#*].*\\s(//|#) of (a|all|an|any|both|each|every|its|one|other|others|some|that|the|their|these|this|those|which|\\d+)\\b	name what it is: \"number of samples of each class\""
	"([(,] |help=)\"of (a|all|an|each|every|its|the|this)\\b	name what it is: \"number of clients in a round\""
	"\\bof everything \\w+ but\\b	everything except"
	"\\bbut for\\b	except for"
	", for (it|nobody|there|these|they|this|we|who) (are|can|did|do|does|has|have|is|may|might|must|was|were|will|would)\\b	because"
	"(^|[.:;] |// )(?-i:Of) (those|these|them|the others?|the jobs|the two|the rest|the options|the full)\\b	begin with the subject"
	"(?<!there )\\b(are|is|was|were) no (?!better|different|faster|fewer|good|higher|larger|less|longer|lower|more|slower|smaller|worse)\\w	is not a"
	"\\b(are|is|was|were) there (already|twice)\\b	exists already, occurs twice"
	"\\b(has|have) not (a|an|any|its|n|one|the|two)\\b	does not have"
	"\\b(at|after|for|of|with) so many\\b	name the number: \"after the given number of rounds\""
	"\\bthe more so\\b|\\blearns? the (less|more)\\b	more, especially"
	"\\bhas (a|its|no) say\\b	decides, has no effect"
	"\\bis (a|the) (batched engine|GPU)'s\\b(?! [a-z])	only the batched engine has"
	"\\bnone such\\b	none"
	"\\bpaper's letter\\b|\\bletter of the paper\\b	exactly as in the paper"
	"\\b[Ww]ith us\\b	here, in feddag"
	"\\bby the clock\\b(?! of)	by timing"
	"\\b(batch|job|layer|objective|round) at work\\b	running, current"
	"\\bwhat (became|becomes|came|comes) of\\b	the result of"
	"\\b(are|is) nobody's\\b	belong to no client"
	"\\bbelieve[ds]? (only )?(as far|beyond)\\b	say what is allocated or checked"
	"\\b(an arrow|it|package|progress|tell|which) hears\\b|\\bhears (how|what)\\b	is told"
	"\\bwords (an|the|their) errors?\\b	describes"
	"\\bwithout a word\\b|\\bwith a word\\b	silently, with a message"
	"\\bsays of (it|them|the)\\b|\\btells of\\b|\\btold of\\b	says about, describes"
	"\\bgoes by (its|the)\\b	uses, is named by"
	"\\b(a|the) (net|door) (to|under)\\b	plain words, no pictures"
	"\\b(less|minus) (its|the) others'	plain subtraction: ours minus the script's"
	"\\bhow (good|steady) a\\b	the quality of"
)
except=(':!LICENSE' ':!*/testdata/*' ':!benchmarks/results' ':!docs/*.svg' ':!docs/*/*.svg' ':!go.sum' ':!scripts/check_language.sh' ':!*.csv' ':!*.json')

kinds=('*.go' '*.yaml' '*.md' '*.sh' '*.py' '*.cc' '*.cu' '*.h' '*.html' Makefile)

# search PATTERN: the lines with a pattern.
if [[ ${1:-} == --count ]]; then
	tree=("${@:2:1}")
	search() { git grep -niIP -e "$1" "${tree[@]}" -- "${kinds[@]}" "${except[@]}"; }
elif [[ $# -gt 0 ]]; then
	paths=("$@")
	search() { grep -rniIP -e "$1" "${paths[@]}"; }
else
	search() { git grep --untracked -niIP -e "$1" -- "${kinds[@]}" "${except[@]}"; }
fi

found=0
for entry in "${patterns[@]}"; do
	advice=${entry#*$'\t'}
	lines=$(search "${entry%%$'\t'*}" | grep -vF 'language: ok' || true)
	n=0
	[[ -z $lines ]] || n=$(wc -l <<<"$lines")
	found=$((found + n))
	if [[ ${1:-} == --count ]]; then
		printf '%5d  %s\n' "$n" "$advice"
	elif [[ $n -gt 0 ]]; then
		while IFS= read -r line; do
			printf '%.220s   [%s]\n' "$line" "$advice"
		done <<<"$lines"
	fi
done
if [[ ${1:-} == --count ]]; then
	printf '%5d  all\n' "$found"
elif [[ $found -gt 0 ]]; then
	printf 'check_language: %d lines in the dialect; rewrite them in plain English\n' "$found" >&2
	exit 1
fi
