#!/usr/bin/env bash
# The image that ops/vm-test boots: a small Debian bookworm as one file of ext4, and beside it the kernel,
# the modules on the way to a virtual disk, and a busybox for the first file system. Sourced.
#
# Kept by content: its folder is named after a hash of all that decides what is in it. It must never be
# changed once it has that name, hold anything of ours but what is written here, or be used half-built.

# A console to log in at, documentation and languages are of no use in there.
IMAGE_SUITE=bookworm
IMAGE_PACKAGES=(systemd systemd-sysv dbus libpam-systemd procps python3 nodejs busybox-static)
# The kernel for virtual machines: ext4 is built in, and it is a quarter of the other's size.
IMAGE_KERNEL=linux-image-cloud-amd64
IMAGE_MODULES=(virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk)
IMAGE_USER=1234

# Installs what building and booting need.
image_tools() {
    local missing=()
    command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
    command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
    command -v mke2fs >/dev/null || missing+=(e2fsprogs)
    command -v setpriv >/dev/null && command -v mkswap >/dev/null || missing+=(util-linux)
    ((${#missing[@]} > 0)) || return 0
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends "${missing[@]}" ||
        { apt-get update && apt-get install -y --no-install-recommends "${missing[@]}"; }
}

# The host's own sources of the suite; none of them, and mmdebstrap knows where Debian is.
image_sources() {
    # shellcheck disable=SC2016 # apt's variables, not the shell's
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' \
        'Origin: Debian' 'Identifier: Packages' 2>/dev/null |
        grep -E "^deb [^ ]+ $IMAGE_SUITE(-updates|-security)? " || true
}

# What the package lists offer now: a new version of one that was asked for makes a new image.
image_versions() {
    apt-cache policy "$IMAGE_KERNEL" "${IMAGE_PACKAGES[@]}" | grep -E '^[^ ]|Candidate:'
}

# The folder of the image that is wanted.
image_path() {
    local hash
    if ! image_versions | grep -q 'Candidate: [0-9]'; then apt-get update >&2; fi
    hash=$({ cat ops/lib/vm/image.sh; image_versions; image_sources; } | sha256sum)
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/glovebox-vm/${hash:0:16}"
}

# image_settle ROOT: a machine that has been set up, has the user of the tests, and does nothing by itself.
image_settle() {
    echo glovebox-vm >"$1/etc/hostname"
    printf '%032x\n' 1 >"$1/etc/machine-id"
    chroot "$1" useradd --uid "$IMAGE_USER" --create-home user
    rm -f "$1"/etc/systemd/system/*.wants/*
    chroot "$1" systemctl --quiet mask systemd-pstore.service systemd-random-seed.service \
        systemd-journal-flush.service systemd-update-utmp.service systemd-tmpfiles-setup.service
}

# image_kernel FOLDER: takes what is needed out of the package in it.
image_kernel() {
    local module
    mkdir "$1/modules"
    dpkg -x "$1"/linux-image-*.deb "$1/kernel"
    mv "$1"/kernel/boot/vmlinuz-* "$1/vmlinuz"
    for module in "${IMAGE_MODULES[@]}"; do
        find "$1/kernel/lib/modules" -name "$module.ko" -exec mv {} "$1/modules/" \;
        echo "$module" >>"$1/modules/order"
    done
    rm -rf "$1/kernel" "$1"/linux-image-*.deb
}

# image_build FOLDER: makes it under another name first. Older ones go.
image_build() (
    set -euo pipefail
    local began=$SECONDS new
    mkdir -p "$(dirname "$1")"
    new=$(mktemp -d "$(dirname "$1")/new.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    echo "vm: building $1" >&2
    image_sources >"$new/sources.list"
    # Proxies and the like: what this host needs to reach its sources, the image's apt needs.
    apt-config dump --no-empty Acquire | grep -Ev '::(IndexTargets|Changelogs)::' >"$new/apt.conf"
    local sources=()
    [[ -s $new/sources.list ]] && sources=("$new/sources.list")
    mmdebstrap --quiet --mode=root --variant=minbase --format=directory --aptopt="$new/apt.conf" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/i18n/*' \
        --include="$(IFS=,; echo "${IMAGE_PACKAGES[*]}")" \
        --customize-hook="cd '$new' && export APT_CONFIG=\$MMDEBSTRAP_APT_CONFIG && apt-get -qq download \
            \$(apt-cache depends $IMAGE_KERNEL | sed -n 's/.*Depends: \(linux-image-[^ ]*\).*/\1/p')" \
        "$IMAGE_SUITE" "$new/root" "${sources[@]}"
    image_settle "$new/root"
    image_kernel "$new"
    cp "$new/root/bin/busybox" "$new/busybox"
    mke2fs -q -t ext4 -O ^has_journal -d "$new/root" "$new/root.img" 1G >/dev/null
    rm -rf "$new/root" "$new/sources.list" "$new/apt.conf"
    # What was cut off, and what nobody has used for a week.
    find "$(dirname "$1")" -mindepth 1 -maxdepth 1 \( -name 'new.*' -mmin +60 -o -mtime +7 \) -exec rm -rf {} +
    # Two at one time: the first to be done has made the same.
    mv -T "$new" "$1" 2>/dev/null || [[ -d $1 ]]
    echo "vm: built in $((SECONDS - began)) s" >&2
)
