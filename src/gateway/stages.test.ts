import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CALL, MCP, REST, STAGES } from './stages.ts'

const shown = (rows: typeof STAGES): string => rows.map(({ number, name }) => `${number} ${name}`).join(', ')

test('the order of the checks is the one that is promised', () => {
  assert.equal(
    shown(REST),
    '4 route, 5 identify, 6 active, 7 address, 8 failures, 9 authenticate, 10 held-back route, 11 assignment, 12 method, ' +
      '1 declared body, 13 limits, 17 credential',
  )
})

test('a message at the MCP door and the call that follows run every check of REST once between them', () => {
  assert.equal(shown(MCP), '5 identify, 6 active, 7 address, 8 failures, 9 authenticate')
  assert.deepEqual(
    [...MCP, ...CALL].sort((a, b) => STAGES.indexOf(a) - STAGES.indexOf(b)),
    REST,
  )
})
