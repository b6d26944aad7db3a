#!/usr/bin/perl
# init.pl LOG COMMAND…: process 1 of a process namespace.
# Responsible for: running COMMAND, fetching every process that it leaves behind, and writing how each ended to LOG ("idscope-api 123 0": name, pid, wait
# status), since whoever started a daemon is gone when it ends. Exits as COMMAND did; the kernel then ends whatever is left in the namespace.
# Must never signal anybody.
use strict;
use warnings;
use POSIX qw(WNOHANG);

my ($log, @command) = @ARGV;
open(my $out, '>>', $log) or die "init: $log: $!\n";
$out->autoflush(1);
my $main = fork() // die "init: fork: $!\n";
if ($main == 0) {
    exec(@command) or die "init: $command[0]: $!\n";
}

# Name and pid of every dead child: its name can be read only until it is fetched.
sub dead {
    my @found;
    for my $file (glob '/proc/[0-9]*/stat') {
        open(my $in, '<', $file) or next;
        my ($pid, $name, $state, $parent) = (<$in> // '') =~ /^(\d+) \((.*)\) (\S) (\d+)/s or next;
        push @found, [$pid, $name] if $state eq 'Z' && $parent == $$;
    }
    return @found;
}

my $status;
until (defined $status) {
    for my $child (dead()) {
        my ($pid, $name) = @$child;
        next if waitpid($pid, WNOHANG) != $pid;
        $status = $? if $pid == $main;
        print {$out} "$name $pid $?\n";
    }
    select(undef, undef, undef, 0.05);
}
exit($status & 127 ? 128 + ($status & 127) : $status >> 8);
