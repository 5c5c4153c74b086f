import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { test } from 'node:test'

test('npm run demo -- --exit walks the whole tour on a fresh directory and ends with 0', async () => {
  // By npm, as people start it: a program that npm starts also looks whether npm is still there
  const child = spawn('npm', ['run', 'demo', '--', '--exit'], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: {
      PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
      HOME: process.env['HOME'],
      NO_COLOR: '1',
      POSTERN_WORKERS: '2',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (piece: Buffer) => {
    output += piece.toString()
  })
  child.stderr.on('data', (piece: Buffer) => {
    output += piece.toString()
  })
  const code = await new Promise((done) => child.on('close', done))
  assert.equal(code, 0, output)
  assert.match(output, /Every step came out as expected/)
  assert.ok((output.match(/✓/g) ?? []).length >= 25, output)
  assert.doesNotMatch(output, /✗/)
})
