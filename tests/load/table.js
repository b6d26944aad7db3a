// table.js: the rows that a benchmark has to measure, each with its aim. A row that was not measured is printed so. Must never measure.
'use strict';

class Table {
  constructor(names) {
    this.rows = new Map(names.map((name) => [name, { text: 'not measured' }]));
  }

  set(name, value, digits, aim, good) {
    if (!this.rows.has(name)) throw new Error(`no such row: ${name}`);
    this.rows.set(name, { text: value.toFixed(digits), aim: aim && `aim ${aim} ${good ? 'reached' : 'falls short'}` });
  }

  missing() { return [...this.rows.values()].filter((row) => row.text === 'not measured').length; }
  text() { return [...this.rows].map(([name, row]) => `${name.padEnd(72)} ${row.text.padStart(12)}   ${row.aim || ''}`.trimEnd()).join('\n'); }
}

module.exports = { Table };
