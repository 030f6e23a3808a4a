#!/bin/sh
# The real servers of the tests, unpacked from Debian's packages into a folder: make real-servers.
# Nothing is installed or started, and no rights are needed beyond those to download packages.
set -eu
folder=$1
packages="vsftpd proftpd-core proftpd-mod-crypto pure-ftpd pure-ftpd-common openssh-server
    openssh-sftp-server libwrap0 libhiredis0.14 libmemcached11 libmemcachedutil2 libhashkit2
    libpcre2-posix3 postfix libdb5.3 libicu72 libnsl2 libsasl2-2 nginx caddy
    postgresql-15 postgresql-client-15 libpq5 libldap-2.5-0 libxml2
    pgbouncer libc-ares2 libevent-2.1-7 prometheus"
command -v apt-get > /dev/null || { echo "the real servers come from Debian's packages: no apt-get" >&2; exit 1; }
mkdir -p "$folder/packages"
cd "$folder/packages"
# shellcheck disable=SC2086  # a list of words
apt-get -q download $packages > log 2>&1 || { apt-get -q update > log 2>&1 && apt-get -q download $packages > log 2>&1; } || {
    tail -5 log >&2
    echo "the packages of the real servers could not be downloaded: $packages" >&2
    exit 1
}
for package in *.deb; do dpkg -x "$package" ..; done
rm -f ./*.deb
for server in vsftpd proftpd pure-ftpd sshd nginx; do test -x "../usr/sbin/$server"; done
test -x ../usr/sbin/pgbouncer
test -x ../usr/bin/caddy
test -x ../usr/bin/prometheus
test -x ../usr/lib/postfix/sbin/master
test -x ../usr/lib/postgresql/15/bin/initdb
