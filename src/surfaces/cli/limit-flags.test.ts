import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Command } from 'commander'
import fc from 'fast-check'
import { policyOperations } from '../../operations/policies/kind.ts'
import { REGISTRY } from '../../operations/registry.ts'
import { UsageError } from './exit.ts'
import { addFlags, readInput } from './flags.ts'
import { takesLimits } from './limit-flags.ts'

const MINUTE = { name: 'rate-1m', kind: 'rate', max: 1000, window: '1m' }

/** The input that flags of `policies update` make of a policy. */
async function inputOf(args: readonly string[], current: Readonly<Record<string, unknown>> = {}) {
  const command = new Command().exitOverride()
  addFlags(command, policyOperations.update)
  command.parse(['gold', ...args], { from: 'user' })
  const { id, ...input } = await readInput(policyOperations.update, 'gold', command.opts(), {
    current: async () => current,
  })
  assert.equal(id, 'gold')
  return input
}

test('--limit and --quota are limits, by their window or by a name', async () => {
  const { limits } = await inputOf([
    ...['--limit', '1000/1m', '--quota', '50000/1d', '--quota', 'long=9/12h', '--limit', 'burst=5/1s'],
  ])
  assert.deepEqual(limits, [
    MINUTE,
    { name: 'burst', kind: 'rate', max: 5, window: '1s' },
    { name: 'quota-1d', kind: 'quota', max: 50_000, window: '1d' },
    { name: 'long', kind: 'quota', max: 9, window: '12h', rolling: true },
  ])
})

test('in an update they replace the limit with their name, and leave the others', async () => {
  const other = { name: 'other', kind: 'concurrency', max: 3 }
  const { limits } = await inputOf(['--limit', '7/1m', '--limit', '1/1s', '--set', 'limits[1].max=4'], {
    limits: [MINUTE, other],
  })
  assert.deepEqual(limits, [
    { ...MINUTE, max: 7 },
    { ...other, max: 4 },
    { name: 'rate-1s', kind: 'rate', max: 1, window: '1s' },
  ])
})

test('the JSON of the member quota is taken too', async () => {
  const quota = { max: 5, interval: '1d' }
  assert.deepEqual(await inputOf(['--quota', JSON.stringify(quota)]), { quota })
  assert.deepEqual(await inputOf(['--quota', 'null']), { quota: null })
})

test('what is no limit is refused with the flag and the reason', async () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['--limit', '1000', /--limit 1000: expected max\/window, such as 1000\/1m\./],
    ['--quota', '{"max":', /--quota must be JSON or max\/window, not "\{"max":"/],
    ['--limit', 'x/1m', /--limit x\/1m: "x" is not a whole number\./],
    ['--limit', '5/2d', /--limit 5\/2d: the window of a rate is 1s to 24h\./],
    ['--quota', '5/1m', /--quota 5\/1m: the window of a rolling quota is 1h to 30d\./],
    ['--limit', '0/1m', /--limit 0\/1m: max: /],
    ['--limit', 'A b=5/1m', /--limit A b=5\/1m: name: lower-case letters/],
  ]
  for (const [flag, text, message] of cases) await assert.rejects(inputOf([flag, text]), message)
})

test('any text is a limit or a usage error', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9=/]{1,12}$/)), async (text) => {
      const made = await inputOf([`--limit=${text}`]).catch((error: unknown) => error)
      if (made instanceof Error) assert.ok(made instanceof UsageError, String(made))
    }),
    { numRuns: 300 },
  )
})

test('the flags are there for the writes of every resource with limits', () => {
  assert.deepEqual(
    REGISTRY.operations.filter(takesLimits).map(({ resource, action }) => `${resource}.${action}`),
    ['policies.create', 'policies.update', 'policies.put'],
  )
  const listed = REGISTRY.operations.filter(({ input }) => Object.hasOwn(input.shape, 'limits'))
  assert.deepEqual(listed, REGISTRY.operations.filter(takesLimits))
})
