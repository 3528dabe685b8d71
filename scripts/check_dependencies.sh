#!/usr/bin/env bash
# Looks for known vulnerabilities in the functions that the program calls (govulncheck), and lists the age of every module.
#
#   scripts/check_dependencies.sh
#
# The database is https://vuln.go.dev. If that cannot be reached, the database is made from the module golang.org/x/vulndb on
# Go's proxy, which is some weeks old. Findings in the standard library depend on the version of Go and disappear with a newer
# version (GOTOOLCHAIN=go1.26.10 scripts/check_dependencies.sh). The exit code is that of govulncheck: 3 if it finds
# something.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0
env=$(scripts/build_native.sh)
# shellcheck disable=SC1090
. "$env"

printf '%-42s %-36s %-11s %s\n' module version released newest
go list -m -f '{{if not .Main}}{{.Path}} {{.Version}}{{end}}' all | while read -r path version; do
	# Modules that are only needed by tests of dependencies are not in the program.
	grep -q "^[[:space:]]*$path $version" go.mod || continue
	when=$(go list -m -f '{{.Time.Format "2006-01-02"}}' "$path@$version" 2>/dev/null || echo '?')
	newest=$(go list -m -f '{{.Version}} {{.Time.Format "2006-01-02"}}' "$path@latest" 2>/dev/null || echo '?')
	if [[ $newest == "$version "* ]]; then newest='the same'; fi
	printf '%-42s %-36s %-11s %s\n' "$path" "$version" "$when" "$newest"
done

# GOFLAGS is for this module's packages, not for the tools.
database=https://vuln.go.dev
if ! curl -fsS -m 20 -o /dev/null "$database/index/db.json" 2>/dev/null; then
	read -r dir version < <(GOFLAGS='' go mod download -json golang.org/x/vulndb@latest | awk -F'"' '/"Dir"/ {d = $4} /"Version"/ {v = $4} END {print d, v}')
	out=$PWD/build/vulndb-$version
	if [[ ! -d $out ]]; then
		(cd / && GOFLAGS='' go run "golang.org/x/vulndb/cmd/indexdb@$version" -vulns "$dir/data/osv" -out "$out.tmp")
		mv "$out.tmp" "$out"
	fi
	database=file://$out
fi
echo "check_dependencies: $(go version), database $database"
go run "$govulncheck" -db "$database" ./...
