#!/bin/sh
# Debian packages the peers tests talk to; nothing is done where they are there already.
set -eu
wanted="dcmtk orthanc orthanc-dicomweb postgresql openssl chromium"
missing=""
for package in $wanted; do
  dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
# A node that came from elsewhere brings its npm along, and Debian's would conflict with it.
command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || missing="$missing nodejs npm"
[ -z "$missing" ] && exit 0
sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -q
# Orthanc's own service would hold the default ports; the tests start their own.
$sudo sh -c 'printf "#!/bin/sh\nexit 101\n" > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d'
# shellcheck disable=SC2086
$sudo apt-get install -y -q --no-install-recommends $missing
$sudo rm -f /usr/sbin/policy-rc.d
