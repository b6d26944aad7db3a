// stats.js: is a distribution the one that was asked for?
//
// Responsible for: Pearson's chi-squared against expected shares, with its p value.
// Must never decide what p is good enough: the test that asks says so.
'use strict';

// P(X > x) for chi-squared with k degrees of freedom: the upper regularized incomplete gamma function Q(k/2, x/2).
function chiSquaredTail(x, k) {
  const a = k / 2;
  const z = x / 2;
  if (z <= 0) return 1;
  return z < a + 1 ? 1 - gammaSeries(a, z) : gammaFraction(a, z);
}

function logGamma(a) {
  const c = [76.18009172947146, -86.50532032941677, 24.01409824083091, -1.231739572450155, 0.1208650973866179e-2, -0.5395239384953e-5];
  let series = 1.000000000190015;
  c.forEach((value, i) => { series += value / (a + 1 + i); });
  return -(a + 5.5) + (a + 0.5) * Math.log(a + 5.5) + Math.log((2.5066282746310005 * series) / a);
}

function gammaSeries(a, z) {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; n < 500 && term > sum * 1e-15; n++) sum += term *= z / (a + n);
  return sum * Math.exp(-z + a * Math.log(z) - logGamma(a));
}

function gammaFraction(a, z) {
  let b = z + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < 500; i++) {
    const an = -i * (i - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return h * Math.exp(-z + a * Math.log(z) - logGamma(a));
}

// counts and weights in the same order; gives the statistic and its p value.
function fit(counts, weights) {
  const total = counts.reduce((a, b) => a + b, 0);
  const whole = weights.reduce((a, b) => a + b, 0);
  const x = counts.reduce((sum, count, i) => {
    const expected = (total * weights[i]) / whole;
    return sum + (count - expected) ** 2 / expected;
  }, 0);
  return { x, p: chiSquaredTail(x, counts.length - 1) };
}

module.exports = { fit, chiSquaredTail };
