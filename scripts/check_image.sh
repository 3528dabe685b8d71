#!/usr/bin/env bash
# Builds the images of Dockerfile.cuda without a Docker engine and without an image registry, runs each as its own user,
# and prints a table. Debian's packages, PyPI and the Go proxy must be reachable.
#
#   scripts/check_image.sh                 # both targets, then everything that it made is removed
#   scripts/check_image.sh cpu             # one target: cpu or cuda
#   scripts/check_image.sh --install       # first installs buildah and debootstrap with apt
#   scripts/check_image.sh --keep DIR      # puts everything into DIR and leaves it there; the next run with it is faster
#
# It needs root, buildah, debootstrap, go, and about 30 GB of disk for cuda or 6 GB for cpu (in TMPDIR or DIR). The base
# images, debian:RELEASE-slim and golang:VERSION-RELEASE, are made by debootstrap and from the Go toolchain, and tagged
# with the names that the Dockerfile asks for. The Dockerfile itself is built as it stands, with buildah's chroot isolation.
#
# In each image it runs, as the image's user: id, doctor, a training of one round on Fashion-MNIST into a volume and its
# continuation in a second container; then, as a user that the image does not know, a training into a folder of that user.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

fail() {
	printf 'check_image: %s\n' "$@" >&2
	exit 1
}
say() { printf 'check_image: %s\n' "$@" >&2; }

