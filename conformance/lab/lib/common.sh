# shellcheck shell=bash disable=SC2034
# What every part uses: messages, arguments, the cache.

cache=${LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rtrun-lab}
arch=amd64

say() { echo "lab: $*" >&2; }
# die MESSAGE [EXIT-CODE]: what is wrong and what to do about it; 125 is the lab's own failure, never the command's
die() {
    say "$1"
    exit "${2:-125}"
}

# existing PATH: its absolute form
existing() { [ -e "$1" ] || die "$1 does not exist"; readlink -f "$1"; }
# number OPTION VALUE
number() { [[ $2 =~ ^[1-9][0-9]*$ ]] || die "$1 takes a whole number, not '$2'"; echo "$2"; }

# need PROGRAM PACKAGE
need() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null || die "no $1 here: apt-get install $2, or scripts/install-deps lab"; }

# digest TEXT-OR-FILE…: a short name for what a cached thing depends on
digest() {
    local one
    for one in "$@"; do if [ -f "$one" ]; then cat "$one"; else echo "$one"; fi; done | sha256sum | cut -c 1-12
}

# cached NAME FUNCTION…: $cache/NAME, made by the function in an empty folder (its argument) if it is not there; only a whole
# thing gets its name, and two labs that start at once make it once
cached() {
    local path=$cache/$1 start=$SECONDS new
    shift
    [ ! -d "$path" ] || { touch "$path"; return 0; }
    mkdir -p "$cache"
    # what no lab has used for two weeks belongs to files that have changed since
    find "$cache" -mindepth 1 -maxdepth 1 -mtime +14 -exec rm -rf --one-file-system {} +
    exec 9>"$path.lock"
    flock 9
    if [ ! -d "$path" ]; then
        new=$path.new
        rm -rf --one-file-system "$new"
        mkdir "$new"
        "$@" "$new" || { rm -rf --one-file-system "$new"; die "could not make $path"; }
        mv "$new" "$path"
        say "made $path in $((SECONDS - start)) s"
    fi
    exec 9>&-
    rm -f "$path.lock"
}

build_images() {
    [ "$(uname -m)" = x86_64 ] || die "the lab is an x86_64 guest, and this machine is $(uname -m)"
    find_root
    find_kernel
}
