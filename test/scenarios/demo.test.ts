import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'

test('the demo walks the whole tour on a fresh directory and ends with 0', async () => {
  const program = resolve(import.meta.dirname, '../../postern.js')
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', program, 'demo', '--exit'],
    {
      env: { PATH: process.env['PATH'] ?? '', NO_COLOR: '1', POSTERN_WORKERS: '2' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
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
