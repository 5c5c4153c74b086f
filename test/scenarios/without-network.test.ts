/** Sign-ins on a machine that reaches nothing but itself: its network is a namespace with the loopback alone. */
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const PROGRAM = resolve(import.meta.dirname, '../programs/sign-in-alone.ts')
const CLAUDE_CODE = 'https://claude.ai/oauth/claude-code-client-metadata'
const UNKNOWN = 'https://agent.example/client.json'

/** Runs a command where `lo` is the only interface. */
const ALONE = ['-rn', 'sh', '-c', 'ip link set lo up && exec "$@"', 'alone'] as const

function hasNamespaces(): boolean {
  try {
    execFileSync('unshare', [...ALONE, 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
const skip = hasNamespaces() ? false : 'namespaces of networks (unshare -rn and ip) are not available'

test('without a network, a widespread client signs in by the URL of its document, and another one registers', {
  skip,
}, async () => {
  const { execPath } = process
  const program = [execPath, '--disable-warning=ExperimentalWarning', PROGRAM]
  const { stdout } = await promisify(execFile)('unshare', [
    ...[...ALONE, ...program],
    ...[CLAUDE_CODE, 'registered', UNKNOWN],
  ])
  const { interfaces, outcomes, log } = JSON.parse(stdout.split('\n').at(-2)!) as {
    interfaces: string[]
    outcomes: Record<string, number | string>
    log: string[]
  }
  assert.deepEqual(interfaces, ['lo'])
  assert.ok(Number(outcomes[CLAUDE_CODE]) > 0, stdout)
  assert.equal(outcomes['registered'], outcomes[CLAUDE_CODE])
  // A document that cannot be fetched is no client: the page says so
  assert.match(String(outcomes[UNKNOWN]), /metadata document fetch failed/)
  const lines = log.filter((one) => one.includes(UNKNOWN))
  assert.ok(lines.length > 0, stdout)
  for (const line of lines) assert.match(line, /^warn .* cannot be fetched: .* or set POSTERN_CIMD=off/)
})
