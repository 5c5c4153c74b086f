/** The unit of systemd in `deploy/systemd`. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { test } from 'node:test'
import { readSettings } from '../src/settings.ts'

const UNIT = resolve(import.meta.dirname, '../deploy/systemd/postern.service')
/** Of 10. */
const EXPOSURE_MAX = 2

/** Values of a name, in their order. */
const valuesOf = (name: string): string[] =>
  [...readFileSync(UNIT, 'utf8').matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value!)

function analyze(...args: string[]): string | null {
  const { error, status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' })
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return null
  assert.equal(status, 0, stdout + stderr)
  return stdout + stderr
}

test('the unit of systemd gives settings that there are, writes to its own folders alone, and stops after the requests', () => {
  const env = Object.fromEntries(
    valuesOf('Environment').map((pair) => [
      pair.slice(0, pair.indexOf('=')),
      pair.slice(pair.indexOf('=') + 1),
    ]),
  )
  const { data, keyFile } = readSettings([], env)
  assert.deepEqual([data, keyFile], ['/var/lib/postern/data', '/var/lib/postern/key/vault.key'])
  assert.deepEqual(valuesOf('StateDirectory'), ['postern postern/data postern/key'])
  assert.deepEqual(valuesOf('ProtectSystem'), ['strict'])
  assert.deepEqual(valuesOf('CapabilityBoundingSet'), [''])
  assert.ok(Number(valuesOf('TimeoutStopSec')[0]) > 30)
})

test('systemd takes the unit, and rates its exposure as small', (t) => {
  const said = analyze('verify', UNIT)
  if (said === null) return t.diagnostic('systemd-analyze is not here: the unit was not verified')
  assert.equal(said, '')
  const rated = /Overall exposure level for postern\.service: ([\d.]+)/.exec(
    analyze('security', '--offline=true', UNIT)!,
  )
  assert.ok(Number(rated?.[1]) <= EXPOSURE_MAX, rated?.[0])
})
