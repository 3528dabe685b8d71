#!/usr/bin/env bash
# Installs everything that is missing to build, test and run. It asks no questions, and takes a second if there is nothing to
# do. LIBTORCH=DIR or LIBTORCH_USE_PYTORCH=1 select an existing libtorch (see find_libtorch.sh), in which case none is
# installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

fail() {
	printf 'setup: %s\n' "$@" >&2
	exit 1
}
say() { printf 'setup: %s\n' "$@" >&2; }

# --- Go: not installed here, since distributions package versions too old to fetch newer ones -------------------------
need=$(awk '$1 == "go" {print $2}' go.mod)
go_help="install Go $need or later (1.21 or later fetches it by itself): https://go.dev/dl/"
command -v go >/dev/null || fail "there is no go on PATH" "$go_help"
# In this folder, go itself fails if it is too old for go.mod and may not download a newer version.
have=$(go env GOVERSION 2>&1) || fail "$have" "$go_help"
have=${have#go}
if [[ $have =~ ^[0-9] && $(printf '%s\n' "$need" "$have" | sort -V | sed -n 1p) != "$need" ]]; then
	fail "Go $have is too old" "$go_help"
fi

# --- what is missing? ------------------------------------------------------------------------------------------------
packages=() # needed to build
optional=() # not needed to build

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

command -v "${CXX:-g++}" >/dev/null || packages+=(g++)
command -v "${CC:-gcc}" >/dev/null || packages+=(gcc)
command -v make >/dev/null || packages+=(make)
# Without certificates, go cannot download modules.
[[ -e /etc/ssl/certs/ca-certificates.crt || -e /etc/ssl/cert.pem || -d /etc/pki ]] || optional+=(ca-certificates)

chosen=${LIBTORCH:-}
if [[ ${LIBTORCH_USE_PYTORCH:-0} == 1 ]]; then chosen=pytorch; fi
libtorch=missing
if scripts/find_libtorch.sh >/dev/null 2>&1; then
	libtorch=found
elif [[ -n $chosen ]]; then
	scripts/find_libtorch.sh >/dev/null || exit 1 # it prints the reason
else
	packages+=(libtorch-dev)
fi

# OpenBLAS replaces the reference BLAS of Debian's libtorch and is several times faster. Wheels contain their own BLAS.
if [[ -z $chosen && ! -d .venv ]] && command -v dpkg-query >/dev/null && ! installed libopenblas0-pthread; then
	optional+=(libopenblas0-pthread)
fi

# Without Gloo's headers, the program cannot run on several ranks. No libtorch includes them.
if [[ -z ${GLOO_INCLUDE:-} && ! -f /usr/include/gloo/transport/device.h && ! -f /usr/local/include/gloo/transport/device.h ]]; then
	optional+=(libgloo-dev)
fi

have_data() {
	local dir
	for dir in "${FEDDAG_DATA_DIR:-}" data "${XDG_CACHE_HOME:-$HOME/.cache}/feddag" /usr/share/dataset-fashion-mnist \
		/usr/share/datasets/fashion-mnist; do
		[[ -n $dir && -d $dir ]] || continue
		[[ -n $(find -L "$dir" -maxdepth 4 -name 'train-images-idx3-ubyte*' -print -quit 2>/dev/null) ]] && return 0
	done
	return 1
}
have_data || optional+=(dataset-fashion-mnist)

# --- install it ------------------------------------------------------------------------------------------------------
has_candidate() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# Another apt may be running, for example automatically after booting. The set-up waits for it for up to this number of
# seconds.
apt_patience=${FEDDAG_APT_WAIT:-600}
sudo=()

# apt_get ARGUMENTS: runs apt-get without questions. If another apt holds a lock, it prints this once and tries again, because
# apt-get itself does not wait for the locks of the package lists and of the downloads, and before 1.9.11 for no lock at all.
apt_get() {
	local deadline=$((SECONDS + apt_patience)) errors status lock said=''
	errors=$(mktemp)
	while true; do
		status=0
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -q -o Dpkg::Use-Pty=0 "$@" \
			>&2 2>"$errors" </dev/null || status=$?
		lock=$(grep -m 1 'Could not get lock' "$errors" || true)
		if ((status == 0 || SECONDS >= deadline)) || [[ -z $lock ]]; then break; fi
		if [[ -z $said ]]; then say "waiting up to $apt_patience seconds for another apt: ${lock#E: }"; fi
		said=1
		sleep 2
	done
	cat "$errors" >&2
	rm -f "$errors"
	return "$status"
}

if ((${#packages[@]} + ${#optional[@]})); then
	reason=''
	if ! command -v apt-get >/dev/null; then
		reason='there is no apt-get on this machine'
	elif [[ $(id -u) != 0 ]]; then
		# -n: never ask for a password if there is no terminal.
		if [[ -t 0 ]] && command -v sudo >/dev/null; then
			sudo=(sudo)
		elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
			sudo=(sudo -n)
		else
			reason='neither root nor sudo'
		fi
	fi
	if [[ -n $reason ]]; then
		if ((${#packages[@]})); then
			fail "$reason; please install the equivalents of these Debian packages: ${packages[*]} ${optional[*]}" \
				"(libtorch also comes with LIBTORCH=DIR from pytorch.org, or LIBTORCH_USE_PYTORCH=1 after" \
				"python3 -m pip install torch)"
		fi
		say "$reason; going on without these Debian packages: ${optional[*]}"
	else
		apt_get update || say "apt-get update failed; trying with the lists that are there"
		install=()
		for package in "${packages[@]}" "${optional[@]}"; do
			if has_candidate "$package"; then
				install+=("$package")
			elif [[ $package == libtorch-dev ]]; then
				libtorch=venv
				install+=(python3 python3-venv)
			elif [[ $package == dataset-fashion-mnist ]]; then
				say "this distribution has no $package: put the four Fashion-MNIST .gz files into ./data/fashion-mnist"
			elif [[ " ${optional[*]} " == *" $package "* ]]; then
				say "this distribution has no $package; going on without it"
			else
				fail "this distribution has no package $package; please install it"
			fi
		done
		if ((${#install[@]})); then
			say "installing ${install[*]}"
			apt_get install --no-install-recommends "${install[@]}" ||
				fail "apt-get could not install these packages; its message stands above"
		fi
	fi
fi

if [[ $libtorch == venv ]]; then
	say "this distribution has no libtorch-dev: putting PyPI's torch into .venv" \
		"(on x86-64 that is the CUDA build, several GB; PIP_INDEX_URL=https://download.pytorch.org/whl/cpu is smaller)"
	[[ -x .venv/bin/python3 ]] || python3 -m venv .venv
	.venv/bin/python3 -m pip install --quiet --disable-pip-version-check torch >&2
fi
scripts/find_libtorch.sh >/dev/null || exit 1 # for example too old; the script prints the reason

go mod download
