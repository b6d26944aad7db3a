// measure.js: what a stretch of the benchmark cost: time, CPU per program, neighbours.
//
// Responsible for: reading /proc, summing up process trees, medians. CPU of a tree is what its living processes and all its
// ended and fetched ones used, so it only ever grows.
// Must never start or stop anything.
'use strict';

const fs = require('node:fs');

const TICK_US = 10000; // Linux shows times in units of 1/100 s on every machine that Debian runs on

function stat(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) };
  } catch {
    return undefined; // ended meanwhile
  }
}

function children() {
  const of = new Map();
  for (const name of fs.readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const found = stat(name);
    if (found) of.set(found.parent, [...(of.get(found.parent) || []), Number(name)]);
  }
  return of;
}

function treeUs(root, of) {
  const own = stat(root);
  if (!own) return 0;
  return own.ticks * TICK_US + (of.get(root) || []).reduce((sum, child) => sum + treeUs(child, of), 0);
}

// All that the machine did but idle and wait, in µs.
function machineUs() {
  const [user, nice, system, , , irq, softirq] = fs.readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq) * TICK_US;
}

// trees: name → root pids. Gives the µs of each and of this process with its ended children (clients, pgbench, psql).
function snapshot(trees) {
  const of = children();
  const used = {};
  for (const [name, pids] of Object.entries(trees)) used[name] = pids.reduce((sum, pid) => sum + treeUs(pid, of), 0);
  used.self = treeUs(process.pid, of);
  return { at: process.hrtime.bigint(), machine: machineUs(), used };
}

function difference(before, after) {
  const seconds = Number(after.at - before.at) / 1e9;
  const used = {};
  for (const name of Object.keys(after.used)) used[name] = after.used[name] - (before.used[name] || 0);
  const ours = Object.values(used).reduce((a, b) => a + b, 0);
  return { seconds, used, neighbours: Math.max(0, after.machine - before.machine - ours) / 1e6 / seconds };
}

function residentMib(pid) {
  const line = fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+([0-9]+) kB/m);
  return Number(line[1]) / 1024;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : NaN;
}

module.exports = { snapshot, difference, residentMib, median, percentile };
