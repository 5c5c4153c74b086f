import assert from 'node:assert/strict'
import { test } from 'node:test'
import { doubled } from '../../../test/support/doubled.ts'
import { ALONE, executedLater } from '../../../test/support/executed.ts'
import { NodeFailure, type ServiceQuestion } from '../run.ts'
import { postgresNode } from './definition.ts'
import { postgresRun } from './run.ts'

const PLACE = { host: 'db.internal', credential: 'crd_1', database: 'shop' }

async function asked(inputs: object, config: object = {}): Promise<ServiceQuestion> {
  let question: ServiceQuestion | undefined
  const askService = async (given: ServiceQuestion): Promise<unknown> => {
    question = given
    return { rows: [], count: 0, truncated: false }
  }
  await executedLater(
    postgresRun,
    { ...PLACE, statement: 'SELECT $1', ...config },
    { ...inputs },
    { ...ALONE, askService },
  )
  return question!
}

test('values are bound as texts, bytes and null, and objects as JSON', async () => {
  const bytes = Uint8Array.of(1)
  const { to, credential, work } = await asked(
    { values: ['a', 1.5, true, null, { a: [1] }, ['b'], bytes] },
    { read_only: false },
  )
  assert.deepEqual([to, credential], [{ host: 'db.internal', port: 5432, tls: true, ca: null }, 'crd_1'])
  assert.deepEqual(work, {
    service: 'postgres',
    database: 'shop',
    text: 'SELECT $1',
    values: ['a', '1.5', 'true', null, '{"a":[1]}', '["b"]', bytes],
    rowLimit: 1000,
    readOnly: false,
  })
})

test('values of other forms fail before anything is asked', async () => {
  for (const [values, kind] of [
    ['a', 'values'],
    [Array<number>(101).fill(0), 'values'],
    [['x'.repeat(1024 * 1024 + 1)], 'size'],
    [[doubled()], 'size'],
  ] as const)
    await assert.rejects(asked({ values }), (error) => error instanceof NodeFailure && error.kind === kind)
})

test('a statement begins with a word that reads or, with read_only off, changes rows', () => {
  const takes = (statement: string, read_only = true): boolean =>
    postgresNode.config.safeParse({ ...PLACE, statement, read_only }).success
  for (const statement of [
    'select 1',
    ' \n(SELECT 1)',
    'with x as (select 1) select * from x',
    'TABLE items',
  ])
    assert.deepEqual([takes(statement), takes(statement, false)], [true, true], statement)
  for (const statement of ['INSERT INTO a VALUES (1)', 'call p()', 'Merge INTO a USING b ON true'])
    assert.deepEqual([takes(statement), takes(statement, false)], [false, true], statement)
  for (const statement of [
    ...[
      'SET x = 1',
      'COMMIT',
      'COPY a FROM STDIN',
      'DROP TABLE a',
      'DO $$ $$',
      'LISTEN a',
      'EXPLAIN SELECT 1',
    ],
    ...['', ';SELECT 1', '/* x */ SELECT 1', 'SELECT {{ $.x }}', 'SELECT 1\0'],
  ])
    assert.deepEqual([takes(statement), takes(statement, false)], [false, false], statement)
})
