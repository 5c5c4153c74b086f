import assert from 'node:assert/strict'
import { test } from 'node:test'
import { doubled } from '../../../test/support/doubled.ts'
import { ALONE, executedLater } from '../../../test/support/executed.ts'
import { NodeFailure, type ServiceQuestion } from '../run.ts'
import { redisNode } from './definition.ts'
import { ONE_KEY, redisRun, SEVERAL_KEYS } from './run.ts'

/** What a node asks. */
async function asked(config: object, inputs: object): Promise<ServiceQuestion> {
  const questions: ServiceQuestion[] = []
  const context = {
    ...ALONE,
    askService: async (question: ServiceQuestion) => {
      questions.push(question)
      return 'OK'
    },
  }
  const given = { host: 'cache.internal', ...config }
  const result = await executedLater(redisRun, given, { ...inputs }, context)
  assert.deepEqual(result, { handle: 'default', outputs: { value: 'OK' } })
  assert.equal(questions.length, 1)
  return questions[0]!
}

test('a command is asked with its key behind the prefix, and values as text, JSON or bytes', async () => {
  const bytes = Uint8Array.of(0, 255)
  const question = await asked(
    {
      command: 'HSET',
      prefix: 'app:',
      tls: false,
      port: 6380,
      database: 3,
      credential: 'crd_1',
      encoding: 'json',
    },
    { key: 'a', args: ['n', 1, 'is', true, 'deep', { x: [1] }, 'raw', bytes] },
  )
  assert.deepEqual(question, {
    to: { host: 'cache.internal', port: 6380, tls: false, ca: null },
    credential: 'crd_1',
    work: {
      service: 'redis',
      database: 3,
      command: 'HSET',
      encoding: 'json',
      args: ['app:a', 'n', '1', 'is', 'true', 'deep', '{"x":[1]}', 'raw', bytes],
    },
  })
  const several = await asked({ command: 'MGET', prefix: 'app:' }, { key: ['a', 2] })
  assert.deepEqual(several.work, {
    service: 'redis',
    database: 0,
    command: 'MGET',
    encoding: 'text',
    args: ['app:a', 'app:2'],
  })
  assert.equal(several.to.tls, true)
})

test('keys and values of other forms fail before anything is asked', async () => {
  for (const [command, inputs, kind] of [
    ['GET', {}, 'key'],
    ['GET', { key: '' }, 'key'],
    ['GET', { key: ['a'] }, 'key'],
    ['MGET', { key: [] }, 'key'],
    ['MGET', { key: ['a', null] }, 'key'],
    ['SET', { key: 'a', args: 'x' }, 'args'],
    ['SET', { key: 'a', args: [null] }, 'args'],
    ['SET', { key: 'a', args: Array<number>(1001).fill(1) }, 'args'],
    ['SET', { key: 'a', args: ['x'.repeat(1024 * 1024)] }, 'size'],
    // They would be keys without the prefix
    ['MGET', { key: 'a', args: ['b'] }, 'args'],
    ['DEL', { key: ['a'], args: ['b'] }, 'args'],
  ] as const)
    await assert.rejects(
      asked({ command }, inputs),
      (error) => error instanceof NodeFailure && error.kind === kind,
      JSON.stringify(inputs).slice(0, 80),
    )
  const long = asked({ command: 'SET' }, { key: 'a', args: [doubled()] })
  await assert.rejects(long, (error) => error instanceof NodeFailure && error.kind === 'size')
})

test('no command runs scripts, lists keys, blocks, or reads or changes the server', () => {
  const takes = (more: object): boolean =>
    redisNode.config.safeParse({ host: 'cache', command: 'GET', ...more }).success
  for (const command of [
    'EVAL',
    'FCALL',
    'KEYS',
    'SCAN',
    'CONFIG',
    'FLUSHALL',
    'BLPOP',
    'SUBSCRIBE',
    'SORT',
    'get',
  ])
    assert.equal(takes({ command }), false, command)
  for (const command of [...ONE_KEY, ...SEVERAL_KEYS]) assert.equal(takes({ command }), true, command)
  for (const host of ['{{ $.x }}', 'a/b', 'a:1', '[::1]', '', 'a b', 'u@h'])
    assert.equal(takes({ host }), false, host)
  for (const host of ['::1', '10.0.0.1', 'redis-1.internal']) assert.equal(takes({ host }), true, host)
  assert.equal(takes({ port: 0 }), false)
  assert.equal(takes({ password: 'x' }), false)
})
