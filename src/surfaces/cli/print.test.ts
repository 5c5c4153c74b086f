import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProblemError } from '../client/client.ts'
import type { CliPorts } from './ports.ts'
import { printFailure } from './print.ts'

test('what the detail has said is not said again by the errors', () => {
  let printed = ''
  const ports = {
    env: {},
    colour: false,
    err: (text: string) => {
      printed += text
    },
  } as unknown as CliPorts // all that printing a failure needs
  const faults = [
    { pointer: '/collections/0', reason: 'there is no collection "a"' },
    { pointer: '/policy', reason: 'there is no policy "b"' },
  ]
  const code = printFailure(
    ports,
    'table',
    new ProblemError({
      title: 'Input invalid',
      status: 400,
      detail: '/collections/0: there is no collection "a".',
      code: 'input_invalid',
      request_id: 'req_1',
      errors: faults,
    }),
  )
  assert.equal(code, 2)
  assert.equal(
    printed,
    'error: Input invalid (input_invalid). /collections/0: there is no collection "a".\n  /policy: there is no policy "b"\n  request req_1\n',
  )
})
