#!/bin/sh
# Process 1 of the virtual machine: runs the tests that were chosen, says how they ended, stops the machine.
# xtask waits for the lines that begin with "auditor-vm:".
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
read -r release < /proc/sys/kernel/osrelease
echo "auditor-vm: begins on $release"
set --
while read -r name; do
    set -- "$@" "$name"
done < /tests/names
export AUDITOR_TEST_FIXTURES=/tests/fixtures AUDITOR_TEST_SLOWER=50
/tests/program --ignored --exact --test-threads=1 --color=never "$@"
echo "auditor-vm: ended with $?"
# The line must be through before the machine goes.
sleep 1
echo b > /proc/sysrq-trigger