targets=() install='' keep=''
while (($#)); do
	case $1 in
	cpu | cuda) targets+=("$1") ;;
	--install) install=1 ;;
	--keep)
		(($# > 1)) || fail "--keep needs a folder"
		keep=$2
		shift
		;;
	*) sed -n '2,15s/^# \{0,1\}//p' "$0" && exit 2 ;;
	esac
	shift
done
((${#targets[@]})) || targets=(cpu cuda)

[[ $(id -u) == 0 ]] || fail "debootstrap and buildah's chroot isolation need root: sudo $0"
missing=()
for tool in buildah debootstrap; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if ((${#missing[@]})); then
	[[ -n $install ]] || fail "not installed: ${missing[*]}; scripts/check_image.sh --install installs them with apt"
	apt-get update -q >&2
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
fi
command -v go >/dev/null || fail "there is no go on PATH: the golang image is made from it"

# --- a storage of its own --------------------------------------------------------------------------------------------
if [[ -n $keep ]]; then
	mkdir -p "$keep"
	work=$(cd "$keep" && pwd)
else
	work=$(mktemp -d "${TMPDIR:-/var/tmp}/feddag-image-XXXXXX")
fi
mkdir -p "$work"/{tmp,logs}
exec 8>"$work/lock"
flock -n 8 || fail "another check is using $work"
export TMPDIR=$work/tmp BUILDAH_ISOLATION=chroot
buildah=(nice -n 10 buildah --root "$work/storage" --runroot "$work/run" --storage-driver "${STORAGE_DRIVER:-overlay}")

clean_up() {
	# timeout ends its command, with SIGKILL after 20 s, because buildah may wait forever for a step that has ended.
	if [[ -n $job ]]; then kill "$job" && wait "$job" || true; fi
	"${buildah[@]}" rm --all >/dev/null 2>&1 || true
	umount "$work"/tmp/rootfs/{proc,sys,dev/pts,dev} 2>/dev/null || true # debootstrap was interrupted
	if [[ -n $keep ]]; then
		say "left in $work; to remove it: buildah --root $work/storage --runroot $work/run rmi --all; rm -rf $work"
		return
	fi
	"${buildah[@]}" rmi --all --force >/dev/null 2>&1 || true
	umount "$work/storage/overlay" 2>/dev/null || true
	chmod -R u+w "$work/go" 2>/dev/null || true # Go's modules are read-only
	rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# limited SECONDS LOG COMMAND...: writes the command's output to a log, whose end is shown if the command fails. The command
# runs in the background, because a shell that waits for a command in the foreground does not handle signals.
job=''
limited() {
	local limit=$1 log=$work/logs/$2.log rc=0
	shift 2
	timeout --kill-after=20 "$limit" "$@" >"$log" 2>&1 </dev/null &
	job=$!
	wait "$job" || rc=$?
	job=''
	if ((rc == 0)); then return; fi
	tail -n 30 "$log" >&2
	if ((rc == 124 || rc == 137)); then fail "not done after $limit s: $*"; fi
	fail "exit code $rc: $*" "the whole log: $log (with --keep)"
}

# --- the base images -------------------------------------------------------------------------------------------------
# argument NAME: the default of an ARG of the Dockerfile.
argument() { sed -n "s/^ARG $1=//p" Dockerfile.cuda | head -n 1; }
release=$(argument DEBIAN)
go_version=$(argument GO_VERSION)
[[ -n $release && -n $go_version ]] || fail "Dockerfile.cuda has no default for DEBIAN and GO_VERSION"
slim=docker.io/library/debian:$release-slim
golang=docker.io/library/golang:$go_version-$release
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

# No registry is used: an image that is not in the storage is an error.
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf
printf 'unqualified-search-registries = ["docker.io"]\n' >"$CONTAINERS_REGISTRIES_CONF"

have() { "${buildah[@]}" inspect --type image "$1" >/dev/null 2>&1; }

# make_slim makes an image of Debian's essential packages, reduced like Docker's slim images.
make_slim() {
	local rootfs container
	have "$slim" && return
	say "debootstrap for $slim"
	rootfs=$TMPDIR/rootfs
	rm -rf --one-file-system "$rootfs"
	limited 1200 debootstrap nice -n 10 debootstrap --variant=minbase "$release" "$rootfs" "$mirror"
	printf 'deb %s %s main\n' "$mirror" "$release" "$mirror" "$release-updates" \
		"${mirror%/debian}/debian-security" "$release-security" >"$rootfs/etc/apt/sources.list"
	printf '%s\n' force-unsafe-io 'path-exclude /usr/share/man/*' 'path-exclude /usr/share/locale/*' \
		'path-exclude /usr/share/doc/*' 'path-include /usr/share/doc/*/copyright' >"$rootfs/etc/dpkg/dpkg.cfg.d/docker"
	printf '%s\n' 'Dir::Cache::pkgcache "";' 'Dir::Cache::srcpkgcache "";' 'Apt::Keep-Downloaded-Packages "false";' \
		'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };' >"$rootfs/etc/apt/apt.conf.d/docker"
	rm -rf "$rootfs"/var/lib/apt/lists/* "$rootfs"/var/cache/apt/*.bin "$rootfs"/var/cache/apt/archives/*.deb \
		"$rootfs"/var/log/*.log "$rootfs"/var/log/apt "$rootfs"/usr/share/{man,locale,info}/*
	find "$rootfs/usr/share/doc" -type f ! -name copyright -delete
	container=$("${buildah[@]}" from scratch)
	limited 600 add "${buildah[@]}" add --quiet "$container" "$rootfs" /
	"${buildah[@]}" config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
	limited 600 commit "${buildah[@]}" commit --quiet --rm "$container" "$slim"
	rm -rf --one-file-system "$rootfs"
}

# make_golang adds a compiler, git and Go to that image, and the settings with which this machine reaches PyPI and the Go
# proxy.
make_golang() {
	local container file
	have "$golang" && return
	say "apt and Go for $golang"
	container=$("${buildah[@]}" from --pull-never "$slim")
	limited 1200 golang "${buildah[@]}" run "$container" -- sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get \
		install -y -q --no-install-recommends ca-certificates curl g++ gcc git gnupg libc6-dev make netbase pkg-config \
		procps tzdata wget && rm -rf /var/lib/apt/lists/*'
	limited 600 add "${buildah[@]}" add --quiet "$container" "$(toolchain)" /usr/local/go
	for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
		if [[ -f $file ]]; then limited 60 add "${buildah[@]}" add --quiet "$container" "$file" "$file"; fi
	done
	"${buildah[@]}" config --env PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		--env GOPATH=/go --env GOTOOLCHAIN=local --workingdir /go "$container"
	limited 600 commit "${buildah[@]}" commit --quiet --rm "$container" "$golang"
}

# toolchain prints the folder of the Go that the Dockerfile asks for: this machine's, or the Go proxy's.
toolchain() {
	if [[ $(go env GOVERSION) == "go$go_version"* ]]; then
		go env GOROOT
	else
		GOTOOLCHAIN=go$go_version.0 go env GOROOT
	fi
}

make_slim
make_golang

# --- build -----------------------------------------------------------------------------------------------------------
# Both builds compile the same Go packages.
mkdir -p "$work"/go/{pkg,cache}
volumes=(--volume "$work/go/pkg:/go/pkg" --volume "$work/go/cache:/root/.cache/go-build")

size() { "${buildah[@]}" images --format '{{.Size}}' "$1"; }

# inside LIMIT LOG USER CONTAINER COMMAND...: runs in a container, with the user's volume mounted. 1000 is the image's user.
inside() {
	local limit=$1 log=$2 user=$3 container=$4 as=()
	shift 4
	[[ $user == 1000 ]] || as=(--user "$user")
	limited "$limit" "$log" "${buildah[@]}" run "${as[@]}" --volume "$work/volumes/$user:/runs" "$container" -- "$@"
}

# belongs FILE USER: fails if the file belongs to another user.
belongs() {
	local owner
	owner=$(stat -c %u "$1")
	[[ $owner == "$2" ]] || fail "$1 belongs to user $owner, not to $2"
}

# said WORD: prints the text of doctor's line that begins with the word.
said() { sed -n "s/^$1  *//p" "$work/logs/doctor-$target.log"; }

rows=()
for target in "${targets[@]}"; do
	image=localhost/feddag:$target
	say "building $target"
	from=$SECONDS
	limited 3600 "build-$target" "${buildah[@]}" bud --layers --pull-never --isolation chroot "${volumes[@]}" \
		-f Dockerfile.cuda -t "$image" --target "$target" .
	built=$((SECONDS - from))

	say "running $target"
	entry=$("${buildah[@]}" inspect --type image --format '{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}}' "$image")
	[[ $entry == '[feddag] [--help]' ]] || fail "$target: the image starts $entry, want [feddag] [--help]"
	first=$("${buildah[@]}" from --pull-never "$image")
	second=$("${buildah[@]}" from --pull-never "$image")
	user=$("${buildah[@]}" run "$first" -- id -u)
	[[ $user == 1000 ]] || fail "$target: the image runs as user $user, not as 1000"
	rm -rf "$work/volumes" && mkdir -p "$work/volumes"/{1000,12345}
	chown 1000 "$work/volumes/1000"
	chown 12345 "$work/volumes/12345"
	inside 120 "doctor-$target" 1000 "$first" feddag doctor
	from=$SECONDS
	inside 900 "train-$target" 1000 "$first" feddag train --clients 20 --rounds 1 --epochs 1 --seed 1 --out runs/check
	trained=$((SECONDS - from))
	inside 900 "resume-$target" 1000 "$second" feddag train --resume runs/check --rounds 2
	summary=$work/volumes/1000/check/summary.json
	belongs "$summary" 1000
	grep -q '"rounds": *2,' "$summary" || fail "$target: $summary does not have the two rounds that were asked for"
	inside 900 "stranger-$target" 12345 "$second" feddag train --algorithm fedavg --clients 10 --train-share 0.1 --rounds 1 \
		--epochs 1 --seed 1 --out runs/check
	belongs "$work/volumes/12345/check/summary.json" 12345
	rows+=("| $target | $(size "$image") | $built | $trained | $(said libtorch) | $(said CUDA) |")
	"${buildah[@]}" rm "$first" "$second" >/dev/null
done

printf 'debian:%s-slim here: %s\n\n' "$release" "$(size "$slim")"
printf '| target | size | build, s | one round, s | libtorch | CUDA |\n|---|---|---|---|---|---|\n'
printf '%s\n' "${rows[@]}"
