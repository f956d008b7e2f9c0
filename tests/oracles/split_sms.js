// Asks npm's split-sms: one JSON string a line in, "<alphabet> <segments> <units>" out.
'use strict';
const readline = require('readline');
const { split } = require(require.resolve('split-sms', { paths: [process.argv[2] || '.'] }));

const answers = [];
readline.createInterface({ input: process.stdin, crlfDelay: Infinity })
  .on('line', (line) => {
    const { characterSet, parts, bytes } = split(JSON.parse(line), { summary: true });
    const gsm = characterSet === 'GSM';
    answers.push(`${gsm ? 'GSM7' : 'UCS2'} ${parts.length} ${gsm ? bytes : bytes / 2}`);
  })
  .on('close', () => process.stdout.write(answers.join('\n') + '\n'));
