#!/usr/bin/env bash
# Makes small runs whose pages are hard to draw (one cluster, thirty clusters, 1,000 clients, no clusters, one round, a scenario, a
# comparison of all algorithms) and checks their pages in a real browser: scripts/check_pages.mjs says what is checked. It needs
# Node and Chromium (CHROMIUM names another program than chromium), and takes a few minutes.
#
#   scripts/check_pages.sh [PROGRAM [FOLDER]]
#
# The runs go to FOLDER, where finished ones are used again, and pictures of the pages to FOLDER/pictures. Without FOLDER nothing
# is kept.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-feddag}")
if [[ -n ${2:-} ]]; then
  mkdir -p "$2"
  out=$(realpath "$2")
else
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi
for tool in node "${CHROMIUM:-chromium}"; do
  command -v "$tool" >/dev/null || { echo "check_pages.sh: $tool is not installed" >&2; exit 1; }
done

pages=()
# train NAME FLAGS...: makes a small run in a folder of that name.
train() {
  local dir=$out/$1
  shift
  [[ -f $dir/report.html ]] || "$program" train --quiet --device cpu --epochs 1 --train-share 0.05 --out "$dir" "$@" >/dev/null
  pages+=("$dir/report.html")
}
cat >"$out/scenario.json" <<'JSON'
{"version": 2, "reserve": 0.2, "check_every": 2, "search_after": 15, "events": [
  {"round": 3, "join": "80-89"}, {"round": 4, "leave": [3, 17]}, {"round": 5, "shift": "10-14", "labels": [0, 6, 9]}, {"round": 5, "join": "90-99"}]}
JSON
train five --rounds 3
train similar --rounds 3 --feddag-clustering similarity
train thirty --rounds 2 --feddag-clustering similarity --feddag-choose count:30
train one --rounds 2 --partition iid
train none --rounds 2 --algorithm fedavg
train round --rounds 1
train thousand --rounds 2 --clients 1000 --rate 0.01 --train-share 0.2 --final-post=false
train scenario --rounds 5 --scenario "$out/scenario.json"
# A comparison that was stopped already has a page with the finished runs, so the command itself decides what is left to do.
"$program" compare --quiet --device cpu --algorithms all --seeds 1 --rounds 2 --epochs 1 --train-share 0.02 --out "$out/compare" >/dev/null
pages+=("$out/compare/compare.html")
"$program" compare --quiet --read "$out/compare" --algorithms feddag,fedavg,ifca --out "$out/few" >/dev/null
pages+=("$out/few/compare.html")

node scripts/check_pages.mjs --shots "$out/pictures" "${pages[@]}"
