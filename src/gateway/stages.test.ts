import assert from 'node:assert/strict'
import { test } from 'node:test'
import { golden } from '../../test/golden/golden.ts'
import { EMPTY_SNAPSHOT } from '../snapshot/link/link.ts'
import type { Outcome } from '../wire/port.ts'
import { CHECK_FACTS, type CheckName } from './check-names.ts'
import { type End, Exchange, type Lane } from './exchange.ts'
import { explainReplayOnly } from './identify/caller.ts'
import type { CheckRow } from './stage-types.ts'
import { admits, CHECKS } from './stages.ts'
import { ANSWERED, type Verdict } from './verdict.ts'

const HEAD = `# Checks of a request

Every request passes these checks in this order. The first failed check ends the request. [Records](records.md) and
[metrics](metrics.md) name this check in \`check\`. To see the result of each check for a request, with the deciding setting, run
\`postern explain METHOD URL\` ([example](routing.md#explain-a-request)).

| check | passes if | REST | message at \`/mcp\` | call of an agent | replay | \`stopped_at\` |
|---|---|---|---|---|---|---|
`
const FOOT = `
The message of an agent authenticates the caller, so its call skips \`identify\` to \`authenticate\`. A [replay](replay.md) has no
credential, so \`proof\` and \`same proxy\` replace these checks. \`stopped_at\` is the number of the check in records.
`
const NAMES = ['route', 'identify', 'active'] as const

/** The rows of these tests look at nothing but the exchange itself. */
function exchange(): Exchange {
  const [lane, end, outcome] = [{} as Lane, {} as End, {} as Outcome]
  return new Exchange(lane, end, outcome, 'r', 0, EMPTY_SNAPSHOT, 0, 'GET', '/', '', '127.0.0.1', 0)
}

function rows(...verdicts: readonly (Verdict | Promise<Verdict>)[]) {
  const seen: number[] = []
  const list = verdicts.map((verdict, index) => ({
    name: NAMES[index]!,
    ways: { rest: true, mcp: true, call: true, replay: true, tool: true, own: false, step: false },
    explain: explainReplayOnly,
    check: () => {
      seen.push(index + 1)
      return verdict
    },
  }))
  return { list, seen }
}

test('checks that know at once are run without a promise', () => {
  const { list, seen } = rows(null, null)
  assert.equal(admits(list, exchange()), true)
  assert.deepEqual(seen, [1, 2])
})

test('a check that takes its time holds up those after it', async () => {
  const gate = Promise.withResolvers<Verdict>()
  const { list, seen } = rows(null, gate.promise, null)
  const admitted = admits(list, exchange())
  assert.deepEqual(seen, [1, 2])
  gate.resolve(null)
  assert.equal(await admitted, true)
  assert.deepEqual(seen, [1, 2, 3])
})

test('a late refusal ends the request and says which check it was', async () => {
  const { list, seen } = rows(null, Promise.resolve('upstream_unavailable'), null)
  const one = exchange()
  assert.equal(await admits(list, one), false)
  assert.deepEqual([one.code, one.check, seen], ['upstream_unavailable', 'identify', [1, 2]])
})

test('a check that fails late is an internal error, never an admission', async () => {
  const { list } = rows(Promise.reject(new Error('boom')), null)
  const one = exchange()
  assert.equal(await admits(list, one), false)
  assert.deepEqual([one.code, one.check, one.reason], ['internal_error', 'route', 'Error: boom'])
})

test('a check may answer by itself: nothing after it runs and nothing was refused', () => {
  const { list, seen } = rows(ANSWERED, null)
  const one = exchange()
  assert.equal(admits(list, one), false)
  assert.deepEqual([one.code, one.check, seen], [null, '', [1]])
})

test('no check runs for a caller who left while one was waiting', async () => {
  const gate = Promise.withResolvers<Verdict>()
  const { list, seen } = rows(gate.promise, null)
  const one = exchange()
  const admitted = admits(list, one)
  one.isOver = true
  gate.resolve(null)
  assert.equal(await admitted, false)
  assert.deepEqual(seen, [1])
})

test('the page of the checks lists them in the order in which they run', () => {
  const marks = ({ rest, mcp, call, replay }: CheckRow['ways']): string =>
    [rest, mcp, call, replay].map((isMade) => (isMade ? 'yes' : '-')).join(' | ')
  const line = (name: CheckName, ways: string): string => {
    if (name === '') return ''
    const { number, about } = CHECK_FACTS[name]
    return `| \`${name}\` | ${about} | ${ways} | ${number} |\n`
  }
  const all = 'yes | yes | yes | yes'
  const table = [
    line('wire', all),
    line('canonical', all),
    ...CHECKS.map(({ name, ways }) => line(name, marks(ways))),
    line('forward', 'yes | - | yes | yes'),
    line('answer', 'yes | - | yes | yes'),
  ]
  golden('docs/checks.md', `${HEAD}${table.join('')}${FOOT}`)
  const named = CHECKS.map(({ name }) => name)
  const [first, last] = [
    ['wire', 'canonical'],
    ['forward', 'answer'],
  ]
  assert.deepEqual([...first, ...named, ...last].toSorted(), Object.keys(CHECK_FACTS).toSorted())
})
